"""The definition of a tool: its name, arguments, result and handler; and the SDK's tool from it.

Errors are turned into tool results here and nowhere else: a `GeekAIVideoError` becomes a result
with `isError`; any other exception is a bug, and the SDK withholds its text.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

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
from geekai_video_mcp.errors import GeekAIVideoError
from geekai_video_mcp.server.arguments import Arguments
from geekai_video_mcp.server.schema import compact_schema, published_schema
from geekai_video_mcp.server.views import ToolResult

A = TypeVar("A", bound=Arguments)
Answer = CallToolResult | InputRequiredResult
Handler = Callable[[A, "Context[App]"], Awaitable[Answer]]

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
    result: type[ToolResult]
    annotations: ToolAnnotations

    def build(self) -> Tool:
        """The SDK's tool: flat arguments and a typed result, published in compact schemas."""

        async def call(arguments: dict[str, Any], ctx: "Context[App]") -> Answer:
            try:
                media = app_of(ctx).media
                args = self.arguments.parse(
                    arguments, service_url=media.service_url, picture_folders=media.folders
                )
                return _drop_unsupported_links(await self.handler(args, ctx), ctx.protocol_version)
            except GeekAIVideoError as exc:
                return CallToolResult(content=[TextContent(text=exc.message)], is_error=True)

        return Tool(
            fn=call,
            name=self.name,
            title=self.title,
            description=self.description,
            is_async=True,
            context_kwarg="ctx",
            parameters=compact_schema(self.arguments, mode="validation"),
            annotations=self.annotations,
            fn_metadata=FuncMetadata(
                arg_model=_PassThroughArgs,
                output_model=self.result,
                output_schema=published_schema(self.result, self.result.published_fields),
            ),
        )


def app_of(ctx: "Context[App]") -> App:
    """The `App` of the server that handles this call."""
    return ctx.request_context.lifespan_context


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
