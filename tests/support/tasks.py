"""A client of the Tasks extension, built with the SDK client's own means for extensions."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import anyio
from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, NotificationBinding, ResultClaim
from mcp.client.session import ClientSession
from mcp_types import CallToolResult, Request, Result
from pydantic import BaseModel, ConfigDict, Field

IDENTIFIER = "io.modelcontextprotocol/tasks"


class Created(Result):
    """The task that a call returns in place of a tool's result."""

    model_config = ConfigDict(extra="allow")

    result_type: Literal["task"] = Field(alias="resultType")
    task_id: str = Field(alias="taskId")
    status: str
    poll_interval_ms: int = Field(alias="pollIntervalMs")


class Payload(BaseModel):
    """A result, or the parameters of a notification, unparsed."""

    model_config = ConfigDict(extra="allow")


class TaskRequest(Request[dict[str, Any], str]):
    """Any request about a task."""

    name_param = "taskId"


class ListenRequest(Request[dict[str, Any], str]):
    """`subscriptions/listen` for tasks, which the SDK's own driver cannot send."""

    method: str = "subscriptions/listen"


async def request_task(session: ClientSession, method: str, **params: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Send one request about a task; returns its result unparsed."""
    result = await session.send_request(TaskRequest(method=method, params=params), Payload)
    return result.model_dump()


@asynccontextmanager
async def listening(client: Client, *task_ids: object) -> AsyncGenerator[None]:
    """Subscribe to tasks while the block lasts; notifications reach the client's extension."""
    request = ListenRequest(params={"notifications": {"taskIds": task_ids}})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(client.session.send_request, request, Payload))
        yield
        tasks.cancel_scope.cancel()


@dataclass
class Tasks(ClientExtension):
    """Declares the extension, polls as specified, and keeps results and notifications."""

    identifier = IDENTIFIER
    results: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    received: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Created, resolve=self._poll_until_completed)]

    def notifications(self) -> Sequence[NotificationBinding[Any]]:
        return [
            NotificationBinding(
                method="notifications/tasks", params_type=Payload, handler=self._record
            )
        ]

    async def _poll_until_completed(self, created: Created, ctx: ClaimContext) -> CallToolResult:
        self.results.append(created.model_dump(by_alias=True, mode="json"))
        wait = created.poll_interval_ms
        while True:
            await anyio.sleep(wait / 1000)
            task = await request_task(ctx.session, "tasks/get", taskId=created.task_id)
            self.results.append(task)
            if task["status"] == "completed":
                return CallToolResult.model_validate(task["result"], by_name=False)
            wait = task["pollIntervalMs"]

    async def _record(self, notification: Payload) -> None:
        self.received.append(notification.model_dump())


async def create_task(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Call a tool as a client of the extension; returns the task without waiting for it."""
    result = await client.session.call_tool(tool, arguments, allow_claimed=True)
    assert isinstance(result, Created), result
    return result.model_dump(by_alias=True, mode="json")
