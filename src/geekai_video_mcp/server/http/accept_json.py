"""Answers clients that take no event stream: `Accept: application/json` alone, or no Accept.

The SDK answers a POST with 406 unless both forms are accepted. A POST has one response, so that it
can be given as JSON; progress, which comes before it in a stream, is left out.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, cast

import anyio
from mcp_types import INTERNAL_ERROR, METHOD_NOT_FOUND
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geekai_video_mcp.server.http.refusals import build_rpc_refusal
from geekai_video_mcp.server.jsonrpc import LISTEN, error_response

_BOTH: Final = b"application/json, text/event-stream"
_JSON: Final = frozenset({"application/json", "application/*", "*/*"})
_EVENTS: Final = frozenset({"text/event-stream", "text/*", "*/*"})
_REFUSED: Final = re.compile(r"q=0(\.0{0,3})?")
_OF_A_STREAM: Final = frozenset(
    {b"cache-control", b"connection", b"content-type", b"transfer-encoding", b"x-accel-buffering"}
)
"""Headers that say how a stream is passed on."""


class AcceptJson:
    """Gives the response to a POST in a form that its sender accepts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != "/mcp":
            await self._app(scope, receive, send)
            return
        accepted = _accepted_types(Headers(scope=scope))
        takes_json = not accepted.isdisjoint(_JSON)
        takes_events = not accepted.isdisjoint(_EVENTS)
        if takes_json or takes_events:
            scope = _with_headers(scope, accept=_BOTH)
        if takes_json and not takes_events:
            await self._answer_as_json(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer_as_json(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
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
        await self._app(scope, _replay(body, receive), stream.receive_from_app)
        await stream.finish(request.get("id"))


class _StreamToJson:
    """Takes what the application sends, and sends on the response that an event stream holds."""

    def __init__(self, app: ASGIApp, scope: Scope, send: Send) -> None:
        self._app = app
        self._scope = scope
        self._send = send
        self._start: Message | None = None
        """The beginning of an event stream; None if the response is none."""
        self._pending = b""
        self._answered = False

    async def receive_from_app(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_stream(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        elif message["type"] == "http.response.body" and not self._answered:
            self._pending = (self._pending + message.get("body", b"")).replace(b"\r\n", b"\n")
            *events, self._pending = self._pending.split(b"\n\n")
            for event in events:
                await self._take(_event_data(event))

    async def finish(self, request_id: int | str | None) -> None:
        """Answer for a stream that has ended without a response."""
        if self._start is not None and not self._answered:
            msg = "The session ended before the response: open a new one and look at your tasks"
            answer = error_response(request_id, INTERNAL_ERROR, msg)
            await self._respond(self._start, json.dumps(answer).encode())

    async def _take(self, data: bytes) -> None:
        message = _parse_object(data)
        if "method" in message:
            if "id" in message:
                await self._decline(message)
        elif self._start is not None and message and not self._answered:
            await self._respond(self._start, data)

    async def _respond(self, start: Message, body: bytes) -> None:
        self._answered = True
        kept = [each for each in start["headers"] if each[0].lower() not in _OF_A_STREAM]
        length = str(len(body)).encode()
        headers = [*kept, (b"content-type", b"application/json"), (b"content-length", length)]
        await self._send({**start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def _decline(self, request: Mapping[str, Any]) -> None:
        """Answer a request to the client, which it cannot receive: nobody has to wait for it."""
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        if request["method"] == "elicitation/create":
            answer["result"] = {"action": "cancel"}
        else:
            msg = "This client takes no event stream, and so no requests"
            answer = error_response(request["id"], METHOD_NOT_FOUND, msg)
        body = json.dumps(answer).encode()
        session = dict(self._start["headers"] if self._start else []).get(b"mcp-session-id")
        scope = _with_headers(self._scope, content_length=str(len(body)).encode())
        if session is not None:
            scope = _with_headers(scope, mcp_session_id=session)
        await self._app(scope, _replay(body, _never), _drop)


def _accepted_types(headers: Headers) -> set[str]:
    """The media types of the Accept headers, without those that are refused by `q=0`."""
    accepted: set[str] = set()
    text = ",".join(headers.getlist("accept")).lower()
    for entry in (text if text.strip(" ,") else "application/json").split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        if kind and not any(_REFUSED.fullmatch(each) for each in parameters):
            accepted.add(kind)
    return accepted


def _with_headers(scope: Scope, **headers: bytes) -> Scope:
    """*scope* with these headers instead of those of the same names."""
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    others = [each for each in scope["headers"] if each[0] not in named]
    return {**scope, "headers": [*others, *named.items()]}


def _is_stream(start: Message) -> bool:
    kind = dict(start["headers"]).get(b"content-type", b"")
    return kind.startswith(b"text/event-stream")


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


async def _read_body(receive: Receive) -> bytes:
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """What gives the body as one message, and then what *receive* gives."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message


async def _never() -> Message:
    await anyio.sleep_forever()
    raise AssertionError


async def _drop(message: Message) -> None:
    del message
