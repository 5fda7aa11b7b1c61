"""Format tasks for people: rows of a table, the report of one task, lines of CSV. Pure.

Text from outside is sanitized: a terminal executes escape sequences, a spreadsheet formulas.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

from geekai_video_mcp.cli.table import GAP, format_table, key_value_lines, wrap_text
from geekai_video_mcp.domain.catalogue import format_cny
from geekai_video_mcp.domain.films import part_texts
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.task_prices import listed_price
from geekai_video_mcp.domain.task_records import TaskRecord
from geekai_video_mcp.domain.tasks import (
    Media,
    Task,
)
from geekai_video_mcp.domain.tenants import LOCAL_TENANT, tasks_command
from geekai_video_mcp.errors import MAYBE_CHARGED
from geekai_video_mcp.ledger import Event
from geekai_video_mcp.quoting import sanitize

PROMPT_CHARS: Final = 300
"""Characters of a prompt in a list whose width is unlimited."""
WIDE: Final = 120
"""Cells of a line from which on a list has room for the frame rate and the sound as well."""

_HEADINGS: Final = (
    *("ID", "WHEN (UTC)", "STATUS", "MODEL", "SEC", "CNY", "SIZE", "FILE OR ERROR", "PROMPT"),
)
_SHRINKABLE: Final = (3, 7, 8)


def task_table(tasks: Sequence[Task], *, at: float, width: int) -> list[str]:
    """A table of *tasks*, and how to resolve those whose outcome is unknown."""
    rows = [_table_row(task, at=at, wide=width >= WIDE) for task in tasks]
    lines = format_table(_HEADINGS, rows, width=width, shrinkable=_SHRINKABLE)
    return lines + (
        _resolve_hint("ID --attach TASK_ID", tenant=tasks[0].tenant)
        if any(map(_needs_decision, tasks))
        else []
    )


def _table_row(task: Task, *, at: float, wide: bool) -> tuple[str, ...]:
    seconds, result = task.file_seconds, task.result
    return (
        short_id(task.id),
        _short_time(task.created_at, at=at),
        task.status.value,
        plain_unlimited(task.model) or (task.media.value if task.media is Media.FILM else ""),
        (f"{seconds:.3g}" if seconds else _duration_text(result and result.duration, task)).rjust(
            len("SEC")
        ),
        _price_amount(task).rjust(len("CNY")),
        ", ".join(_picture_and_sound(task)) if wide else _size_text(task),
        _result_text(task),
        sanitize(str(task.request.get("prompt") or _parts_text(task)), limit=PROMPT_CHARS),
    )


def _parts_text(task: Task | TaskRecord) -> str:
    """What a film is made of; empty for another task."""
    return " ".join(part_texts(task.request)) if task.media == Media.FILM else ""


def _short_time(then: float, *, at: float) -> str:
    """Month, day and minute; for another year than that of *at*, the date only."""
    day, today = datetime.fromtimestamp(then, UTC), datetime.fromtimestamp(at, UTC)
    return day.strftime("%m-%d %H:%M" if day.year == today.year else "%Y-%m-%d")


def _duration_text(of_result: object, task: Task | TaskRecord) -> str:
    """The duration of the result, or else the requested one, in seconds; empty if unknown."""
    duration = of_result or task.request.get("duration")
    return f"{duration:g}" if isinstance(duration, int | float) else ""


def _price_amount(task: Task) -> str:
    """The listed price in CNY; empty if none is known, or nothing was charged."""
    price = listed_price(task)
    return _amount(price.cny) if price else ""


@lru_cache
def _amount(cny: float) -> str:
    return format_cny(cny).removesuffix(" CNY")


def _price_text(task: Task) -> str:
    price = listed_price(task)
    return f"{format_cny(price.cny)} by {price.source}, read {price.read_on}" if price else ""


def _length(task: Task) -> list[str]:
    return [f"{task.file_seconds:g} s"] if task.file_seconds else []


def _picture_and_sound(task: Task) -> list[str]:
    """What is known of the file's picture and sound, each in a word or two."""
    fps = f"{task.file_fps:g} fps" if task.file_fps else ""
    sound = {None: "", True: "sound", False: "no sound"}[task.file_has_sound]
    return [fact for fact in (_size_text(task), fps, sound) if fact]


