"""A page of tasks as a result and as text, one line per task. Pure.

Both forms have every fact of a task. The folder that most files are in is said once, and a file
that is in another one has its whole path.
"""

import json
import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from geekai_video_mcp.config import SANDBOX_MODEL
from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.domain.films import is_preview, part_texts
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.task_ids import SHORT_ID_LENGTH
from geekai_video_mcp.domain.task_prices import listed_price
from geekai_video_mcp.domain.tasks import (
    Media,
    Task,
)
from geekai_video_mcp.domain.waiting import waiting_text
from geekai_video_mcp.quoting import (
    as_sentence,
    quote,
    quote_unless_id,
    reveal,
    sanitize,
)
from geekai_video_mcp.server.arguments import PublicStatus
from geekai_video_mcp.server.views.report import FilePlace, is_failure
from geekai_video_mcp.server.views.tasks import ToolResult, View
from geekai_video_mcp.server.views.text import NO_CODE, PUBLIC_STATUS, public_status
from geekai_video_mcp.server.views.times import iso_time, length_and_size

MAX_PROMPT_CHARS: Final = 80
"""Characters of a prompt in a list: enough to recognise it."""
MAX_REASON_CHARS: Final = 120
"""Characters of the reason of a failure; get_video_task has the whole of it."""
MAX_PATH_CHARS: Final = 4096
"""Characters of the path of a sound file, which is given again as it is."""
MAX_SETTING_CHARS: Final = 60
"""Characters of one setting, such as an object in `extra_body`."""
_NO_SETTING: Final = frozenset({"prompt", "model", "async"})
"""Fields of a request that are shown elsewhere, or that every request has."""
_FIRST_SETTINGS: Final = ("duration", "aspect_ratio", "size", "resolution", "with_audio", "quality")
"""The settings that people ask for most, in the order in which they are shown."""
_INPUTS: Final = frozenset({*catalogue.MEDIA_INPUTS, "mask"})
"""Fields that hold pictures, videos or sounds."""


class ListedTask(View):
    """A task in a list; what is absent is not known, or not there."""

    task_id: str
    task_status: PublicStatus
    created_at: str
    media: Media
    model: str | None = None
    prompt: str | None = None
    """None of a film, like `model`."""
    settings: dict[str, Any] | None = None
    """What else the request asked for, without pictures, videos and sounds."""
    variation: int | None = None
    price_cny: float | None = None
    """By the price list when it was made; None if that is not known, or nothing was charged."""
    price_source: str | None = None
    """Where the price was read, and when, if it is another than `price_source` of the list."""
    file: str | None = None
    """Below `folder`, or a whole path, or a link for a caller on another machine."""
    duration: float | None = None
    """Seconds of the file; `width` and `height` are its pixels."""
    width: int | None = None
    height: int | None = None
    waiting_for: list[str] | None = None
    """The tasks whose results it uses, and after which it is sent."""
    error: str | None = None
    sandbox: bool
    """True for a preview, which GeekAI did not make."""


class TaskList(ToolResult):
    """A page of tasks, newest first."""

    published_fields = ("tasks", "next_before", "next_step")

    tasks: list[ListedTask]
    folder: str | None = None
    """The folder of the files that have no whole path."""
    file_links_end_at: str | None = None
    """When the first of the links to files ends."""
    sum_cny: float | None = None
    """The known prices of this page together."""
    sums_by_day: dict[str, float] | None = None
    """The same for each day (UTC), if the page has several; newest first."""
    price_source: str | None = None
    """Where the prices were read, and when."""
    warnings: list[str] | None = None
    next_before: str | None = None
    """The cursor of the next page; None on the last page."""
    next_step: str


def statuses_of(public_status: PublicStatus | None) -> frozenset[Status]:
    """The stored statuses that are published as *public_status*; empty if that is None."""
    return frozenset(status for status, public in PUBLIC_STATUS.items() if public == public_status)


