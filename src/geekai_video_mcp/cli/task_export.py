"""Tasks for programs: lines of CSV, and the same facts as JSON. Pure.

Text from outside is sanitized in CSV: a spreadsheet executes formulas. In JSON it is whole.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from geekai_video_mcp.cli.report import (
    amount,
    duration_text,
    known_duration,
    parts_text,
    plain_unlimited,
)
from geekai_video_mcp.domain.films import part_texts
from geekai_video_mcp.domain.task_prices import listed_price
from geekai_video_mcp.domain.task_records import TaskRecord
from geekai_video_mcp.domain.tasks import Media, Task

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
FORMULA_PREFIXES: Final = frozenset("=+-@\t\r＝＋－＠")
"""The first characters of a cell that spreadsheets evaluate as a formula, including the
full-width forms that East Asian versions accept."""


def csv_line(task: TaskRecord) -> str:
    """The task as a line of CSV, in the order of `CSV_COLUMNS`.

    Without the `csv` module: it looks at every character, most of which a pattern has seen.
    """
    request, price = task.request, listed_price(task)
    before_prompt = _cells(
        task.id,
        task.provider_task_id or "",
        _iso_time(task.created_at),
        task.status,
        task.model,
        duration_text(task.result.get("duration"), task),
        str(request.get("resolution") or request.get("size") or ""),
        _iso_time(task.submitted_at),
        _iso_time(task.ended_at),
        task.file_path or "",
        str(task.file_bytes) if task.file_bytes is not None else "",
        task.file_sha256 or "",
        task.error_code or "",
    )
    after_prompt = _cells(
        _number_text(task.file_seconds),
        _number_text(task.file_width),
        _number_text(task.file_height),
        _number_text(task.file_fps),
        _SOUND_CELLS[task.file_has_sound],
        amount(price.cny) if price else "",
        price.source if price else "",
        price.read_on if price else "",
        task.media,
        parts_text(task),
    )
    return f"{before_prompt},{_cell(request.get('prompt'))},{after_prompt}\n"


_SOUND_CELLS: Final[Mapping[int | None, str]] = {None: "", 1: "yes", 0: "no"}


@lru_cache
def _number_text(number: float | None) -> str:
    return f"{number:.10g}" if number is not None else ""


_PLAIN_CELL: Final = r"(?:[0-9A-Za-z/.][!#-+\--~]*)?"
_PLAIN_CELLS: Final = re.compile(f"{_PLAIN_CELL}(?:,{_PLAIN_CELL})*")
"""Most cells: nothing in them is hidden, is a formula, or has to be quoted."""


def _cells(*facts: str) -> str:
    """*facts* as cells of CSV, joined; all of them are looked at in one go."""
    line = ",".join(facts)
    if _PLAIN_CELLS.fullmatch(line) and line.count(",") == len(facts) - 1:
        return line
    return ",".join(map(_cell, facts))


def _cell(fact: object) -> str:
    """*fact* as a cell of CSV that no spreadsheet takes for a formula."""
    text = "" if fact is None else str(fact)
    plain = plain_unlimited(text)
    if plain[:1] in FORMULA_PREFIXES or text[:1] in FORMULA_PREFIXES:
        plain = f"'{plain}"
    if '"' in plain or "," in plain:
        return '"' + plain.replace('"', '""') + '"'
    return plain


def _iso_time(at: float | None) -> str:
    if at is None:
        return ""
    day, second = divmod(int(at), 86_400)
    return f"{_iso_day(day)}T{_CLOCK[second // 60]}:{second % 60:02}+00:00"


@lru_cache
def _iso_day(number: int) -> str:
    return datetime.fromtimestamp(number * 86_400, UTC).date().isoformat()


_CLOCK: Final = tuple(f"{minute // 60:02}:{minute % 60:02}" for minute in range(24 * 60))


def json_fields(task: Task) -> dict[str, Any]:
    """The facts of `CSV_COLUMNS` as JSON values, under the same names; null is unknown or none."""
    request, price = task.request, listed_price(task)
    facts: dict[str, Any] = {
        "id": task.id,
        "provider_task_id": task.provider_task_id,
        "created_at": _iso_time(task.created_at),
        "status": task.status.value,
        "model": task.model,
        "duration": known_duration(task.result and task.result.duration, task),
        "resolution": request.get("resolution") or request.get("size"),
        "submitted_at": _iso_time(task.submitted_at),
        "ended_at": _iso_time(task.ended_at),
        "file_path": task.file_path,
        "file_bytes": task.file_bytes,
        "sha256": task.file_sha256,
        "error_code": task.error_code,
        "prompt": request.get("prompt"),
        "file_seconds": task.file_seconds,
        "file_width": task.file_width,
        "file_height": task.file_height,
        "file_fps": task.file_fps,
        "file_has_sound": task.file_has_sound,
        "price_cny": price and price.cny,
        "price_source": price and price.source,
        "price_date": price and price.read_on,
        "media": task.media.value,
        "parts": list(part_texts(task.request)) if task.media is Media.FILM else None,
    }
    return {name: None if value == "" else value for name, value in facts.items()}
