"""Everything about one task for people, and facts in words that other views of tasks share. Pure.

Text from outside is sanitized: a terminal executes escape sequences.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import cast

from geekai_video_mcp.cli.for_people import for_person
from geekai_video_mcp.cli.table import GAP, key_value_lines, wrap_text
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


def parts_text(task: Task | TaskRecord) -> str:
    """What a film is made of; empty for another task."""
    return " ".join(part_texts(task.request)) if task.media == Media.FILM else ""


def known_duration(of_result: object, task: Task | TaskRecord) -> float | None:
    """The duration of the result, or else the requested one, in seconds; None if unknown."""
    duration = of_result or task.request.get("duration")
    return duration if isinstance(duration, int | float) else None


def duration_text(of_result: object, task: Task | TaskRecord) -> str:
    """The same in words; empty if unknown."""
    duration = known_duration(of_result, task)
    return "" if duration is None else f"{duration:g}"


@lru_cache
def amount(cny: float) -> str:
    """An amount of CNY without its unit."""
    return format_cny(cny).removesuffix(" CNY")


def _price_text(task: Task) -> str:
    price = listed_price(task)
    if price is None:
        return ""
    source = f" by {price.source}, read {price.read_on}" if price.source else ""
    return f"{format_cny(price.cny)}{source}"


def _length(task: Task) -> list[str]:
    return [f"{task.file_seconds:g} s"] if task.file_seconds else []


def picture_and_sound(task: Task) -> list[str]:
    """What is known of the file's picture and sound, each in a word or two."""
    fps = f"{task.file_fps:g} fps" if task.file_fps else ""
    sound = {None: "", True: "sound", False: "no sound"}[task.file_has_sound]
    return [fact for fact in (size_text(task), fps, sound) if fact]


def size_text(task: Task) -> str:
    """Width and height of the file's picture; empty if they are not known."""
    return f"{task.file_width}x{task.file_height}" if task.file_width and task.file_height else ""


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
        resolve_hint(
            f"{short_id(task.id)} --attach ID", tenant=task.tenant, submitted_at=submitted_at
        )
        if needs_decision(task)
        else []
    )


def needs_decision(task: Task) -> bool:
    return task.status is Status.UNKNOWN


def resolve_hint(which: str, *, tenant: str, submitted_at: float | None = None) -> list[str]:
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
        ("reason", for_person(task.error_message or "")),
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
        ("measured", ", ".join([*_length(task), *picture_and_sound(task)])),
        ("bytes", task.file_bytes and f"{task.file_bytes:,}"),
        ("sha256", task.file_sha256),
        ("download", for_person(task.file_error or "")),
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
