"""The arguments of the tools that read: free, and sent nowhere as they are.

Pure but for the clock, by which "today" is understood if the caller of `parse` gives no time.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, ClassVar, Final, Literal, cast, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from geekai_video_mcp.errors import quote_unless_id
from geekai_video_mcp.server.arguments.extra_body import EXTRA_BODY_NAMES
from geekai_video_mcp.server.arguments.fields import NumberOrText, ShortText, read_words
from geekai_video_mcp.server.arguments.frame_size import Resolution
from geekai_video_mcp.server.arguments.generate import MAX_SECONDS, GenerateVideo
from geekai_video_mcp.server.arguments.parsing import Arguments, argument_names
from geekai_video_mcp.server.arguments.task_id_list import TaskIds
from geekai_video_mcp.server.arguments.unknown_names import find_meant
from geekai_video_mcp.server.arguments.values import (
    MAX_WAIT_SECONDS,
    SECONDS,
    Boolean,
    one_of,
    read_boolean,
    whole_number,
)

DEFAULT_WAIT_SECONDS: Final = 15
"""Seconds. Long enough to save a second call for a short clip; under every known patience."""
DEFAULT_PAGE_SIZE: Final = 10
MAX_PAGE_SIZE: Final = 50
"""Tasks on a page; for all of them there is `geekai-video-mcp tasks export`."""
MAX_PAGES: Final = 20

_VIEWS: Final = {
    **dict.fromkeys(("frame", "sheet", "contact_sheet", "all", "true", "yes"), "frames"),
    **dict.fromkeys(("thumbnail", "poster", "cover_image"), "cover"),
    **dict.fromkeys(("false", "no", "off"), "none"),
}
_UNTIL: Final = {
    **dict.fromkeys(("every", "each", "both", "all_finished"), "all"),
    **dict.fromkeys(("first", "one", "next", "either", "any_finished"), "any"),
}
_STATUSES: Final = {
    **dict.fromkeys(
        (
            "succeeded",
            "success",
            "successful",
            "complete",
            "completed",
            "done",
            "finished",
            "ready",
        ),
        "succeed",
    ),
    **dict.fromkeys(
        ("fail", "failure", "error", "errored", "cancelled", "canceled", "rejected"), "failed"
    ),
    **dict.fromkeys(("processing", "in_progress", "generating", "active", "started"), "running"),
    **dict.fromkeys(("queued", "waiting", "submitted", "created"), "pending"),
    **dict.fromkeys(("all", "any", "every"), ""),
}
_SORTS: Final[Mapping[str, str]] = dict.fromkeys(
    ("cheapest", "cheapest_first", "price_asc", "cost", "asc", "ascending"), "price"
)


class GetVideoTask(Arguments):
    """Arguments of `get_video_task`."""

    renamed: ClassVar = {"preview": "view"}

    task_id: TaskIds = Field(
        description="From generate_video or generate_image; 8 characters are enough. Several:"
        " separated by spaces.",
    )
    wait_seconds: Annotated[
        int,
        whole_number(0, MAX_WAIT_SECONDS, units=SECONDS, is_capped=True, is_truncated=True),
    ] = Field(
        DEFAULT_WAIT_SECONDS,
        description=f"0 to {MAX_WAIT_SECONDS}. If the time runs out, call again; nothing is lost.",
    )
    until: Annotated[Literal["all", "any"], one_of("all", "any", meant=_UNTIL)] = Field(
        "all",
        description="Of several: any answers once the next one finishes.",
    )
    view: Annotated[
        Literal["frames", "cover", "none"], one_of("frames", "cover", "none", meant=_VIEWS)
    ] = Field(
        "frames",
        description="Picture of a finished task.",
    )

    @property
    def task_ids(self) -> tuple[str, ...]:
        """The ids, 1 to `MAX_TASKS`, in the caller's order and without repeats."""
        return tuple(self.task_id.split())


Status = Literal["submitting", "pending", "running", "succeed", "failed", "unknown"]


