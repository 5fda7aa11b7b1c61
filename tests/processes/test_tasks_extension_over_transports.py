"""The Tasks extension as bytes: over a pipe, over HTTP, and by a client that is not the SDK."""

import json
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from mcp import Client

from support.process import SERVE, SMALL, StdioServer, http_server, new_server
from support.tasks import IDENTIFIER, Tasks
from support.world import call, structured

ENVELOPE: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "line", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"extensions": {IDENTIFIER: {}}},
}
STREAM = "io.modelcontextprotocol/subscriptionId"


async def make(server: StdioServer, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    params = {"name": "generate_video", "arguments": arguments, "_meta": ENVELOPE}
    return (await server.request("tools/call", **params))["result"]


@pytest.mark.exhaustive
async def test_a_subscriber_first_learns_which_tasks_it_is_subscribed_to(tmp_path: Path) -> None:
    async with new_server(tmp_path) as server:
        task_id = (await make(server, prompt="a fox", **SMALL))["taskId"]
        wanted = {"taskIds": [task_id, "none"], "toolsListChanged": True}
        listen = {"_meta": ENVELOPE, "notifications": wanted}
        message = {"jsonrpc": "2.0", "id": 77, "method": "subscriptions/listen", "params": listen}
        await server.send(json.dumps(message).encode())
        first = await server.receive()
        messages = [await server.receive()]
        while messages[-1]["params"]["status"] != "completed":
            messages.append(await server.receive())
        await server.close()
        rest = b"".join([chunk async for chunk in server.reader])

    assert first["method"] == "notifications/subscriptions/acknowledged"
    assert first["params"]["notifications"] == {"taskIds": [task_id], "toolsListChanged": True}
    assert first["params"]["_meta"][STREAM] == 77
    assert {news["method"] for news in messages} == {"notifications/tasks"}
    assert {news["params"]["_meta"][STREAM] for news in messages} == {77}
    assert messages[0]["params"]["status"] == "working"
    assert messages[0]["params"]["ttlMs"] is None
    assert "Nothing was charged." in messages[0]["params"]["statusMessage"]
    result = messages[-1]["params"]["result"]
    assert [block["type"] for block in result["content"]] == ["text", "resource_link", "image"]
    assert {json.loads(message)["id"] for message in rest.splitlines()} <= {77}
    assert (tmp_path / "stderr.log").read_text("utf-8") == ""


@pytest.mark.exhaustive
async def test_the_sdks_client_makes_a_video_as_a_task_over_http(tmp_path: Path) -> None:
    """With its own names in its own headers, and its own check of the result's schema."""
    async with (
        http_server(tmp_path, *SERVE) as origin,
        Client(f"{origin}/mcp", extensions=[Tasks()]) as client,
    ):
        (schema,) = [
            tool.output_schema
            for tool in (await client.list_tools()).tools
            if tool.name == "generate_video"
        ]
        done = await call(client, "generate_video", prompt="a fox", **SMALL)

    assert structured(done)["task_status"] == "succeed"
    assert [block.type for block in done.content] == ["text", "resource_link", "image"]
    assert schema
    jsonschema.validate(structured(done), schema)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("{}", 200, None), (None, 200, None), ("another", 400, -32020)],
    ids=["its own name", "no name", "another name"],
)
async def test_a_request_routed_by_another_tasks_name_is_refused(
    tmp_path: Path, name: str | None, status: int, code: int | None
) -> None:
    async with (
        http_server(tmp_path, *SERVE) as origin,
        httpx.AsyncClient() as client,
    ):

        async def post(method: str, routed: str | None, **params: Any) -> httpx.Response:  # noqa: ANN401 - JSON
            headers = {
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": "2026-07-28",
                "Mcp-Method": method,
            }
            body = {"jsonrpc": "2.0", "id": 1, "method": method}
            return await client.post(
                f"{origin}/mcp",
                json={**body, "params": {**params, "_meta": ENVELOPE}},
                headers={**headers, **({"Mcp-Name": routed} if routed else {})},
            )

        arguments = {"name": "generate_video", "arguments": {"prompt": "a fox", **SMALL}}
        task_id = (await post("tools/call", "generate_video", **arguments)).json()["result"][
            "taskId"
        ]
        found = await post("tasks/get", name and name.format(task_id), taskId=task_id)

    assert found.status_code == status
    assert found.json().get("error", {}).get("code") == code
