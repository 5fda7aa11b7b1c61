"""Any of several servers on one PostgreSQL answers any request, behind nginx or without it."""

import json
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from support.postgres import needs_postgres
from support.process import http_client
from support.provider import HELD_PREFIX
from support.raw_http import KINDS, MODERN, Speaker, events
from support.replicas import behind_nginx, requests_of, running_replicas, trusting
from support.world import call, structured

pytestmark = needs_postgres


class Client:
    """A client of an earlier revision, whose every request reaches another server."""

    def __init__(self, http: httpx.AsyncClient, url: str, revision: str) -> None:
        self.http, self.url, self.revision = http, url, revision
        self.number = 0

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1
        message = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}
        async with self.http.stream(
            "POST", f"{self.url}/mcp", json=message, headers=self.headers
        ) as response:
            assert response.status_code == 200, await response.aread()
            async for text in events(response):
                answer = json.loads(text)
                if answer.get("id") == self.number:
                    return answer
        raise AssertionError

    @property
    def headers(self) -> dict[str, str]:
        accept = {"Accept": "application/json, text/event-stream"}
        return {**accept, "MCP-Protocol-Version": self.revision}


@pytest.mark.parametrize("revision", sorted(HANDSHAKE_PROTOCOL_VERSIONS))
async def test_a_client_of_an_earlier_revision_is_served_by_either(
    tmp_path: Path, revision: str
) -> None:
    async with running_replicas(tmp_path) as replicas:
        async with (
            behind_nginx(replicas, tmp_path) as (url, certificate),
            trusting(certificate) as http,
        ):
            http.headers.update(replicas.headers)
            client = Client(http, url, revision)
            hello = await client.ask(
                "initialize",
                protocolVersion=revision,
                capabilities={},
                clientInfo={"name": "raw", "version": "1"},
            )
            ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            accepted = await http.post(f"{url}/mcp", json=ready, headers=client.headers)
            tools = await client.ask("tools/list")
            made = await client.ask(
                "tools/call", name="generate_video", arguments={"prompt": "a fox"}
            )
            task_id = made["result"]["structuredContent"]["task_id"]
            done = await client.ask(
                "tools/call",
                name="get_video_task",
                arguments={"task_id": task_id, "wait_seconds": 30},
            )
            listed = await client.ask("resources/list")
            task = await client.ask("resources/read", uri=f"video://tasks/{task_id}")
            video = await client.ask("resources/read", uri=f"video://tasks/{task_id}/video")
            prompts = await client.ask("prompts/list")
            completed = await client.ask(
                "completion/complete",
                ref={"type": "ref/resource", "uri": "video://tasks/{task_id}"},
                argument={"name": "task_id", "value": task_id[:3]},
            )
            subscribed = await client.ask("resources/subscribe", uri=f"video://tasks/{task_id}")
            with anyio.fail_after(10):
                stream = await http.get(f"{url}/mcp", headers=client.headers)
                end = await http.delete(f"{url}/mcp", headers=client.headers)
        counts = requests_of(tmp_path)

    print(hello, subscribed, stream.text, end.text)
    assert hello["result"]["protocolVersion"] == revision
    assert accepted.status_code == 202
    assert len(tools["result"]["tools"]) > 5
    assert done["result"]["structuredContent"]["task_status"] == "succeed"
    assert listed["result"]["resources"]
    assert task["result"]["contents"]
    assert video["result"]["contents"][0]["blob"]
    assert prompts["result"]["prompts"]
    assert completed["result"]["completion"]["values"] == [task_id]
    assert not hello["result"]["capabilities"]["resources"].get("subscribe")
    assert subscribed["error"]["code"] == -32601
    assert (stream.status_code, stream.headers["Allow"]) == (405, "POST")
    assert "subscriptions/listen" in stream.json()["error_description"]
    assert end.status_code == 405
    assert len(counts) == 2
    assert max(counts.values()) - min(counts.values()) <= 1
    assert replicas.service.prompts == ["a fox"]
