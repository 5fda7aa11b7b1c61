"""GEEKAI_CONFIRM, from the environment to the wire."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.process import new_server

NOWHERE = {"GEEKAI_API_KEY": "sk-any", "GEEKAI_BASE_URL": "http://127.0.0.1:9/api/v1"}
"""A service that nobody is: port 9 throws everything away, where anything is there at all."""


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("declared", "asks"),
    [
        pytest.param({}, False, id="no elicitation"),
        pytest.param({"elicitation": {"url": {}}}, False, id="links alone"),
        pytest.param({"elicitation": {}}, True, id="forms, as before there were links"),
        pytest.param({"elicitation": {"form": {}, "url": {}}}, True, id="both"),
    ],
)
async def test_only_a_client_that_shows_forms_is_asked_to_ask(
    tmp_path: Path, declared: dict[str, Any], *, asks: bool
) -> None:
    envelope = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "line", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": declared,
    }
    made = {"name": "generate_video", "arguments": {"prompt": "a fox"}, "_meta": envelope}
    async with new_server(tmp_path, GEEKAI_CONFIRM="always", **NOWHERE) as server:
        answer = (await server.request("tools/call", **made))["result"]

    assert answer["resultType"] == ("input_required" if asks else "complete")
    if asks:
        (input_request,) = answer["inputRequests"].values()
        assert input_request["method"] == "elicitation/create"
        form = input_request["params"]["requestedSchema"]
        assert form["required"] == ["approve"]
        assert form["properties"]["approve"]["type"] == "boolean"
        assert " " not in answer["requestState"]  # sealed: what we gave has one
    else:
        assert answer["isError"]
        assert "GEEKAI_CONFIRM=always" in answer["content"][0]["text"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("content", [{}, {"approve": "true"}])
async def test_a_host_that_accepts_the_form_by_itself_buys_nothing(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    async with new_server(tmp_path, GEEKAI_CONFIRM="always", **NOWHERE) as server:
        await server.request(
            "initialize",
            protocolVersion="2025-06-18",
            capabilities={"elicitation": {}},
            clientInfo={"name": "line", "version": "1"},
        )
        await server.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
        made = {"name": "generate_video", "arguments": {"prompt": "a fox"}}
        message = {"jsonrpc": "2.0", "id": "made", "method": "tools/call", "params": made}
        await server.send(json.dumps(message).encode())
        asked = await server.receive()
        reply = {"action": "accept", "content": content}
        message = {"jsonrpc": "2.0", "id": asked["id"], "result": reply}
        await server.send(json.dumps(message).encode())
        answer = (await server.receive())["result"]

    assert asked["method"] == "elicitation/create"
    assert asked["params"]["requestedSchema"]["required"] == ["approve"]
    assert answer["isError"]
    assert "The user or their client declined." in answer["content"][0]["text"]


async def test_a_policy_that_is_none_keeps_the_server_from_starting(tmp_path: Path) -> None:
    async with new_server(tmp_path, GEEKAI_CONFIRM="sometimes") as server:
        status = await server.process.wait()

    assert status == 2
    assert "GEEKAI_CONFIRM" in (tmp_path / "stderr.log").read_text("utf-8")