def _size_text(task: Task) -> str:
    return f"{task.file_width}x{task.file_height}" if task.file_width and task.file_height else ""


def _result_text(task: Task) -> str:
    if task.file_path:
        return plain_unlimited(Path(task.file_path).name)
    if task.status is Status.SUCCEED:
        return _FILE_WORDS[task.file_status]
    return plain_unlimited(task.error_code or "")


_FILE_WORDS: Final = {
    FileStatus.NONE: "not downloaded yet",
    FileStatus.STORED: "stored",
    FileStatus.LINKED: "only a link",
    FileStatus.DELETED: "deleted",
    FileStatus.LOST: "lost",
}


def task_report(task: Task, events: Sequence[Event], *, width: int) -> list[str]:
    """Everything that the ledger records about *task*, as lines of text."""
    submitted_at = task.submitted_at
    lines = [f"Task {task.id}", *key_value_lines(_task_facts(task), width=width)]
    if task.request:
        request = [
            (plain_unlimited(name), _format_value(value)) for name, value in task.request.items()
        ]
        lines += ["", "Request", *key_value_lines(request, width=width)]
    if task.raw_response:
        # The mark before each line shows that the text is the service's own, not ours.
        texts = (plain_unlimited(line) for line in task.raw_response.splitlines())
        parts = (part for text in texts if text for part in wrap_text(text, width - 4))
        lines += ["", "Raw response", *(f"{GAP}| {part}" for part in parts)]
    lines += ["", "History", *key_value_lines([_event_row(event) for event in events], width=width)]
    return lines + (
        _resolve_hint(
            f"{short_id(task.id)} --attach ID", tenant=task.tenant, submitted_at=submitted_at
        )
        if _needs_decision(task)
        else []
    )


def _needs_decision(task: Task) -> bool:
    return task.status is Status.UNKNOWN


def _resolve_hint(which: str, *, tenant: str, submitted_at: float | None = None) -> list[str]:
    """What the user has to decide about an unknown outcome, and the commands for it."""
    where = (
        f"{GAP}Check GeekAI's console for a video from {format_time(submitted_at)} or soon after."
    )
    return [
        "",
        f"unknown: no usable response came. {MAYBE_CHARGED} Decide what to do:",
        *([where] if submitted_at is not None else []),
        f"{GAP}{tasks_command(tenant)} resolve {which} | --abandon | --resubmit",
    ]


def _task_facts(task: Task) -> list[tuple[str, str]]:
    result = task.result
    facts: list[tuple[str, object]] = [
        ("status", task.status.value),
        ("error", task.error_code),
        ("reason", task.error_message),
        ("model", task.model),
        ("tenant", "" if task.tenant == LOCAL_TENANT else task.tenant),
        ("service", task.account.replace("#", ", key ")),
        ("GeekAI's id", task.provider_task_id),
        ("requested", format_time(task.created_at)),
        ("waits for", ", ".join(map(short_id, task.waits_for))),
        ("sent", format_time(task.submitted_at)),
        ("ended", format_time(task.ended_at)),
        ("unreachable since", format_time(task.unreachable_since)),
        ("last poll", task.stall_reason),
        ("no link since", format_time(task.no_link_since)),
        ("listed price", _price_text(task)),
        ("attempts", task.attempt),
        ("polls", task.poll_count or None),
        ("file", task.file_path or (task.status is Status.SUCCEED and task.file_status.value)),
        ("measured", ", ".join([*_length(task), *_picture_and_sound(task)])),
        ("bytes", task.file_bytes and f"{task.file_bytes:,}"),
        ("sha256", task.file_sha256),
        ("download", task.file_error),
        ("duration", result and result.duration and f"{result.duration:g} s"),
        ("link", result and result.url),
        ("prompt used", result and result.revised_prompt),
        ("notes", " ".join(result.notes) if result else ""),
    ]
    # Empty values are omitted, but 0 attempts are shown: they mean that nothing was sent.
    return [
        (name, plain_unlimited(str(fact))) for name, fact in facts if fact or name == "attempts"
    ]


