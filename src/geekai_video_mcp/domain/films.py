"""A film: finished videos joined in order, on this machine alone. Pure.

A film is a task like any other, of the account `LOCAL_ACCOUNT` and without a model or a price:
no service has a part in it, and no cap, poll or sentence about money concerns it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from geekai_video_mcp.domain.fingerprint import fingerprint
from geekai_video_mcp.domain.media_refs import task_id, task_in_file_name
from geekai_video_mcp.domain.result_file import record_file
from geekai_video_mcp.domain.service_names import is_sandbox
from geekai_video_mcp.domain.statuses import FILM_ALLOWED, Status
from geekai_video_mcp.domain.task_ids import new_task_id, short_id
from geekai_video_mcp.domain.tasks import (
    FileUpdate,
    Media,
    Observation,
    Result,
    Task,
)
from geekai_video_mcp.domain.tenants import LOCAL_TENANT

LOCAL_ACCOUNT: Final = "local"
"""The account of every film: it belongs to this machine, and to no service or key."""

MAX_SECONDS: Final = 10**6
"""More than any time in a part that can be read; a number of JSON may be as large as it likes."""
PART_FORMS: Final = "ID, or ID@1-4.5 for seconds 1 to 4.5 alone (ID@1- and ID@-4.5 as well)"
_AROUND: Final = "\"'`<>()[]{}“”‘’「」 \t\r\n"
_TIME: Final = r"(?:\d{1,2}:)?\d{1,3}:\d\d(?:\.\d+)?|\d{1,6}(?:\.\d*)?|\.\d+"
_UNIT: Final = r"\s*(?:s|secs?|seconds?|秒)?\.?"
_TIME_WITH_UNIT: Final = re.compile(rf"({_TIME}){_UNIT}", re.IGNORECASE)
_RANGE: Final = re.compile(
    rf"(?:({_TIME}){_UNIT}|start)?\s*(?:-|–|—|−|~|\.\.+|\bto\b|\buntil\b)\s*(?:({_TIME}){_UNIT}|end)?",
    re.IGNORECASE,
)
_ADDRESS: Final = re.compile(
    r"video://tasks?/([\w.:-]{1,128})(?:/video)?/?", re.IGNORECASE | re.ASCII
)
_PLAIN_ID: Final = re.compile(r"[\w.:-]{0,127}\w", re.ASCII)
_SHORTENED: Final = re.compile(r"(?:\.{2,}|…)$")


@dataclass(frozen=True, kw_only=True)
class FilmPart:
    """A task in a film, and the seconds of it that are kept."""

    task_id: str
    start: float | None = None
    """Second from which it is kept; None: from its first frame on."""
    end: float | None = None
    """Second up to which it is kept; None: to its last frame."""

    def __str__(self) -> str:
        """The part as a caller writes it."""
        if self.start is None and self.end is None:
            return self.task_id
        ends = ("" if at is None else f"{at:.10g}" for at in (self.start, self.end))
        return f"{self.task_id}@{'-'.join(ends)}"


def parse_part(text: str) -> FilmPart:
    """The part that *text* names, such as ID, ID@1-4.5, ID@1- or task:ID@-4.5.

    Raises:
        ValueError: it says what to write.
    """
    named, at, kept = text.strip(_AROUND).partition("@")
    found = _read_id(named)
    if found is None:
        msg = f"has a part that names no task; each is {PART_FORMS}"
        raise ValueError(msg)
    if not at:
        return FilmPart(task_id=found)
    kept = kept.strip(_AROUND)
    if _TIME_WITH_UNIT.fullmatch(kept):
        msg = (
            f"has a part with one moment alone (@{kept}); @{kept}- cuts off what is before it,"
            f" and @-{kept} what is after it"
        )
        raise ValueError(msg)
    bounds = _RANGE.fullmatch(kept)
    if bounds is None:
        msg = f"has a part whose seconds cannot be read; each is {PART_FORMS}"
        raise ValueError(msg)
    return trim_part(found, start=bounds[1], end=bounds[2])


def trim_part(named: str, *, start: object, end: object) -> FilmPart:
    """The part of this task between two times, which are numbers, texts or None.

    Raises:
        ValueError: it says what to write.
    """
    part = FilmPart(task_id=named, start=_read_seconds(start) or None, end=_read_seconds(end))
    if part.end is not None and part.end <= (part.start or 0.0):
        msg = f"has a part of which nothing is left: it ends at {part.end:g} s and begins at"
        raise ValueError(f"{msg} {part.start or 0:g} s")
    return part


def _read_id(text: str) -> str | None:
    """The id in every way to name a task: with task:, as an address, or by its file's name."""
    plain = _SHORTENED.sub("", text.strip(_AROUND)).lstrip("#").rstrip(".")
    if address := _ADDRESS.fullmatch(plain):
        return address[1]
    if in_name := task_in_file_name(plain):
        return in_name
    named = task_id(plain) or plain
    return named if _PLAIN_ID.fullmatch(named) else None


