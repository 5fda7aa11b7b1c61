"""MCP's Tasks extension (SEP-2663): a second way to access the tasks in the ledger.

If a client declares `io.modelcontextprotocol/tasks` on a call, and the result would ask it to
poll with get_video_task, it gets an MCP task instead. No other client gets one. The id of the
MCP task is our task_id, so it stays valid after this process has ended, and in every other
process. No state of its own may enter: all that it returns is read from the ledger. The
specification is the draft in ext-tasks, read 2026-11-24.
"""

from collections.abc import Sequence
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

from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.engine.exceptions import log_exception
from geekai_video_mcp.errors import GeekAIVideoError, TaskNotFound
from geekai_video_mcp.server import TASK_TOOLS, TASKS_EXTENSION
from geekai_video_mcp.server.file_places import error_for
from geekai_video_mcp.server.tasks_extension.payloads import (
    PROTOCOL_VERSIONS,
    Ctx,
    build_detailed_payload,
    task_payload,
)
from geekai_video_mcp.server.tasks_extension.subscriptions import task_notifications

__all__ = ["TasksExtension", "task_notifications"]


class TaskParams(RequestParams):
    """The parameters of every request about a task."""

    task_id: str = Field(alias="taskId")


class UpdateParams(TaskParams):
    """The parameters of `tasks/update`; our tasks in progress never request input."""

    input_responses: dict[str, Any] = Field(alias="inputResponses")


class TasksExtension(Extension):
    """The `tasks/*` requests, and the tool calls that return an MCP task."""

    identifier = TASKS_EXTENSION

    def methods(self) -> Sequence[MethodBinding]:
        return [
            MethodBinding("tasks/get", TaskParams, _handle_get, PROTOCOL_VERSIONS),
            MethodBinding("tasks/update", UpdateParams, _acknowledge, PROTOCOL_VERSIONS),
            MethodBinding("tasks/cancel", TaskParams, _acknowledge, PROTOCOL_VERSIONS),
        ]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: Ctx, call_next: CallNext
    ) -> HandlerResult:
        """Return the tool's result, or an MCP task in its place if the task is not finished."""
        result, app = await call_next(ctx), ctx.lifespan_context
        if (
            params.name not in TASK_TOOLS
            or not isinstance(result, CallToolResult)
            or not _declares_extension(ctx)
        ):
            return result
        # The task already exists: if reading it fails now, the result itself still has its id.
        try:
            content: dict[str, Any] = result.structured_content or {}
            task = await app.engine.get_local(content.get("task_id", ""))
            if not task.settled:
                warnings: list[str] = content.get("warnings", [])
                return {"resultType": "task", **task_payload(task, app, warnings=warnings)}
        except GeekAIVideoError:
            pass
        except Exception as exc:  # noqa: BLE001 - as said above
            log_exception(task_payload, exc)
        return result


def _declares_extension(ctx: Ctx) -> bool:
    """Whether this request declares the extension; other requests of the client do not count."""
    capabilities = ctx.session.client_capabilities
    extensions = (capabilities and capabilities.extensions) or {}
    return ctx.protocol_version in PROTOCOL_VERSIONS and TASKS_EXTENSION in extensions


async def _handle_get(ctx: Ctx, params: TaskParams) -> HandlerResult:
    task = await _require_task(ctx, params)
    await ctx.lifespan_context.engine.mark_delivered(task)
    return await build_detailed_payload(task, ctx)


async def _acknowledge(ctx: Ctx, params: TaskParams) -> HandlerResult:
    """Return the empty result that the specification requires.

    GeekAI cannot cancel a job, and our tasks never request input, so there is nothing to do.
    """
    await _require_task(ctx, params)
    return {}


async def _require_task(ctx: Ctx, params: TaskParams) -> Task:
    require_client_extension(ctx, TASKS_EXTENSION)
    _check_name_header(ctx, params.task_id)
    app = ctx.lifespan_context
    try:
        return await app.engine.get_local(params.task_id)
    except TaskNotFound as exc:
        raise MCPError(INVALID_PARAMS, exc.message) from exc
    except GeekAIVideoError as exc:
        raise MCPError(INTERNAL_ERROR, error_for(app, exc).message) from exc


def _check_name_header(ctx: Ctx, task_id: str) -> None:
    """Refuse a request whose routing header names another task.

    The SDK checks the header only for its own methods. A request without the header is served:
    every process with the same ledger can do so.
    """
    request: object = ctx.request
    name = request.headers.get(MCP_NAME_HEADER) if isinstance(request, Request) else None
    if name is not None and decode_header_value(name) != task_id:
        msg = f"The {MCP_NAME_HEADER} header does not match the taskId of the request"
        raise MCPError(HEADER_MISMATCH, msg)
