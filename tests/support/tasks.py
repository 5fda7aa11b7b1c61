"""A client of the Tasks extension, made of what the SDK's own client offers for extensions."""

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
    """A task in place of a tool's result."""

    model_config = ConfigDict(extra="allow")

    result_type: Literal["task"] = Field(alias="resultType")
    task_id: str = Field(alias="taskId")
    status: str
    poll_interval_ms: int = Field(alias="pollIntervalMs")


class Told(BaseModel):
    """A result, or a notification's parameters, as they came."""

    model_config = ConfigDict(extra="allow")


class TaskRequest(Request[dict[str, Any], str]):
    """Any request about a task."""

    name_param = "taskId"


class Listening(Request[dict[str, Any], str]):
    """`subscriptions/listen` for tasks, which the SDK's own driver cannot ask for."""

    method: str = "subscriptions/listen"


async def ask(session: ClientSession, method: str, **params: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The result of one request about a task, as it came."""
    told = await session.send_request(TaskRequest(method=method, params=params), Told)
    return told.model_dump()


@asynccontextmanager
async def listening(client: Client, *task_ids: object) -> AsyncGenerator[None]:
    """Listen to tasks while the block lasts; what is heard reaches the client's extension."""
    request = Listening(params={"notifications": {"taskIds": task_ids}})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(client.session.send_request, request, Told))
        yield
        tasks.cancel_scope.cancel()


@dataclass
class Tasks(ClientExtension):
    """Declares the extension, polls by the book, and keeps what it was told."""

    identifier = IDENTIFIER
    seen: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    told: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Created, resolve=self._finish)]

    def notifications(self) -> Sequence[NotificationBinding[Any]]:
        return [
            NotificationBinding(method="notifications/tasks", params_type=Told, handler=self._hear)
        ]

    async def _finish(self, created: Created, ctx: ClaimContext) -> CallToolResult:
        self.seen.append(created.model_dump(by_alias=True, mode="json"))
        wait = created.poll_interval_ms
        while True:
            await anyio.sleep(wait / 1000)
            task = await ask(ctx.session, "tasks/get", taskId=created.task_id)
            self.seen.append(task)
            if task["status"] == "completed":
                return CallToolResult.model_validate(task["result"], by_name=False)
            wait = task["pollIntervalMs"]

    async def _hear(self, told: Told) -> None:
        self.told.append(told.model_dump())


async def created(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The task that a call gives to a client of the extension, without waiting for it."""
    result = await client.session.call_tool(tool, arguments, allow_claimed=True)
    assert isinstance(result, Created), result
    return result.model_dump(by_alias=True, mode="json")
