"""Validate JSON-RPC messages before the SDK reads them. Pure.

The SDK 2.3.0 drops a line that is not a message, treats a request with an invalid id as a
notification, and on SSE logs what it could not parse (read 2026-11-24). A caller would then
wait for a response that never comes, and a prompt would appear in a log.
"""

import re
from typing import Any, Final, cast

import pydantic_core
from mcp_types import INVALID_REQUEST, PARSE_ERROR, jsonrpc_message_adapter
from pydantic import ValidationError

MAX_MESSAGE_BYTES: Final = 24_000_000
"""Bytes of one message: enough for three images of the largest size that `inputs` accepts."""

TOO_LONG: Final = f"A message may have at most {MAX_MESSAGE_BYTES // 10**6} MB"

_ESCAPE: Final = re.compile(
    rb"\\(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""One JSON escape: a surrogate pair, a lone surrogate, or any other."""


def replace_lone_surrogates(message: bytes) -> bytes:
    """*message* with every escaped lone surrogate replaced by U+FFFF, and no other change.

    No JSON parser accepts a lone surrogate. With the replacement the message can be parsed, and
    `inputs` refuses it with an error that names the argument. The length does not change.
    """
    return _ESCAPE.sub(lambda escape: b"\\uffff" if escape[2] else escape[0], message)


class InvalidMessage(Exception):
    """Bytes that are not a valid message; `error` is the response to them."""

    def __init__(self, request_id: int | str | None, code: int, reason: str) -> None:
        super().__init__(reason)
        self.error = error_response(request_id, code, reason)


def validation_error(message: bytes) -> dict[str, Any] | None:
    """The error response to bytes that are not a valid message; None if they are one."""
    try:
        parse_message(message)
    except InvalidMessage as exc:
        return exc.error
    return None


def parse_message(message: bytes) -> dict[str, object]:
    """The members of a valid message.

    Raises:
        InvalidMessage: the bytes are not a message.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise InvalidMessage(None, INVALID_REQUEST, TOO_LONG)
    try:
        value: object = pydantic_core.from_json(message, cache_strings="none")
    except ValueError as exc:  # also if it is nested too deeply or is not UTF-8
        raise InvalidMessage(None, PARSE_ERROR, "Parse error: not valid JSON in UTF-8") from exc
    if not isinstance(value, dict):
        msg = "A message must be a single JSON object; batches are not supported"
        raise InvalidMessage(None, INVALID_REQUEST, msg)
    fields = cast("dict[str, object]", value)
    given_id = fields.get("id")
    request_id = (
        given_id if isinstance(given_id, int | str) and not isinstance(given_id, bool) else None
    )
    if "method" in fields and "id" in fields and request_id is None:
        raise InvalidMessage(None, INVALID_REQUEST, "id must be a string or an integer")
    try:
        jsonrpc_message_adapter.validate_python(fields, by_name=False)
    except ValidationError as exc:
        msg = "Not a valid JSON-RPC 2.0 message; params must be an object"
        raise InvalidMessage(request_id, INVALID_REQUEST, msg) from exc
    return fields


def error_response(request_id: int | str | None, code: int, message: str) -> dict[str, Any]:
    """A JSON-RPC error response; *request_id* is None if the id is unknown."""
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}