def _read_seconds(value: object) -> float | None:
    """Seconds from a number, or from a text such as 4.5, 4.5 s or 0:04.5; None for nothing."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    found = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = _TIME_WITH_UNIT.fullmatch(f"{value:.10g}") if abs(value) < MAX_SECONDS else None
    elif isinstance(value, str):
        found = _TIME_WITH_UNIT.fullmatch(value.strip(_AROUND))
    if found is None:
        msg = f"has a part whose seconds cannot be read; each is {PART_FORMS}"
        raise ValueError(msg)
    seconds = 0.0
    for each in found[1].split(":"):
        seconds = seconds * 60 + float(each)
    return round(seconds, 3)


def new_film(
    parts: Sequence[FilmPart],
    audio: str | None,
    *,
    preview: bool,
    version: Sequence[int],
    owner: str,
    at: float,
    tenant: str = LOCAL_TENANT,
) -> Task:
    """A film that is not joined yet, of parts with whole ids.

    *version* is what tells other contents of the same files: with those it is another film.
    """
    request: dict[str, Any] = {"parts": [_to_member(part) for part in parts]}
    if audio is not None:
        request["audio"] = audio
    if preview:
        request["sandbox"] = True
    return Task(
        id=new_task_id(),
        owner=owner,
        created_at=at,
        account=LOCAL_ACCOUNT,
        tenant=tenant,
        model="",
        media=Media.FILM,
        request=request,
        fingerprint=fingerprint(Media.FILM, {**request, "version": list(version)}, None),
    )


def _to_member(part: FilmPart) -> dict[str, object]:
    kept = {"from": part.start, "to": part.end}
    return {"task": part.task_id, **{name: at for name, at in kept.items() if at is not None}}


def film_parts(request: Mapping[str, Any]) -> list[FilmPart]:
    """The parts of a film, from its request."""
    members = cast("list[dict[str, Any]]", request.get("parts") or [])
    return [
        FilmPart(task_id=str(each["task"]), start=each.get("from"), end=each.get("to"))
        for each in members
    ]


def part_texts(request: Mapping[str, Any]) -> Iterator[str]:
    """The parts of a film with short ids, as a caller writes them."""
    for part in film_parts(request):
        yield str(replace(part, task_id=short_id(part.task_id)))


def searched_text(request: Mapping[str, Any]) -> str:
    """The words by which a film is found, which has no prompt: its kind, and its parts' ids."""
    members = cast("object", request.get("parts"))
    if not isinstance(members, list) or not members:
        return ""
    return " ".join(["film", *(part.task_id for part in film_parts(request))])


def is_preview(task: Task) -> bool:
    """Whether the task was made in the sandbox, or is a film with a part that was."""
    if task.media is Media.FILM:
        return task.request.get("sandbox") is True
    return is_sandbox(task.account)


def advance_film(
    film: Task,
    observation: Observation,
    *,
    file: FileUpdate | None = None,
    notes: Sequence[str] = (),
) -> Task:
    """The film after *observation*; one that is late or stale changes nothing.

    `running` claims the film for the attempt that the observation names, which is the next one;
    whoever claims one that is running already has seen that its process has ended. *file* comes
    with `succeed`.
    """
    attempt = (observation.owner, observation.attempt)
    if observation.status is Status.RUNNING:
        unfinished = Status.RUNNING in FILM_ALLOWED[film.status] or film.status is Status.RUNNING
        if not unfinished or observation.attempt != film.attempt + 1:
            return film
        return replace(
            film,
            status=Status.RUNNING,
            owner=observation.owner,
            attempt=observation.attempt,
            submitted_at=observation.at,
        )
    if attempt != (film.owner, film.attempt) or (
        observation.status not in FILM_ALLOWED[film.status]
    ):
        return film
    ended = replace(
        film,
        status=observation.status,
        error_code=observation.error_code,
        error_message=observation.error_message,
        result=Result(notes=tuple(notes)) if notes else None,
        ended_at=observation.at,
    )
    return record_file(ended, file) if file is not None else ended
