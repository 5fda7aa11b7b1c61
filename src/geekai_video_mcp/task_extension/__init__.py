"""MCP's Tasks extension (SEP-2663) over the ledger: another way to the same tasks.

A client that declares `io.modelcontextprotocol/tasks` on a call gets a task in place of an
answer that would send it to get_video_task, and no other client ever does. The MCP task's id
is our task_id, so it outlives this process and any other finds it. The specification is the
draft in ext-tasks, read 2026-11-24.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    RequestParams,
)
from mcp_types.jsonrpc import HEADER_MISMATCH
from pydantic import Field
from starlette.requests import Request

from geekai_video_mcp import tools
from geekai_video_mcp.errors import GeekAIVideoError, TaskNotFound
from geekai_video_mcp.lifecycle import Task
from geekai_video_mcp.task_extension.handles import (
    IDENTIFIER,
    PROTOCOL_VERSIONS,
    TASK_TOOLS,
    Ctx,
    build_detailed_payload,
    task_payload,
)
from geekai_video_mcp.task_extension.listening import task_notifications

__all__ = ["IDENTIFIER", "TasksExtension", "task_notifications"]


class TaskParams(RequestParams):
    """What every request about a task brings."""

    task_id: str = Field(alias="taskId")


class UpdateParams(TaskParams):
    """Answers to questions; a task of ours asks none while it is under way."""

    input_responses: dict[str, Any] = Field(alias="inputResponses")


class TasksExtension(Extension):
    """The requests about tasks, and the calls of tools that are answered with one."""

    identifier = IDENTIFIER

    def methods(self) -> Sequence[MethodBinding]:
        return [
            MethodBinding("tasks/get", TaskParams, _handle_get, PROTOCOL_VERSIONS),
            MethodBinding("tasks/update", UpdateParams, _acknowledge, PROTOCOL_VERSIONS),
            MethodBinding("tasks/cancel", TaskParams, _acknowledge, PROTOCOL_VERSIONS),
        ]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: Ctx, call_next: CallNext
    ) -> HandlerResult:
        """The tool's result; a task in its place where the result would be to wait for it."""
        result, app = await call_next(ctx), ctx.lifespan_context
        if (
            params.name not in TASK_TOOLS
            or not isinstance(result, CallToolResult)
            or not _declares_extension(ctx)
        ):
            return result
        # Whatever fails now, the task is under way: then the result itself has its id.
        with suppress(GeekAIVideoError):
            content: dict[str, Any] = result.structured_content or {}
            task = await app.engine.get_local(content.get("task_id", ""))
            if not task.settled:
                return {"resultType": "task", **task_payload(task, app)}
        return result


def _declares_extension(ctx: Ctx) -> bool:
    """Whether this very request declares the extension."""
    capabilities = ctx.session.client_capabilities
    extensions = (capabilities and capabilities.extensions) or {}
    return ctx.protocol_version in PROTOCOL_VERSIONS and IDENTIFIER in extensions


async def _handle_get(ctx: Ctx, params: TaskParams) -> HandlerResult:
    app, task = ctx.lifespan_context, await _require_task(ctx, params)
    await tools.mark_delivered(app, task)
    return await build_detailed_payload(task, app)


async def _acknowledge(ctx: Ctx, params: TaskParams) -> HandlerResult:
    """Nothing can be stopped and nothing was asked: the empty answer that is owed."""
    await _require_task(ctx, params)
    return {}


async def _require_task(ctx: Ctx, params: TaskParams) -> Task:
    require_client_extension(ctx, IDENTIFIER)
    _check_name_header(ctx, params.task_id)
    try:
        return await ctx.lifespan_context.engine.get_local(params.task_id)
    except TaskNotFound as exc:
        raise MCPError(INVALID_PARAMS, exc.message) from exc
    except GeekAIVideoError as exc:
        raise MCPError(INTERNAL_ERROR, exc.message) from exc


def _check_name_header(ctx: Ctx, task_id: str) -> None:
    """Refuse what was routed by another task's name; the SDK checks its own methods alone.

    A client that gives no name is served: any process on the same ledger can answer.
    """
    request: object = ctx.request
    name = request.headers.get(MCP_NAME_HEADER) if isinstance(request, Request) else None
    if name is not None and decode_header_value(name) != task_id:
        raise MCPError(HEADER_MISMATCH, f"{MCP_NAME_HEADER} is not the request's taskId")