def task_list(
    tasks: Sequence[Task],
    *,
    more: bool,
    filters: Mapping[str, object] | None = None,
    links: Sequence[FilePlace | None] | None = None,
) -> TaskList:
    """A page of tasks.

    *more*: whether another page follows. *filters*: the arguments that the next page needs as well.
    *links*, one for each task, are shown in place of paths to a caller on another machine.
    """
    paths = [task.file_path for task in tasks if task.file_path and links is None]
    folders = Counter(str(PurePath(path).parent) for path in paths)
    folder = max(folders, key=folders.__getitem__, default=None)
    files = [_file_name(task.file_path, folder) for task in tasks]
    if links is not None:
        files = [link and link.text for link in links]
    ends = [link.link_ends_at for link in links or () if link and link.link_ends_at]
    sources = Counter(_price_source(task) for task in tasks if listed_price(task))
    source = max(sources, key=sources.__getitem__, default=None)
    listed = [_listed(task, file, source) for task, file in zip(tasks, files, strict=True)]
    sums = _sums_by_day(listed)
    cursor = tasks[-1].id if more else None
    return TaskList(
        tasks=listed,
        folder=folder,
        file_links_end_at=iso_time(min(ends)) if ends else None,
        sum_cny=catalogue.rounded_cny(sum(sums.values())) if sources else None,
        sums_by_day=sums if sums and len(set(map(_day, listed))) > 1 else None,
        price_source=source,
        next_before=cursor,
        next_step=_next_step(bool(tasks), cursor, filters or {}),
    )


def task_list_text(result: TaskList) -> str:
    """A page of tasks as text, one line per task."""
    lengths = _id_lengths([task.task_id for task in result.tasks])
    lines = [_line(task, length) for task, length in zip(result.tasks, lengths, strict=True)]
    if result.folder:
        lines.append(f"Files named without a folder are in {result.folder}")
    if result.file_links_end_at:
        lines.append(f"The links to files work until {result.file_links_end_at}.")
    if result.sum_cny is not None:
        lines.append(_sum_text(result.sum_cny, result))
    return "\n".join([*lines, result.next_step])


def _sum_text(total: float, result: TaskList) -> str:
    days = (f"{day} {catalogue.format_cny(cny)}" for day, cny in (result.sums_by_day or {}).items())
    by_day = f" (by day, UTC: {', '.join(days)})" if result.sums_by_day else ""
    known = f"Known prices of these: {catalogue.format_cny(total)}{by_day}."
    return f"{known} Listed by {result.price_source}."


def _sums_by_day(tasks: Sequence[ListedTask]) -> dict[str, float]:
    """The known prices of the tasks of each day, in the same order."""
    sums: dict[str, float] = {}
    for task in tasks:
        if task.price_cny is not None:
            sums[_day(task)] = catalogue.rounded_cny(sums.get(_day(task), 0.0) + task.price_cny)
    return sums


def _day(task: ListedTask) -> str:
    return task.created_at.partition("T")[0]


def _price_source(task: Task) -> str | None:
    price = listed_price(task)
    return price and f"{price.source}, read {price.read_on}"


def _next_step(found: bool, cursor: str | None, filters: Mapping[str, object]) -> str:  # noqa: FBT001 - of this module
    if not found:
        return (
            "No task matches. Leave out a filter." if filters else "No task is recorded here yet."
        )
    step = "get_video_task with a task_id shows all about one task."
    if cursor:
        others = "".join(f", {name} {_filter_text(name, value)}" for name, value in filters.items())
        step += f" Older tasks: call list_video_tasks with before {cursor}{others}."
    return step


def _filter_text(name: str, value: object) -> str:
    """The value of a filter as a caller writes it."""
    if name == "since" and isinstance(value, float):
        value = iso_time(value)
    return quote(value) if isinstance(value, str) else json.dumps(value)


