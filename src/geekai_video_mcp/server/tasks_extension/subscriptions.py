"""`notifications/tasks` on the streams of `subscriptions/listen`.

The SDK's bus carries only the SDK's own notifications, and its acknowledgement contains no task
ids. So this module sends both on the same stream: the SDK's handler serves the request as usual,
and its acknowledgement passes through `_AcknowledgingSession`, which adds the task ids.
"""

import math
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any, Final, cast

import anyio
from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult
from mcp.server.mcpserver import require_client_extension
from mcp.server.session import ServerSession
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp_types import (
    INVALID_PARAMS,
    Notification,
    RequestId,
    ServerNotification,
    SubscriptionsAcknowledgedNotification,
)
from pydantic import ValidationError

from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.errors import GeekAIVideoError
from geekai_video_mcp.server import TASKS_EXTENSION
from geekai_video_mcp.server.tasks_extension.payloads import (
    PROTOCOL_VERSIONS,
    Ctx,
    build_detailed_payload,
)

MAX_SUBSCRIBED_TASKS: Final = 100
"""Tasks of one subscription: each of them is followed by a task of the event loop."""
RETRY_DELAY: Final = 5.0
"""Seconds until a task is read again after the ledger could not be read."""


class TaskNotification(Notification[dict[str, Any], str]):
    """The state of one task."""

    method: str = "notifications/tasks"


async def task_notifications(ctx: Ctx, call_next: CallNext) -> HandlerResult:
    """Middleware of `subscriptions/listen`: notifies the client of the tasks in `taskIds`."""
    if ctx.protocol_version not in PROTOCOL_VERSIONS:
        return await call_next(ctx)
    if not (requested := _parse_task_ids(ctx.params)):
        return await call_next(ctx)
    require_client_extension(ctx, TASKS_EXTENSION)
    session = _AcknowledgingSession(
        ctx.session, [task_id for task_id in requested if await _is_known(ctx, task_id)]
    )
    # The SDK's handler uses the session only to send notifications.
    acknowledging = replace(ctx, session=cast("ServerSession", session))
    result: HandlerResult | MCPError | ValidationError = None
    async with anyio.create_task_group() as notifiers:
        for task_id in session.task_ids:
            notifiers.start_soon(_notify_changes, ctx, session, task_id)
        try:
            result = await call_next(acknowledging)
        except (MCPError, ValidationError) as exc:  # raised below: the task group would wrap it
            result = exc
        notifiers.cancel_scope.cancel()
    if isinstance(result, MCPError | ValidationError):
        raise result
    return result


def _parse_task_ids(params: Any) -> list[str]:  # noqa: ANN401 - not validated yet
    """The requested task ids, without duplicates."""
    try:
        ids = params["notifications"]["taskIds"]
    except (KeyError, TypeError):
        return []
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in cast("Any", ids)):
        raise MCPError(INVALID_PARAMS, "taskIds must be a list of task ids")
    return list(dict.fromkeys(cast("list[str]", ids)))[:MAX_SUBSCRIBED_TASKS]


async def _is_known(ctx: Ctx, task_id: str) -> bool:
    with suppress(GeekAIVideoError):
        await ctx.lifespan_context.engine.get_local(task_id)
        return True
    return False


class _AcknowledgingSession:
    """The session of a subscription, with the accepted task ids in its acknowledgement."""

    def __init__(self, session: ServerSession, task_ids: list[str]) -> None:
        self._session = session
        self.task_ids = task_ids
        self.acknowledged = anyio.Event()

    async def send_notification(
        self, notification: ServerNotification, related_request_id: RequestId | None = None
    ) -> None:
        if isinstance(notification, SubscriptionsAcknowledgedNotification):
            accepted = notification.params.notifications
            notification.params.notifications = accepted.model_copy(
                update={"taskIds": self.task_ids}
            )
        await self._session.send_notification(notification, related_request_id)
        # The acknowledgement is the first message on the stream, whatever its type in the SDK.
        self.acknowledged.set()


async def _notify_changes(ctx: Ctx, session: _AcknowledgingSession, task_id: str) -> None:
    """Send the state of the task now, at each change of its status, and at its end."""
    app, notified = ctx.lifespan_context, set[tuple[Status, bool]]()
    await session.acknowledged.wait()
    while True:
        # From the ledger, because another process may be the one that polls GeekAI.
        with suppress(GeekAIVideoError):
            known = await app.engine.get_local(task_id)
            async with aclosing(app.engine.follow(known, wait_seconds=math.inf)) as states:
                async for (task,) in states:
                    if (state := (task.status, task.settled)) not in notified:
                        notified.add(state)
                        await _send_notification(ctx, task)
            return
        await anyio.sleep(RETRY_DELAY)


async def _send_notification(ctx: Ctx, task: Task) -> None:
    meta = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}
    params = {**await build_detailed_payload(task, ctx), "_meta": meta}
    notification = TaskNotification(params=params)
    # The type allows only the SDK's own notifications; it sends any other unchanged.
    await ctx.session.send_notification(cast("ServerNotification", notification), ctx.request_id)
    await ctx.lifespan_context.engine.mark_delivered(task)
