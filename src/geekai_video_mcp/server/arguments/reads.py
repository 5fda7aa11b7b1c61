"""The arguments of the tools that read: free, and sent nowhere as they are. Pure."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, cast, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from geekai_video_mcp.quoting import (
    quote,
    quote_unless_id,
)
from geekai_video_mcp.server import MAX_WAIT_SECONDS
from geekai_video_mcp.server.arguments.extra_body import EXTRA_BODY_NAMES
from geekai_video_mcp.server.arguments.fields import (
    NumberOrText,
    ShortText,
    Words,
    split_phrases,
    split_words,
)
from geekai_video_mcp.server.arguments.frame_size import Resolution
from geekai_video_mcp.server.arguments.generate import MAX_SECONDS, GenerateVideo
from geekai_video_mcp.server.arguments.parsing import Arguments, argument_names
from geekai_video_mcp.server.arguments.since import read_since
from geekai_video_mcp.server.arguments.task_id_list import TaskIds
from geekai_video_mcp.server.arguments.unknown_names import find_meant, known_name
from geekai_video_mcp.server.arguments.values import (
    SECONDS,
    VIEWS,
    Boolean,
    add_note,
    one_of,
    read_boolean,
    whole_number,
)

DEFAULT_WAIT_SECONDS: Final = 15
"""Seconds. Long enough to save a second call for a short clip; below every known client timeout."""
DEFAULT_PAGE_SIZE: Final = 10
MAX_PAGE_SIZE: Final = 50
"""Tasks on a page; for all of them there is `geekai-video-mcp tasks export`."""
MAX_PAGES: Final = 20

_VIEWS: Final = {**VIEWS, **dict.fromkeys(("false", "no", "off", "nothing"), "none")}
_UNTIL: Final = {
    **dict.fromkeys(
        (
            *("every", "each", "both", "all_finished", "all_done", "all_of_them", "everything"),
            *("done", "finished"),
        ),
        "all",
    ),
    **dict.fromkeys(
        (
            *("first", "one", "next", "either", "any_finished", "any_one", "any_of_them"),
            *("first_one", "first_finished", "next_one", "one_of_them"),
        ),
        "any",
    ),
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
            "ok",
            "已完成",
            "成功",
        ),
        "succeed",
    ),
    **dict.fromkeys(
        (
            *("fail", "failure", "error", "errored", "cancelled", "canceled", "rejected"),
            *("timeout", "timed_out", "expired", "失败"),
        ),
        "failed",
    ),
    **dict.fromkeys(
        ("processing", "in_progress", "generating", "active", "started", "进行中", "生成中"),
        "running",
    ),
    **dict.fromkeys(
        ("queued", "queueing", "queuing", "in_queue", "waiting", "submitted", "created", "排队中"),
        "pending",
    ),
    **dict.fromkeys(("all", "any", "every", "*", "全部"), ""),
}
_SORTS: Final[Mapping[str, str]] = dict.fromkeys(
    (
        *("cheap", "cheapest", "cheapest_first", "price_asc", "price_ascending", "price:asc"),
        *("by_price", "lowest_price", "low_to_high", "price_low_to_high", "cost", "asc"),
        "ascending",
    ),
    "price",
)


class GetVideoTask(Arguments):
    """Arguments of `get_video_task`."""

    renamed: ClassVar = {"preview": "view"}

    task_id: TaskIds = Field(
        description="8 characters are enough. Several: separated by spaces.",
    )
    wait_seconds: Annotated[
        int,
        whole_number(0, MAX_WAIT_SECONDS, units=SECONDS, is_capped=True, is_truncated=True),
    ] = Field(
        DEFAULT_WAIT_SECONDS,
        description=f"0 to {MAX_WAIT_SECONDS}. If it runs out, call again.",
    )
    until: Annotated[Literal["all", "any"], one_of("all", "any", meant=_UNTIL)] = Field(
        "all",
        description="Of several: any returns when the next one finishes.",
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


PublicStatus = Literal["submitting", "pending", "running", "succeed", "failed", "unknown"]


class ListVideoTasks(Arguments):
    """Arguments of `list_video_tasks`."""

    query: Words | None = Field(None, description="Words of the prompt or model, or part of an id.")
    status: Annotated[PublicStatus | None, one_of(*get_args(PublicStatus), meant=_STATUSES)] = (
        Field(None, description="Only such tasks.")
    )
    since: (
        Annotated[float, BeforeValidator(read_since), WithJsonSchema({"type": "string"})] | None
    ) = Field(None, description="A date such as 2026-11-26, or yesterday.")
    limit: Annotated[int, whole_number(1, MAX_PAGE_SIZE, is_capped=True)] = Field(
        DEFAULT_PAGE_SIZE, description=f"1 to {MAX_PAGE_SIZE}."
    )
    before: NumberOrText | None = Field(None, description="Cursor of the page before.")


TAKEN: Final = (*argument_names(GenerateVideo), *EXTRA_BODY_NAMES)
"""What a model may take: arguments of `generate_video`, and members of its `extra_body`."""
_EARLIER_FILTERS: Final = {
    "first_frame": "image",
    "last_frame": "image_tail",
    "references": "images",
    "audio": "with_audio",
}
"""Booleans by which earlier versions filtered, and what they are in `takes`."""


def _read_takes(value: object, info: ValidationInfo) -> tuple[str, ...]:
    """Names of arguments, also as people call what the arguments are for: first frame, sound."""
    if not isinstance(value, list | tuple):
        value = [value]
    phrases = [part for each in cast("list[object]", value) for part in split_phrases(each)]
    names = dict[str, None]()
    for phrase in phrases:
        whole = known_name(phrase, TAKEN)
        for words in [phrase] if whole else split_words(phrase):
            name = whole or known_name(words, TAKEN)
            if name is None:
                raise ValueError(_unknown_name(words))
            if name != words:
                add_note(info, f"takes {quote(words, limit=64)} was taken as {name}.")
            names[name] = None
    return tuple(names)


def _unknown_name(name: str) -> str:
    meant = find_meant(name, TAKEN)
    hint = f"did you mean {meant}?" if meant else f"known are {', '.join(TAKEN)}"
    return f"{quote_unless_id(name, limit=64)} is no argument of generate_video; {hint}"


class ListVideoModels(Arguments):
    """Arguments of `list_video_models`."""

    taken_earlier: ClassVar = _EARLIER_FILTERS

    model: ShortText | None = Field(None, description="All about this model.")
    query: Words | None = Field(
        None, description="Words that all match, such as kling, 可灵, google, veo 3.1."
    )
    takes: Annotated[
        tuple[str, ...], BeforeValidator(_read_takes), WithJsonSchema({"type": "string"})
    ] = Field(
        default_factory=tuple,
        description="Arguments it must take, such as image image_tail, or camera_control.",
    )
    seconds: Annotated[int, whole_number(1, MAX_SECONDS, units=SECONDS)] | None = Field(
        None, description="Length it must make."
    )
    resolution: Resolution | None = Field(None, description="Such as 4k.")
    free: Boolean | None = Field(None, description="true: only free ones.")
    sort: Annotated[Literal["price"], one_of("price", meant=_SORTS)] | None = Field(
        None, description="price: cheapest first."
    )
    page: Annotated[int, whole_number(1, MAX_PAGES)] = Field(1, description="1, 2, ...")

    @model_validator(mode="before")
    @classmethod
    def _read_earlier_filters(cls, given: dict[str, Any]) -> dict[str, Any]:
        earlier = {name: given[name] for name in _EARLIER_FILTERS if name in given}
        takes = [_EARLIER_FILTERS[name] for name in earlier if _is_wanted(name, earlier[name])]
        rest = {name: value for name, value in given.items() if name not in earlier}
        if not takes:
            return rest
        more = rest.get("takes", ())
        return {**rest, "takes": [*(more if isinstance(more, list | tuple) else [more]), *takes]}


def _is_wanted(name: str, value: object) -> bool:
    try:
        return read_boolean(value)
    except ValueError as exc:
        msg = f"{name}: {exc}"
        raise ValueError(msg) from None
