"""What a client accepts as a response to a POST: JSON alone, an event stream, both, or neither."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp_types.version import LATEST_PROTOCOL_VERSION

from support.process import SERVE, http_server

BOTH = "application/json, text/event-stream"
LEGACY = ["2025-03-26", "2025-06-18", "2025-11-25"]
NO_ACCEPT = ""

OFTEN = {"GEEKAI_MAX_CALLS_PER_MINUTE": "100000"}


@pytest.fixture(scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    folder = tmp_path_factory.mktemp("served")
    async with http_server(folder, *SERVE, **OFTEN) as origin:
        yield f"{origin}/mcp"


async def post(url: str, message: Mapping[str, Any], **headers: str) -> httpx.Response:
    """The response; without an Accept header where it is empty."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(timeout=30) as client:
        if given.get("Accept") == NO_ACCEPT:
            del client.headers["accept"]
            del given["Accept"]
        return await client.post(url, json=message, headers=given)


def hello(revision: str, **capabilities: object) -> dict[str, Any]:
    info = {"name": "x", "version": "1"}
    params = {"protocolVersion": revision, "capabilities": capabilities, "clientInfo": info}
    return {"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": params}


def modern(method: str, **params: object) -> tuple[dict[str, Any], dict[str, str]]:
    """A request of the newest revision, and its headers."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": LATEST_PROTOCOL_VERSION,
        "io.modelcontextprotocol/clientInfo": {"name": "x", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": {**params, "_meta": meta}}
    headers = {"MCP_Protocol_Version": LATEST_PROTOCOL_VERSION, "Mcp_Method": method}
    if "name" in params:
        headers["Mcp_Name"] = str(params["name"])
    return message, headers


FORMS = [
    ("application/json", "application/json"),
    ("Application/JSON; charset=utf-8", "application/json"),
    ("application/*", "application/json"),
    ("application/json, text/event-stream;q=0", "application/json"),
    ("application/json, text/html", "application/json"),
    (NO_ACCEPT, "application/json"),
    ("text/event-stream", "text/event-stream"),
    (BOTH, "text/event-stream"),
    ("*/*", "text/event-stream"),
]


@pytest.mark.parametrize("revision", LEGACY)
@pytest.mark.parametrize(("accept", "form"), FORMS)
async def test_an_older_session_is_answered_in_a_form_that_is_accepted(
    url: str, revision: str, accept: str, form: str
) -> None:
    opened = await post(url, hello(revision), Accept=accept)
    session = {"Mcp_Session_Id": opened.headers["mcp-session-id"], "Accept": accept}
    started = await post(url, {"jsonrpc": "2.0", "method": "notifications/initialized"}, **session)
    listed = await post(url, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, **session)
    call = {"name": "list_video_tasks", "arguments": {}, "_meta": {"progressToken": 1}}
    called = await post(
        url, {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": call}, **session
    )
    unknown = await post(url, {"jsonrpc": "2.0", "id": 4, "method": "nothing"}, **session)

    for answer in (opened, listed, called, unknown):
        assert answer.headers["content-type"].startswith(form)
    assert (opened.status_code, started.status_code, listed.status_code) == (200, 202, 200)
    assert message_of(opened)["result"]["protocolVersion"] == revision
    assert message_of(listed)["result"]["tools"]
    assert message_of(called)["id"] == 3
    assert message_of(called)["result"]["content"]
    assert message_of(unknown)["error"]["code"] == -32601


@pytest.mark.parametrize(("accept", "form"), FORMS)
async def test_the_newest_revision_is_answered_in_a_form_that_is_accepted(
    url: str, accept: str, form: str
) -> None:
    message, headers = modern("tools/call", name="list_video_tasks", arguments={})
    called = await post(url, message, Accept=accept, **headers)

    assert called.status_code == 200
    assert called.headers["content-type"].startswith((form, "application/json"))
    assert message_of(called)["id"] == 7
    assert message_of(called)["result"]["content"]


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/json;q=0"])
async def test_who_accepts_neither_is_told_406(url: str, accept: str) -> None:
    message, headers = modern("tools/list")
    older = await post(url, hello("2025-06-18"), Accept=accept)
    newest = await post(url, message, Accept=accept, **headers)

    assert (older.status_code, newest.status_code) == (406, 406)


async def test_a_subscription_needs_an_event_stream_and_says_so(url: str) -> None:
    message, headers = modern("subscriptions/listen", notifications={})
    refused = await post(url, message, Accept="application/json", **headers)

    assert refused.status_code == 406
    assert refused.json()["id"] == 7
    assert "text/event-stream" in refused.json()["error"]["message"]


async def test_a_client_that_cannot_be_asked_is_not_waited_for(tmp_path: Path) -> None:
    """The question goes into an event stream, which such a client does not take."""
    settings = {
        "GEEKAI_API_KEY": "sk-any",
        "GEEKAI_BASE_URL": "http://127.0.0.1:9/api/v1",
        "GEEKAI_CONFIRM": "always",
    }
    command = (*SERVE, "--no-token")
    async with http_server(tmp_path, *command, **settings) as origin:
        url = f"{origin}/mcp"
        opened = await post(url, hello("2025-06-18", elicitation={}), Accept="application/json")
        session = {
            "Mcp_Session_Id": opened.headers["mcp-session-id"],
            "Accept": "application/json",
        }
        await post(url, {"jsonrpc": "2.0", "method": "notifications/initialized"}, **session)
        call = {"name": "generate_video", "arguments": {"prompt": "a fox", "model": "veo3"}}
        refused = await post(
            url, {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": call}, **session
        )

    result = refused.json()["result"]
    assert result["isError"]
    assert "did not answer" in result["content"][0]["text"]
    assert "Nothing was charged." in result["content"][0]["text"]


def message_of(answer: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC message of a response, in whichever form it came."""
    if answer.headers["content-type"].startswith("application/json"):
        return answer.json()
    data = [line[5:] for line in answer.text.splitlines() if line.startswith("data:")]
    messages = [json.loads(each) for each in data if each.strip()]
    return next(each for each in messages if "method" not in each)