def _format_value(value: object) -> str:
    if isinstance(value, str) and value.startswith("data:"):
        return f"{plain_unlimited(value.partition(',')[0])}, {len(value):,} characters"
    if isinstance(value, list):
        return ", ".join(_format_value(each) for each in cast("list[object]", value))
    return plain_unlimited(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    )


def _event_row(event: Event) -> tuple[str, str]:
    file = event.file_status if event.file_status is not FileStatus.NONE else None
    code = event.error_code and plain_unlimited(event.error_code)
    notes = ", ".join(note for note in (code, file and f"file {file.value}") if note)
    return format_time(event.at), f"{event.status.value} ({notes})" if notes else event.status.value


def format_time(at: float | None) -> str:
    """A time in UTC, to the second; empty for None."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC" if at is not None else ""


def plain_unlimited(text: str) -> str:
    """*text* sanitized but not shortened."""
    return sanitize(text, limit=len(text) + 1)


CSV_COLUMNS: Final = (
    "id",
    "provider_task_id",
    "created_at",
    "status",
    "model",
    "duration",
    "resolution",
    "submitted_at",
    "ended_at",
    "file_path",
    "file_bytes",
    "sha256",
    "error_code",
    "prompt",
    "file_seconds",
    "file_width",
    "file_height",
    "file_fps",
    "file_has_sound",
    "price_cny",
    "price_source",
    "price_date",
    "media",
    "parts",
)
"""New ones are added at the end: programs that read the export may count columns."""
FORMULA_PREFIXES: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""The first characters of a cell that spreadsheets evaluate as a formula, including the
full-width forms that East Asian versions accept."""


def csv_line(task: TaskRecord) -> str:
    """The task as a line of CSV, in the order of `CSV_COLUMNS`.

    Without the `csv` module: it looks at every character, most of which a pattern has seen.
    """
    request, price = task.request, listed_price(task)
    cells = (
        _cell(task.id),
        _cell(task.provider_task_id),
        _iso_time(task.created_at),
        _cell(task.status),
        _cell(task.model),
        _cell(_duration_text(task.result.get("duration"), task)),
        _cell(request.get("resolution") or request.get("size")),
        _iso_time(task.submitted_at),
        _iso_time(task.ended_at),
        _cell(task.file_path),
        _cell(task.file_bytes),
        _cell(task.file_sha256),
        _cell(task.error_code),
        _cell(request.get("prompt")),
        _number_text(task.file_seconds),
        _number_text(task.file_width),
        _number_text(task.file_height),
        _number_text(task.file_fps),
        _SOUND_CELLS[task.file_has_sound],
        _amount(price.cny) if price else "",
        _cell(price.source) if price else "",
        _cell(price.read_on) if price else "",
        _cell(task.media),
        _cell(_parts_text(task)),
    )
    return f"{','.join(cells)}\n"


_SOUND_CELLS: Final[Mapping[int | None, str]] = {None: "", 1: "yes", 0: "no"}


def _number_text(number: float | None) -> str:
    return f"{number:.10g}" if number is not None else ""


_PLAIN_CELL: Final = re.compile(r"[0-9A-Za-z/.][!#-+\--~]*")
"""Most cells: nothing in them is hidden, is a formula, or has to be quoted."""


def _cell(fact: object) -> str:
    """*fact* as a cell of CSV that no spreadsheet takes for a formula."""
    text = "" if fact is None else str(fact)
    if not text or _PLAIN_CELL.fullmatch(text):
        return text
    plain = plain_unlimited(text)
    if plain.startswith(FORMULA_PREFIXES) or text.startswith(FORMULA_PREFIXES):
        plain = f"'{plain}"
    if '"' in plain or "," in plain:
        return '"' + plain.replace('"', '""') + '"'
    return plain


def _iso_time(at: float | None) -> str:
    return _iso_second(int(at)) if at is not None else ""


@lru_cache
def _iso_second(at: int) -> str:
    """Kept for a while: most tasks are sent in the second in which they are made."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
