"""The tools as they are published, in a table. What handles their calls is in `build`.

A host that has made its handshake asks for this list next, so no handler is imported for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mcp_types import Tool, ToolAnnotations

from geekai_video_mcp.domain.media import Media
from geekai_video_mcp.server import MAX_WAIT_SECONDS, views
from geekai_video_mcp.server.arguments import (
    Arguments,
    GenerateImage,
    GenerateVideo,
    GetVideoTask,
    JoinVideos,
    ListVideoModels,
    ListVideoTasks,
)
from geekai_video_mcp.server.arguments.view_video import ViewVideo
from geekai_video_mcp.server.schema import compact_schema, published_schema
from geekai_video_mcp.server.views import ToolResult, model_list
from geekai_video_mcp.server.views.default_model import describe_default

DEFAULT_MODEL: Final = "{default_model}"
"""What stands in a description for the sentence about the default model."""
_ALWAYS_LOAD: Final = {"anthropic/alwaysLoad": True}
"""Claude Code 2.1.332 shows other tools by name alone until they are asked for (2026-11-26)."""


@dataclass(frozen=True, kw_only=True)
class ToolSpec:
    """Everything that is published about a tool."""

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    result: type[ToolResult] | None
    """None for a tool that answers with text and pictures, and publishes no schema of them."""
    annotations: ToolAnnotations
    media: Media | None = None
    """What it makes, if its description names the default model."""
    always_load: bool = False
    """Whether a host that shows tools only on demand is asked to show this one at once."""

    def publish(self, default_models: Mapping[Media, str]) -> Tool:
        """The tool as it is listed: flat arguments and a typed result, in compact schemas."""
        description = self.description
        if self.media is not None:
            default = describe_default(default_models[self.media], self.media)
            description = description.replace(DEFAULT_MODEL, default)
        return Tool(
            name=self.name,
            title=self.title,
            description=description,
            input_schema=compact_schema(self.arguments, mode="validation"),
            output_schema=self.result
            and published_schema(self.result, self.result.published_fields),
            annotations=self.annotations,
            _meta=_ALWAYS_LOAD if self.always_load else None,
        )


_PAID: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)
_READ_REMOTE: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
_MAKE_LOCAL: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_READ_LOCAL: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
TOOLS: Final[tuple[ToolSpec, ...]] = (
    ToolSpec(
        name="generate_video",
        title="Generate video",
        description="Generate a video from a text prompt, optionally starting from a picture"
        " (image) and ending on one (image_tail). Returns a task_id; then call get_video_task to"
        " wait for the file. May cost the user money, and cannot be cancelled."
        f" {DEFAULT_MODEL} For others see list_video_models.",
        arguments=GenerateVideo,
        result=views.Generation,
        annotations=_PAID,
        media=Media.VIDEO,
        always_load=True,
    ),
    ToolSpec(
        name="get_video_task",
        title="Get video task",
        description="Get the status of a video, picture or film, waiting up to wait_seconds for it"
        " to finish. Free. A finished one comes with its file and a contact sheet.",
        arguments=GetVideoTask,
        result=views.VideoTask,
        annotations=_READ_REMOTE,
        always_load=True,
    ),
    ToolSpec(
        name="generate_image",
        title="Generate image",
        description="Generate a picture, such as the first frame of a video: show it to the user,"
        ' then generate_video with image "task:ID". Waits up to'
        f" {MAX_WAIT_SECONDS} s; if it returns only a task_id, call"
        f" get_video_task. May cost the user money. {DEFAULT_MODEL}",
        arguments=GenerateImage,
        result=views.Generation,
        annotations=_PAID,
        media=Media.IMAGE,
    ),
    ToolSpec(
        name="view_video",
        title="View video",
        description="Look at a finished video, film or picture: a contact sheet with its first and"
        " last frame, its cover, or frames at given seconds; several tasks side by side. Free.",
        arguments=ViewVideo,
        result=None,
        annotations=_READ_LOCAL,
    ),
    ToolSpec(
        name="join_videos",
        title="Join videos",
        description="Join finished videos into one film, trim (cut) one, or put music under it."
        " Local and free. Returns an MP4 with its own task_id. Parts are fitted to the first"
        " one's size.",
        arguments=JoinVideos,
        result=views.Film,
        annotations=_MAKE_LOCAL,
    ),
    ToolSpec(
        name="list_video_tasks",
        title="List video tasks",
        description="List the videos, pictures and films made here, newest first, with settings,"
        " price, status and file. Free. Use it to find earlier work.",
        arguments=ListVideoTasks,
        result=views.TaskList,
        annotations=_READ_LOCAL,
    ),
    ToolSpec(
        name="list_video_models",
        title="List video models",
        description="List GeekAI's video models: what each takes, its lengths, sound, camera"
        " control and price. Free. Use it before choosing one.",
        arguments=ListVideoModels,
        result=model_list.ModelList,
        annotations=_READ_REMOTE,
    ),
)
