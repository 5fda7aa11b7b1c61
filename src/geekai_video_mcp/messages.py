"""What makes bytes a JSON-RPC message, judged before the SDK reads them. Pure.

The SDK 2.3.0 drops a line that is no message, takes a request whose id is no id for a
notification, and on SSE logs what it could not read (read 2026-11-24). Then a caller waits
for an answer that never comes, and a prompt stands in a log.
"""

import re
from typing import Any, Final, cast

import pydantic_core
from mcp_types import INVALID_REQUEST, PARSE_ERROR, jsonrpc_message_adapter
from pydantic import ValidationError

MAX_MESSAGE_BYTES: Final = 24_000_000
"""Bytes of one message: two stills at the limit of `inputs`, and room for a third."""

_ESCAPE: Final = re.compile(
    rb"\\(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""One escape of JSON: a pair of surrogates, a surrogate alone, or any other."""


def replace_lone_surrogates(message: bytes) -> bytes:
    """*message* with every escaped half of a surrogate pair as U+FFFF; nothing else is touched.

    No reader takes half a pair. This way the message is read, and `inputs` refuses it in a
    sentence that names the argument. The length stays.
    """
    return _ESCAPE.sub(lambda escape: b"\\uffff" if escape[2] else escape[0], message)


def validation_error(message: bytes) -> dict[str, Any] | None:
    """The answer to what is no message; None for what is one."""
    if len(message) > MAX_MESSAGE_BYTES:
        return error_response(
            None, INVALID_REQUEST, f"A message has at most {MAX_MESSAGE_BYTES // 10**6} MB"
        )
    try:
        value: object = pydantic_core.from_json(message, cache_strings="none")
    except ValueError:  # too deep or not UTF-8, too
        return error_response(None, PARSE_ERROR, "Parse error: this is not JSON in UTF-8")
    if not isinstance(value, dict):
        return error_response(
            None, INVALID_REQUEST, "A message is one JSON object; batches are not taken"
        )
    fields = cast("dict[str, object]", value)
    given_id = fields.get("id")
    request_id = (
        given_id if isinstance(given_id, int | str) and not isinstance(given_id, bool) else None
    )
    if "method" in fields and "id" in fields and request_id is None:
        return error_response(None, INVALID_REQUEST, "An id is a string or an integer")
    try:
        jsonrpc_message_adapter.validate_python(fields, by_name=False)
    except ValidationError:
        msg = "This is no JSON-RPC 2.0 request, notification or response; params is an object"
        return error_response(request_id, INVALID_REQUEST, msg)
    return None


def error_response(request_id: int | str | None, code: int, message: str) -> dict[str, Any]:
    """A JSON-RPC error response; *request_id* is None where the id cannot be known."""
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}
