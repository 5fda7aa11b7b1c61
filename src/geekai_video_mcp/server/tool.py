"""The definition of a tool: its name, arguments, result and handler; and the SDK's tool from it.

Errors are turned into tool results here and nowhere else: a `GeekAIVideoError` becomes a result
with `isError`; any other exception is a bug, and the SDK withholds its text.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp_types import (
    CallToolResult,
    InputRequiredResult,
    ResourceLink,
    TextContent,
    ToolAnnotations,
)
from pydantic import ConfigDict

from geekai_video_mcp.app import App
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.errors import GeekAIVideoError
from geekai_video_mcp.server.arguments import Arguments
from geekai_video_mcp.server.results import with_notice
from geekai_video_mcp.server.schema import compact_schema, published_schema
from geekai_video_mcp.server.views import ToolResult
from geekai_video_mcp.server.views.default_model import describe_default

A = TypeVar("A", bound=Arguments)
Answer = CallToolResult | InputRequiredResult
Handler = Callable[[A, "Context[App]"], Awaitable[Answer]]

DEFAULT_MODEL: Final = "{default_model}"
"""What stands in a description for the sentence about the default model."""
_ALWAYS_LOAD: Final = {"anthropic/alwaysLoad": True}
"""Claude Code 2.1.332 shows other tools by name alone until they are asked for (2026-11-26)."""
RESOURCE_LINKS_SINCE: Final = "2025-06-18"
"""The revision that introduced links in results; an older client may fail on one."""


@dataclass(frozen=True, kw_only=True)
class ToolSpec(Generic[A]):
    """Everything that is published about a tool, and the function that handles its calls."""

    name: str
    title: str
    description: str
    handler: Handler[A]
    arguments: type[A]
    result: type[ToolResult] | None
    """None for a tool that answers with text and pictures, and publishes no schema of them."""
    annotations: ToolAnnotations
    media: Media | None = None
    """What it makes, if its description names the default model."""
    always_load: bool = False
    """Whether a host that shows tools only on demand is asked to show this one at once."""

    def build(self, default_models: Mapping[Media, str]) -> Tool:
        """The SDK's tool: flat arguments and a typed result, published in compact schemas."""
        description = self.description
        if self.media is not None:
            default = describe_default(default_models[self.media], self.media)
            description = description.replace(DEFAULT_MODEL, default)

        async def call(arguments: dict[str, Any], ctx: "Context[App]") -> Answer:
            request = ctx.request_context
            app = request.lifespan_context
            try:
                args = self.arguments.parse(
                    arguments,
                    service_url=app.media.service_url,
                    picture_folders=app.media.folders,
                    now=app.clock(),
                )
                answer = await self.handler(args, ctx)
            except GeekAIVideoError as exc:
                answer = CallToolResult(content=[TextContent(text=exc.message)], is_error=True)
            if isinstance(answer, CallToolResult):
                answer = with_notice(answer, app.notice)
            return _drop_unsupported_links(answer, request.protocol_version)

        return Tool(
            fn=call,
            name=self.name,
            title=self.title,
            description=description,
            is_async=True,
            context_kwarg="ctx",
            parameters=compact_schema(self.arguments, mode="validation"),
            annotations=self.annotations,
            meta=_ALWAYS_LOAD if self.always_load else None,
            fn_metadata=FuncMetadata(
                arg_model=_PassThroughArgs,
                # No model: it would validate again what the handler has made as one.
                output_schema=self.result
                and published_schema(self.result, self.result.published_fields),
            ),
        )


def app_of(ctx: "Context[App]") -> App:
    """The `App` of the server that handles this call."""
    return ctx.request_context.lifespan_context


RECEIVED_AT: Final[ContextVar[float]] = ContextVar("RECEIVED_AT")
"""When the request that is being handled was received; `late_app` sets it."""


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
