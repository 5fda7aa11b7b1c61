"""The list of tasks as a table: a line for each where there is room, else two. Pure.

Ids are never shortened, and no word is torn: what does not fit is cut off after a word.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from geekai_video_mcp.cli.report import (
    amount,
    duration_text,
    needs_decision,
    parts_text,
    picture_and_sound,
    plain_unlimited,
    resolve_hint,
    size_text,
)
from geekai_video_mcp.cli.table import display_width, table_rows, table_width, truncate
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.task_ids import SHORT_ID_LENGTH, short_id
from geekai_video_mcp.domain.task_prices import listed_price
from geekai_video_mcp.domain.tasks import Media, Task
from geekai_video_mcp.quoting import sanitize

PROMPT_CHARS: Final = 300
"""Characters of a prompt in a list whose width is unlimited."""
MIN_TEXT: Final = 24
"""Cells of a file's name and of a prompt with which each can still be recognised."""
INDENT: Final = " " * (SHORT_ID_LENGTH + 2)
"""Before the second line of a task: below what follows the id."""


@dataclass(frozen=True, kw_only=True)
class _Row:
    """What is shown of a task."""

    id: str
    when: str
    status: str
    model: str
    seconds: str
    cny: str
    size: str
    picture: str
    """Its size, frame rate and sound."""
    result: str
    """The name of its file, or why there is none."""
    reason: str
    """The same, but empty if there is a file: its name repeats the prompt."""
    prompt: str


_COLUMNS: Final = {
    "id": "ID",
    "when": "WHEN (UTC)",
    "status": "STATUS",
    "model": "MODEL",
    "seconds": "SEC",
    "cny": "CNY",
    "size": "SIZE",
    "picture": "SIZE",
    "result": "FILE OR ERROR",
    "prompt": "PROMPT",
}
_RIGHT: Final = frozenset({"seconds", "cny"})
"""Columns of numbers, below each other by their last digit."""
_FACTS: Final = ("id", "when", "status", "model", "seconds", "cny")
_ONE_LINE: Final = (
    (*_FACTS, "picture", "result", "prompt"),
    (*_FACTS, "size", "result", "prompt"),
)
"""The columns of a list with a line for each task, the fullest first."""
_BESIDE_MODEL: Final = ("id", "when", "status", "seconds", "cny")
_TWO_LINES: Final = (
    (*_BESIDE_MODEL, "size", "model"),
    (*_BESIDE_MODEL, "model"),
    (*_BESIDE_MODEL, "size"),
)
"""Those of the first of two lines; the last ones are for models of which the names are longer."""


def task_table(tasks: Sequence[Task], *, at: float, width: int) -> list[str]:
    """A table of *tasks*, and how to resolve those whose outcome is unknown."""
    rows = [_row(task, at=at) for task in tasks]
    lines = list(_one_line_each(rows, width) or _two_lines_each(rows, width))
    if any(map(needs_decision, tasks)):
        lines += resolve_hint("ID --attach TASK_ID", tenant=tasks[0].tenant)
    return lines


def _one_line_each(rows: Sequence[_Row], width: int) -> list[str] | None:
    """None if a file's name or a prompt could not be recognised."""
    for columns in _ONE_LINE:
        widths = _widths(rows, columns)
        texts = [widths.pop(name) for name in ("result", "prompt")]
        needed = table_width([*widths.values(), *(min(each, MIN_TEXT) for each in texts)])
        if needed <= width:
            shrinkable = [columns.index("result"), columns.index("prompt")]
            blocks = _blocks(rows, columns, width=width, shrinkable=shrinkable)
            return [line for block in blocks for line in block]
    return None


def _two_lines_each(rows: Sequence[_Row], width: int) -> Iterator[str]:
    fitting = (
        columns for columns in _TWO_LINES if table_width(_widths(rows, columns).values()) <= width
    )
    columns = next(fitting, _TWO_LINES[-1])
    head, *blocks = _blocks(rows, columns, width=width)
    yield from head
    for row, block in zip(rows, blocks, strict=True):
        yield from block
        text = ": ".join(filter(None, (row.reason, row.prompt)))
        for line in ("" if "model" in columns else row.model, text):
            if line:
                yield INDENT + truncate(line, width - len(INDENT))


def _widths(rows: Sequence[_Row], columns: Sequence[str]) -> dict[str, int]:
    return {
        name: max(
            display_width(text) for text in (_COLUMNS[name], *(getattr(row, name) for row in rows))
        )
        for name in columns
    }


def _blocks(
    rows: Sequence[_Row], columns: Sequence[str], *, width: int, shrinkable: Sequence[int] = ()
) -> list[list[str]]:
    widths = _widths(rows, columns)
    cells = [
        [
            text.rjust(widths[name]) if name in _RIGHT else text
            for name, text in ((name, getattr(row, name)) for name in columns)
        ]
        for row in rows
    ]
    head = [
        _COLUMNS[name].rjust(widths[name]) if name in _RIGHT else _COLUMNS[name] for name in columns
    ]
    return table_rows(head, cells, width=width, shrinkable=shrinkable)


def _row(task: Task, *, at: float) -> _Row:
    seconds, result, price = task.file_seconds, task.result, listed_price(task)
    return _Row(
        id=short_id(task.id),
        when=_short_time(task.created_at, at=at),
        status=task.status.value,
        model=plain_unlimited(task.model) or (task.media.value if task.media is Media.FILM else ""),
        seconds=f"{seconds:.3g}" if seconds else duration_text(result and result.duration, task),
        cny=amount(price.cny) if price else "",
        size=size_text(task),
        picture=", ".join(picture_and_sound(task)),
        result=_result_text(task),
        reason="" if task.file_path else _result_text(task),
        prompt=sanitize(task.prompt or parts_text(task), limit=PROMPT_CHARS),
    )


def _short_time(then: float, *, at: float) -> str:
    """Month, day and minute; for another year than that of *at*, the date only."""
    day, today = datetime.fromtimestamp(then, UTC), datetime.fromtimestamp(at, UTC)
    return day.strftime("%m-%d %H:%M" if day.year == today.year else "%Y-%m-%d")


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
