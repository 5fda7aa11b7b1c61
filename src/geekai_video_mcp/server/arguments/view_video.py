"""The arguments of `view_video`. Pure."""

import math
import re
from typing import Annotated, Any, Final, Literal, Self, cast

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from geekai_video_mcp.errors import has_hidden
from geekai_video_mcp.server.arguments import Arguments
from geekai_video_mcp.server.arguments.fields import SHORT_TEXT_LIMIT, JsonDecoded

MAX_TASKS: Final = 8
"""Tasks side by side: of more, nothing could be recognised."""
MAX_TIMES: Final = 12
MAX_FRAMES: Final = 24
"""Frames in one picture, for the same reason."""

_SEPARATORS: Final = re.compile(r"[\s,;]+")
_SECONDS: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(?:s|sec|secs|seconds?)?", re.IGNORECASE)


def _read_task_ids(value: object) -> tuple[str, ...]:
    """One id or several, as text with separators or as a list; each once."""
    parts = cast("list[object]", value) if isinstance(value, list) else [value]
    ids = list[str]()
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, str | int):
            msg = 'must be text such as "2eb52cc9", or several ids separated by spaces'
            raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError alone
        ids += [each.strip("\"'") for each in _SEPARATORS.split(str(part).strip("[] ")) if each]
    ids = [each.removeprefix("task:") for each in dict.fromkeys(ids) if each]
    if not 1 <= len(ids) <= MAX_TASKS:
        msg = f"must name 1 to {MAX_TASKS} tasks; {len(ids)} were given"
        raise ValueError(msg)
    if any(len(each) > SHORT_TEXT_LIMIT for each in ids):
        msg = f"must be ids of at most {SHORT_TEXT_LIMIT} characters"
        raise ValueError(msg)
    if any(has_hidden(each) or not each.isprintable() for each in ids):
        msg = "contains an invisible character; remove it"
        raise ValueError(msg)
    return tuple(ids)


def _read_times(value: object) -> list[Any]:
    """A list of seconds, also from a single one, and from text such as "3.2 s"."""
    parts = cast("list[object]", value) if isinstance(value, list) else [value]
    times = list[object]()
    for part in parts:
        if isinstance(part, str):
            times += _read_seconds(part)
        elif isinstance(part, bool) or not isinstance(part, int | float):
            raise ValueError(_TIMES_PROBLEM)  # noqa: TRY004 - as above
        else:
            times.append(part)
    return times


def _read_seconds(text: str) -> list[float]:
    """The seconds in *text*, which other numbers may follow after commas or spaces."""
    found = [each for each in re.split(r"\s*[,;]\s*|\s+(?=[\d.])", text.strip("[] \n")) if each]
    matches = [_SECONDS.fullmatch(each) for each in found]
    if not all(matches):
        raise ValueError(_TIMES_PROBLEM)
    return [float(match[1]) for match in matches if match]


def _check_times(value: object) -> tuple[float, ...]:
    times = _read_times(value)
    if not 1 <= len(times) <= MAX_TIMES:
        msg = f"must have 1 to {MAX_TIMES} times; {len(times)} were given"
        raise ValueError(msg)
    try:
        seconds = tuple(float(each) for each in times)
    except OverflowError:
        raise ValueError(_TIMES_PROBLEM) from None
    if not all(math.isfinite(each) and each >= 0 for each in seconds):
        raise ValueError(_TIMES_PROBLEM)
    return seconds


_TIMES_PROBLEM: Final = "must be seconds from the start, 0 or more, for example [3.2]"

TaskIds = Annotated[
    tuple[str, ...],
    PlainValidator(_read_task_ids),
    JsonDecoded,
    WithJsonSchema({"type": "string"}),
]
Times = Annotated[
    tuple[float, ...],
    PlainValidator(_check_times),
    JsonDecoded,
    WithJsonSchema({"type": "array", "items": {"type": "number"}}),
]


def _leave_out_nothing(value: object) -> object:
    """An empty list of times, or empty text, means that none was given."""
    return None if value in ([], "", "[]") else value


class ViewVideo(Arguments):
    """Arguments of `view_video`."""

    task_id: TaskIds = Field(description=f"As in get_video_task; up to {MAX_TASKS}.")
    view: Literal["frames", "cover"] = Field("frames", description="Contact sheet, or one frame.")
    at: Annotated[Times | None, BeforeValidator(_leave_out_nothing)] = Field(
        None,
        description=f"Seconds to show instead, such as [3.2]; at most {MAX_TIMES}. Past the end:"
        " the last frame.",
    )

    @model_validator(mode="after")
    def _limit_frames(self) -> Self:
        frames = len(self.task_id) * len(self.at or ())
        if len(self.task_id) > 1 and frames > MAX_FRAMES:
            msg = (
                f"at: {len(self.at or ())} times of {len(self.task_id)} tasks are {frames} frames,"
                f" and one picture shows at most {MAX_FRAMES}; give fewer times, or fewer tasks"
            )
            raise ValueError(msg)
        return self
