"""The SDK's tool from a `ToolSpec` and the function that handles its calls.

Errors are turned into tool results here and nowhere else: a `GeekAIVideoError` becomes a result
with `isError`; any other exception is a bug, and the SDK withholds its text.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp_types import (
    CallToolResult,
    InputRequiredResult,
    ResourceLink,
    TextContent,
)
from pydantic import ConfigDict

from geekai_video_mcp.app import App
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.errors import GeekAIVideoError
from geekai_video_mcp.server.arguments import Arguments
from geekai_video_mcp.server.file_places import error_for
from geekai_video_mcp.server.late_app import RECEIVED_AT
from geekai_video_mcp.server.offer import ToolSpec
from geekai_video_mcp.server.results import with_notice

A = TypeVar("A", bound=Arguments)
Answer = CallToolResult | InputRequiredResult
Handler = Callable[[A, "Context[App]"], Awaitable[Answer]]

RESOURCE_LINKS_SINCE: Final = "2025-06-18"
"""The revision that introduced links in results; an older client may fail on one."""


def build_tool(spec: ToolSpec, handler: Handler[Any], default_models: Mapping[Media, str]) -> Tool:
    """The SDK's tool, whose calls *handler* answers."""

    async def call(arguments: dict[str, Any], ctx: "Context[App]") -> Answer:
        request = ctx.request_context
        app = request.lifespan_context
        try:
            args = spec.arguments.parse(
                arguments,
                service_url=app.media.service_url,
                picture_folders=app.media.folders,
                now=app.clock(),
            )
            answer = await handler(args, ctx)
        except GeekAIVideoError as exc:
            answer = CallToolResult(
                content=[TextContent(text=error_for(app, exc).message)], is_error=True
            )
        if isinstance(answer, CallToolResult):
            answer = with_notice(answer, app.notice)
        return _drop_unsupported_links(answer, request.protocol_version)

    published = spec.publish(default_models)
    return Tool(
        fn=call,
        name=spec.name,
        title=spec.title,
        description=published.description or "",
        is_async=True,
        context_kwarg="ctx",
        parameters=published.input_schema,
        annotations=spec.annotations,
        meta=published.meta,
        fn_metadata=FuncMetadata(
            arg_model=_PassThroughArgs,
            # No model: it would validate again what the handler has made as one.
            output_schema=published.output_schema,
        ),
    )


def app_of(ctx: "Context[App]") -> App:
    """The `App` of the server that handles this call."""
    return ctx.request_context.lifespan_context


def call_received_at() -> float:
    """When this call was received, on anyio's clock: the `App` may have been opened since then."""
    return RECEIVED_AT.get(anyio.current_time())


class _PassThroughArgs(ArgModelBase):
    """Passes the arguments on unvalidated: `Arguments.parse` validates them with our messages."""

    model_config = ConfigDict(extra="allow")

    def model_dump_one_level(self) -> dict[str, Any]:
        return {"arguments": dict(self.__pydantic_extra__ or {})}


def _drop_unsupported_links(result: Answer, revision: str | None) -> Answer:
    """*result* without resource links if the client's revision of the protocol has none."""
    if isinstance(result, CallToolResult) and (revision or "") < RESOURCE_LINKS_SINCE:
        result.content = [one for one in result.content if not isinstance(one, ResourceLink)]
    return result
