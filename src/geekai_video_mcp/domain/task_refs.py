"""References from a request to earlier tasks, as a recorded request keeps them. Pure.

`task:<id>` stands for a video task's last frame or an image task's picture, `task:<id>@2.5` for the
frame at 2.5 s, and `task:<id>/video` for the whole video, which a caller names as `task:<id>` in a
field for videos: in a recorded request, no field has a type. A request is known again by its
references, and never by the links and pictures that they stand for: those are known only
when the task has finished. A reference must never be sent.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self, cast

from geekai_video_mcp.domain.task_ids import short_id

_CANONICAL: Final = re.compile(r"task:([0-9a-f]{32})(?:@(\d+(?:\.\d+)?)|(/video))?")
_AT: Final = re.compile(
    r"(.*?)\s*@\s*(\d{1,6}(?:\.\d{1,9})?)\s*(?:s|sec|secs|seconds?)?", re.I | re.S
)
_WORDS: Final = frozenset({"prompt", "negative_prompt"})
"""Fields whose text is never a reference, whatever it says."""


@dataclass(frozen=True)
class TaskRef:
    """A task whose result is used by another request."""

    task_id: str
    seconds: float | None = None
    """When the frame that is meant appears; None for the last one, or for the whole result."""
    whole_video: bool = False
    """Whether the video itself is meant, and not a picture."""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The reference that *text* is in its one spelling, with a whole id; None if it is none."""
        match = _CANONICAL.fullmatch(text)
        if match is None:
            return None
        return cls(match[1], float(match[2]) if match[2] else None, whole_video=bool(match[3]))

    def __str__(self) -> str:
        video = "/video" if self.whole_video else ""
        return f"task:{self.task_id}{at_text(self.seconds)}{video}"


class PlacedRef(NamedTuple):
    """A reference and its place, as errors name it: `images.0`."""

    ref: TaskRef
    where: str


def at_text(seconds: float | None) -> str:
    """What follows the id in a reference to the frame at *seconds*; empty for None."""
    return "" if seconds is None else f"@{seconds:.3f}".rstrip("0").rstrip(".")


def split_seconds(text: str) -> tuple[str, float | None]:
    """A reference to a task without its `@seconds`, and the seconds.

    Raises:
        ValueError: what follows the @ is no number of seconds.
    """
    if "@" not in text:
        return text, None
    match = _AT.fullmatch(text)
    if match is None:
        msg = "after the @ of a task stands a number of seconds, such as task:ID@2.5"
        raise ValueError(msg)
    return match[1], round(float(match[2]), 3)


def find_refs(body: Mapping[str, Any]) -> list[PlacedRef]:
    """Every reference in the body of a request, in order."""
    found: list[PlacedRef] = []

    def note(ref: TaskRef, where: str, text: str) -> str:
        found.append(PlacedRef(ref, where))
        return text

    _replace_in_object(body, note, "")
    return found


def replace_refs(body: Mapping[str, Any], values: Mapping[TaskRef, str]) -> dict[str, Any]:
    """The body with the value of each reference in its place; those without one stay."""
    return _replace_in_object(body, lambda ref, _, text: values.get(ref, text), "")


def shorten_refs(value: object) -> object:
    """*value*, a part of a request, with the short ids of tasks, for people and models to read."""
    return _replace_in_value(
        value,
        lambda ref, _, __: f"task:{short_id(ref.task_id)}{at_text(ref.seconds)}",
        "",
    )


_Replace = Callable[[TaskRef, str, str], str]


def _replace_in_object(members: Mapping[str, Any], replace: _Replace, where: str) -> dict[str, Any]:
    return {
        name: value
        if name in _WORDS
        else _replace_in_value(value, replace, f"{where}.{name}" if where else name)
        for name, value in members.items()
    }


def _replace_in_value(value: object, replace: _Replace, where: str) -> object:
    if isinstance(value, list):
        return [
            _replace_in_value(each, replace, f"{where}.{number}")
            for number, each in enumerate(cast("list[object]", value))
        ]
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        return _replace_in_object(members, replace, where)
    ref = TaskRef.parse(value) if isinstance(value, str) else None
    if ref is None:
        return value
    return replace(ref, where, cast("str", value))