def _read_since(value: object, info: ValidationInfo) -> float:
    """Unix seconds of the day or time that is named, on this computer's clock."""
    text = value.strip() if isinstance(value, str) else ""
    clock = cast("Mapping[str, Any]", info.context or {}).get("now")
    now = datetime.fromtimestamp(clock, UTC) if clock is not None else datetime.now(UTC)
    today = now.astimezone().date()
    days = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        day = days.get(text.casefold())
        moment = datetime.combine(day, time.min) if day else _iso_moment(text)
        return moment.astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        msg = (
            "must be a date such as 2026-11-26, a time such as 2026-11-26T18:00,"
            ' "today" or "yesterday"'
        )
        raise ValueError(msg) from None


def _iso_moment(text: str) -> datetime:
    """A date or a time; of what else Python reads, a person would expect no 2026-W48."""
    date_in = re.match(r"(\d{4})([-/.]?)(\d{2})\2(\d{2})(?=\D|$)", text)
    if date_in is None:
        msg = "no date"
        raise ValueError(msg)
    return datetime.fromisoformat("-".join(date_in.group(1, 3, 4)) + text[date_in.end() :])


class ListVideoTasks(Arguments):
    """Arguments of `list_video_tasks`."""

    query: NumberOrText | None = Field(
        None, description="Words of the prompt or model, or part of an id."
    )
    status: Annotated[Status | None, one_of(*get_args(Status), meant=_STATUSES)] = Field(
        None, description="Only such tasks."
    )
    since: (
        Annotated[float, BeforeValidator(_read_since), WithJsonSchema({"type": "string"})] | None
    ) = Field(None, description="A date such as 2026-11-26, or yesterday.")
    limit: Annotated[int, whole_number(1, MAX_PAGE_SIZE, is_capped=True)] = Field(
        DEFAULT_PAGE_SIZE, description=f"1 to {MAX_PAGE_SIZE}."
    )
    before: NumberOrText | None = Field(None, description="Cursor of the page before.")

    @property
    def since_at(self) -> float | None:
        """Unix seconds from which on tasks are listed."""
        return self.since


TAKEN: Final = (*argument_names(GenerateVideo), *EXTRA_BODY_NAMES)
"""What a model may take: arguments of `generate_video`, and members of its `extra_body`."""
_EARLIER_FILTERS: Final = {
    "first_frame": "image",
    "last_frame": "image_tail",
    "references": "images",
    "audio": "with_audio",
}
"""Booleans by which earlier versions filtered, and what they are in `takes`."""


def _read_takes(value: object) -> tuple[str, ...]:
    names = dict.fromkeys(read_words(value))
    for name in names:
        if name not in TAKEN:
            meant = find_meant(name, TAKEN)
            shown = quote_unless_id(name, limit=64)
            hint = f"did you mean {meant}?" if meant else f"known are {', '.join(TAKEN)}"
            msg = f"{shown} is no argument of generate_video; {hint}"
            raise ValueError(msg)
    return tuple(names)


class ListVideoModels(Arguments):
    """Arguments of `list_video_models`."""

    taken_earlier: ClassVar = _EARLIER_FILTERS

    model: ShortText | None = Field(None, description="All about this model.")
    query: NumberOrText | None = Field(
        None, description="Words that all match, such as kling, 可灵, google, veo 3.1."
    )
    takes: Annotated[
        tuple[str, ...], BeforeValidator(_read_takes), WithJsonSchema({"type": "string"})
    ] = Field(
        default_factory=tuple,
        description='Arguments that it must take, such as "image image_tail with_audio" or'
        ' "camera_control".',
    )
    seconds: Annotated[int, whole_number(1, MAX_SECONDS, units=SECONDS)] | None = Field(
        None, description="Length that it must be able to make."
    )
    resolution: Resolution | None = Field(None, description="Such as 1080p, 4k.")
    free: Boolean | None = Field(None, description="true: only free ones.")
    sort: Annotated[Literal["price"], one_of("price", meant=_SORTS)] | None = Field(
        None, description="price: cheapest first."
    )
    page: Annotated[int, whole_number(1, MAX_PAGES)] = Field(1, description="1, 2, ...")

    @model_validator(mode="before")
    @classmethod
    def _read_earlier_filters(cls, given: dict[str, Any]) -> dict[str, Any]:
        earlier = {name: given[name] for name in _EARLIER_FILTERS if name in given}
        takes = [_EARLIER_FILTERS[name] for name, value in earlier.items() if read_boolean(value)]
        rest = {name: value for name, value in given.items() if name not in earlier}
        if not takes:
            return rest
        return {**rest, "takes": [*read_words(rest.get("takes", ())), *takes]}
