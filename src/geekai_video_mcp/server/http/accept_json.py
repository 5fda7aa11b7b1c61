"""Responses to clients that take no event stream: `Accept: application/json` alone, or no Accept.

The SDK answers a POST with 406 unless both forms are accepted. A POST has one response, so that it
can be given as JSON; progress, which comes before it in a stream, is left out.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, cast

from mcp_types import INTERNAL_ERROR, METHOD_NOT_FOUND
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geekai_video_mcp.server.http.messages import (
    MCP_PATH,
    SESSION_HEADER,
    read_body,
    replace_headers,
    replay_body,
    send_own_request,
)
from geekai_video_mcp.server.http.refusals import build_rpc_refusal
from geekai_video_mcp.server.jsonrpc import LISTEN, MAX_MESSAGE_BYTES, error_response

_BOTH: Final = "application/json, text/event-stream"
_JSON: Final = frozenset({"application/json", "application/*", "*/*"})
_EVENTS: Final = frozenset({"text/event-stream", "text/*", "*/*"})
_REFUSED: Final = re.compile(r"q=0(\.0{0,3})?")
_OF_A_STREAM: Final = frozenset(
    {b"cache-control", b"connection", b"content-type", b"transfer-encoding", b"x-accel-buffering"}
)
"""Headers that say how a stream is passed on."""


class AcceptJson:
    """Sends the response to a POST in a form that its sender accepts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != MCP_PATH:
            await self._app(scope, receive, send)
            return
        accepted = _accepted_types(Headers(scope=scope))
        takes_json = not accepted.isdisjoint(_JSON)
        takes_events = not accepted.isdisjoint(_EVENTS)
        if takes_json or takes_events:
            scope = replace_headers(scope, {"accept": _BOTH})
        if takes_json and not takes_events:
            await self._respond_as_json(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _respond_as_json(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive, max_bytes=MAX_MESSAGE_BYTES)
        if body is None:
            return
        request = _parse_object(body)
        if request.get("method") == LISTEN:
            msg = (
                f"{LISTEN} is answered by an event stream: send the header Accept:"
                " application/json, text/event-stream"
            )
            refusal = build_rpc_refusal(406, message=msg, request_id=request.get("id"))
            await refusal(scope, receive, send)
            return
        stream = _StreamToJson(self._app, scope, send)
        await self._app(scope, replay_body(body, receive), stream.send_from_app)
        await stream.finish(request.get("id"))


class _StreamToJson:
    """Passes on what the application sends; of an event stream, only the response in it."""

    def __init__(self, app: ASGIApp, scope: Scope, send: Send) -> None:
        self._app = app
        self._scope = scope
        self._send = send
        self._start: Message | None = None
        """The start of an event stream; None if the response is none."""
        self._pending = b""
        self._responded = False

    async def send_from_app(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _starts_events(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        elif message["type"] == "http.response.body" and not self._responded:
            self._pending = (self._pending + message.get("body", b"")).replace(b"\r\n", b"\n")
            *events, self._pending = self._pending.split(b"\n\n")
            for event in events:
                await self._handle_event(_event_data(event), self._start)

    async def finish(self, request_id: int | str | None) -> None:
        """Respond with an error if the stream has ended without a response."""
        if self._start is not None and not self._responded:
            msg = "The session ended before the response: open a new one and look at your tasks"
            error = error_response(request_id, INTERNAL_ERROR, msg)
            await self._respond(json.dumps(error).encode(), self._start)

    async def _handle_event(self, data: bytes, start: Message) -> None:
        message = _parse_object(data)
        if "method" in message:
            if "id" in message:
                await self._decline_request(message, start)
        elif message and not self._responded:
            await self._respond(data, start)

    async def _respond(self, body: bytes, start: Message) -> None:
        self._responded = True
        kept = [each for each in start["headers"] if each[0].lower() not in _OF_A_STREAM]
        length = str(len(body)).encode()
        headers = [*kept, (b"content-type", b"application/json"), (b"content-length", length)]
        await self._send({**start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def _decline_request(self, request: Mapping[str, Any], start: Message) -> None:
        """Respond to a request that the client cannot receive, so that nothing waits for it."""
        response: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        if request["method"] == "elicitation/create":
            response["result"] = {"action": "cancel"}
        else:
            msg = "This client takes no event stream, and so no requests"
            response = error_response(request["id"], METHOD_NOT_FOUND, msg)
        body = json.dumps(response).encode()
        headers = {"content-length": str(len(body))}
        if (session_id := Headers(raw=start["headers"]).get(SESSION_HEADER)) is not None:
            headers[SESSION_HEADER] = session_id
        await send_own_request(self._app, replace_headers(self._scope, headers), body=body)


def _accepted_types(headers: Headers) -> set[str]:
    """The media types of the Accept headers, without those that are refused by `q=0`."""
    accepted: set[str] = set()
    text = ",".join(headers.getlist("accept")).lower()
    for entry in (text if text.strip(" ,") else "application/json").split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        if kind and not any(_REFUSED.fullmatch(each) for each in parameters):
            accepted.add(kind)
    return accepted


def _starts_events(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type", "").startswith("text/event-stream")


def _event_data(event: bytes) -> bytes:
    lines = (line for line in event.split(b"\n") if line.startswith(b"data:"))
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)


def _parse_object(text: bytes) -> dict[str, Any]:
    """The JSON object; an empty one for anything else."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
