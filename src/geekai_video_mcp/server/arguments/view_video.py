"""The arguments of `view_video`. Pure."""

import math
import re
from typing import Annotated, Any, Final, Literal, Self, cast

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from geekai_video_mcp.server.arguments.fields import JsonDecoded
from geekai_video_mcp.server.arguments.parsing import Arguments
from geekai_video_mcp.server.arguments.task_id_list import MAX_TASKS, TaskIds
from geekai_video_mcp.server.arguments.values import VIEWS, one_of, read_clock

MAX_TIMES: Final = 12
MAX_FRAMES: Final = 24
"""Frames in one picture: of more, nothing could be recognised."""

_SECONDS: Final = re.compile(
    r"(?:at\s+|t\s*=\s*|@\s*)?(\d+(?:\.\d*)?|\.\d+)\s*(?:s|secs?|seconds?|秒)?\.?", re.IGNORECASE
)
_BETWEEN_TIMES: Final = re.compile(
    r"(?<!\s)(?:[\"']?\s*(?:[,;，；、]|\band\b)\s*[\"']?|\s+(?=[\d.])(?<!at\s)(?<![=@]\s))",
    re.IGNORECASE,
)


def _read_times(value: object) -> list[Any]:
    """A list of seconds, also from a single one, and from text such as "3.2 s"."""
    parts = cast("list[object]", value) if isinstance(value, list) else [value]
    times = list[object]()
    for part in parts:
        if isinstance(part, str):
            times += _read_seconds(part)
        elif isinstance(part, bool) or not isinstance(part, int | float):
            raise ValueError(_TIMES_PROBLEM)  # noqa: TRY004 - pydantic reports ValueError alone
        else:
            times.append(part)
    return times


def _read_seconds(text: str) -> list[float]:
    """The seconds in *text*, which other numbers may follow after commas or spaces."""
    found = [each for each in _BETWEEN_TIMES.split(text.strip("[]()\"' \n")) if each]
    return [_read_time(each) for each in found]


def _read_time(text: str) -> float:
    """The seconds in 3.2, 3.2 s, t=3.2 or 0:03.2."""
    if (seconds := read_clock(text)) is not None:
        return seconds
    match = _SECONDS.fullmatch(text)
    if match is None:
        raise ValueError(_TIMES_PROBLEM)
    return float(match[1])


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


_TIMES_PROBLEM: Final = (
    "must be seconds from the start, 0 or more, for example [3.2]; without at, the first and the"
    " last frame are shown"
)

Times = Annotated[
    tuple[float, ...],
    PlainValidator(_check_times),
    JsonDecoded,
    WithJsonSchema({"type": "array", "items": {"type": "number"}}),
]


class ViewVideo(Arguments):
    """Arguments of `view_video`."""

    task_id: TaskIds = Field(description=f"As in get_video_task; up to {MAX_TASKS}.")
    view: Annotated[Literal["frames", "cover"], one_of("frames", "cover", meant=VIEWS)] = Field(
        "frames", description="Contact sheet, or one frame."
    )
    at: Times | None = Field(
        None,
        description=f"Seconds to show instead, such as [3.2]; at most {MAX_TIMES}.",
    )

    @property
    def task_ids(self) -> tuple[str, ...]:
        """The ids, 1 to `MAX_TASKS`, in the caller's order and without repeats."""
        return tuple(self.task_id.split())

    @model_validator(mode="after")
    def _limit_frames(self) -> Self:
        tasks, times = len(self.task_ids), len(self.at or ())
        if tasks > 1 and (frames := tasks * times) > MAX_FRAMES:
            msg = (
                f"at: {times} times of {tasks} tasks are {frames} frames,"
                f" and one picture shows at most {MAX_FRAMES}; give fewer times, or fewer tasks"
            )
            raise ValueError(msg)
        return self