def _listed(task: Task, file: str | None, source: str | None) -> ListedTask:
    price, film = listed_price(task), task.media is Media.FILM
    settings = _film_settings(task) if film else _settings(task)
    stored = task.file_status is FileStatus.STORED
    return ListedTask(
        task_id=task.id,
        task_status=public_status(task),
        created_at=str(iso_time(task.created_at)),
        media=task.media,
        model=None if film else sanitize(task.model),
        prompt=None if film else sanitize(task.prompt, limit=MAX_PROMPT_CHARS),
        settings=settings or None,
        variation=task.variation,
        price_cny=price and price.cny,
        price_source=own if (own := _price_source(task)) != source else None,
        file=file,
        duration=round(task.file_seconds, 1) if stored and task.file_seconds else None,
        width=task.file_width if stored else None,
        height=task.file_height if stored else None,
        waiting_for=list(task.waits_for) or None,
        error=_reason(task),
        sandbox=is_preview(task),
    )


def _settings(task: Task) -> dict[str, Any]:
    names = dict.fromkeys((*_FIRST_SETTINGS, *task.request))
    return {
        name: _setting(task.request[name])
        for name in names
        if name not in _NO_SETTING | _INPUTS and task.request.get(name) not in (None, {}, [])
    }


def _film_settings(film: Task) -> dict[str, Any]:
    """The arguments of join_videos, as they can be given again."""
    audio = film.request.get("audio")
    sound = {"audio": sanitize(reveal(str(audio)), limit=MAX_PATH_CHARS)} if audio else {}
    return {"parts": list(part_texts(film.request)), **sound}


def _setting(value: object) -> object:
    """A value of the request; what is long or has parts is shortened text."""
    if isinstance(value, (bool, int, float)):
        return value
    written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return sanitize(reveal(written), limit=MAX_SETTING_CHARS)


def _file_name(path: str | None, folder: str | None) -> str | None:
    if path is None or folder is None:
        return path
    whole = PurePath(path)
    return whole.name if str(whole.parent) == folder else path


def _reason(task: Task) -> str | None:
    """Why the task has no result, or why its result is not on this machine."""
    if is_failure(task):
        message = task.error_message or task.file_error or "no reason was given"
        code = None if task.error_code == NO_CODE else task.error_code
        text = ": ".join(part for part in (code, message) if part)
    elif task.status is Status.SUCCEED and task.file_error:
        text = task.file_error
    else:
        return None
    return sanitize(text, limit=MAX_REASON_CHARS)


def _line(task: ListedTask, id_length: int) -> str:
    kind = f"{task.media} of the sandbox" if task.sandbox else task.media.value
    if task.sandbox and task.media is Media.FILM:
        kind = "film with sandbox previews"
    when = task.created_at.replace("T", " ")[: len("2026-11-26 19:59")]
    settings = [f"{name} {_setting_text(value)}" for name, value in (task.settings or {}).items()]
    if task.variation is not None:
        settings.append(f"variation {task.variation}")
    prompt = f", {quote(task.prompt)}" if task.prompt else ""
    price = ""
    if task.price_cny is not None:
        price = f", {catalogue.format_cny(task.price_cny)}" if task.price_cny else ", free"
        price += f" by {task.price_source}" if task.price_source else ""
    asked = f" ({_words(settings)})" if settings else ""
    reason = f": {as_sentence(task.error)}" if task.error else ""
    waits = f", {waiting_text(task.waiting_for)}" if task.waiting_for else ""
    own = task.sandbox and task.model == SANDBOX_MODEL  # which its kind names already
    model = "" if own or task.model is None else f", {quote_unless_id(task.model)}"
    return (
        f"{task.task_id[:id_length]} {task.task_status}, {when} UTC, {kind}{model}{asked}{price}"
        f"{prompt}{waits}"
        f"{_file_text(task)}{reason}"
    )


def _setting_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _words(settings: Sequence[str]) -> str:
    return sanitize(", ".join(settings), limit=MAX_PROMPT_CHARS * 3)


def _file_text(task: ListedTask) -> str:
    if task.file is None:
        return ""
    known = ", ".join(length_and_size(task.duration, task.width, task.height))
    return f", file {task.file}{f' ({known})' if known else ''}"


def _id_lengths(ids: Sequence[str]) -> list[int]:
    """How many characters of each id distinguish it from the others; at least the usual eight."""
    return [
        max(
            SHORT_ID_LENGTH,
            *(len(posixpath.commonprefix([one, other])) + 1 for other in ids if other != one),
            0,
        )
        for one in ids
    ]
