"""The arguments of the tools that read: free, and sent nowhere as they are. Pure."""

from typing import Annotated, Final, Literal

from pydantic import Field

from geekai_video_mcp.server.arguments.fields import NotBoolean, ShortText
from geekai_video_mcp.server.arguments.parsing import Arguments

MAX_WAIT_SECONDS: Final = 45
"""Seconds. Several clients give a call up after 60, and progress does not move them."""
DEFAULT_WAIT_SECONDS: Final = 15
"""Seconds. Long enough to save a second call for a short clip; under every known patience."""
DEFAULT_PAGE_SIZE: Final = 10
MAX_PAGE_SIZE: Final = 50
"""Tasks on a page; for all of them there is `geekai-video-mcp tasks export`."""
MAX_TASKS: Final = 8
"""Tasks in one call."""


class GetVideoTask(Arguments):
    """Arguments of `get_video_task`."""

    task_id: ShortText = Field(
        description="From generate_video or generate_image, as text; the first 8 characters are"
        " enough. Several: separated by spaces.",
    )
    wait_seconds: Annotated[int, Field(ge=0, le=MAX_WAIT_SECONDS), NotBoolean] = Field(
        DEFAULT_WAIT_SECONDS,
        description=f"0 to {MAX_WAIT_SECONDS}. If the time runs out, call again; nothing is lost.",
    )
    until: Literal["all", "any"] = Field(
        "all",
        description='For several tasks: "any" answers as soon as one more of those still running'
        " finishes. Leave finished ones out of the next call.",
    )
    view: Literal["frames", "cover", "none"] = Field(
        "frames",
        description="Picture that comes with a finished task: contact sheet, cover or none.",
    )


class ListVideoTasks(Arguments):
    """Arguments of `list_video_tasks`."""

    query: ShortText | None = Field(
        None, description="Words of the prompt or model, or the beginning of an id."
    )
    status: Literal["submitting", "pending", "running", "succeed", "failed", "unknown"] | None = (
        Field(None, description="Only tasks in this status.")
    )
    since: ShortText | None = Field(
        None, description='A date such as 2026-11-26, or "today", by this computer\'s clock.'
    )
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE), NotBoolean] = Field(
        DEFAULT_PAGE_SIZE, description=f"Tasks to list, 1 to {MAX_PAGE_SIZE}."
    )
    before: ShortText | None = Field(None, description="Cursor of the previous page.")


class ListVideoModels(Arguments):
    """Arguments of `list_video_models`."""

    model: ShortText | None = Field(None, description="Show all that is known about one model id.")
    query: ShortText | None = Field(
        None, description="Words that must all match, such as kling, 可灵, google, veo 3.1."
    )
    takes: ShortText | None = Field(
        None,
        description="Names of generate_video arguments that the model must accept, separated by"
        ' spaces, for example "image image_tail with_audio" or "camera_control".',
    )
    seconds: Annotated[int, Field(ge=1, le=60), NotBoolean] | None = Field(
        None, description="Length that the model must be able to make, in seconds."
    )
    resolution: ShortText | None = Field(None, description="For example 1080p or 4k.")
    free: bool | None = Field(None, description="true: only models that cost nothing.")
    sort: Literal["price"] | None = Field(
        None, description="price: cheapest first, for the given seconds (otherwise 5)."
    )
    page: Annotated[int, Field(ge=1, le=20), NotBoolean] = Field(1, description="Page of the list.")
