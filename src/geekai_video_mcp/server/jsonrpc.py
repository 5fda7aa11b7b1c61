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
MAX_SEPARATORS: Final = 100_000
"""Commas and opening brackets of one message, outside its texts. Each may be a value, which
takes a hundred bytes of memory: 24 MB of them would take gigabytes, and block for seconds."""
MAX_KEPT_BYTES: Final = 65_536
"""Bytes of a message that is kept as long as its session or its stream lasts."""
LISTEN: Final = "subscriptions/listen"
ENDLESS_METHODS: Final = frozenset({LISTEN})
"""Requests whose response lasts as long as their client stays."""
KEPT_METHODS: Final = frozenset({"initialize", LISTEN})
"""What a client says of itself, and what it subscribes to."""

TOO_LONG: Final = f"A message may have at most {MAX_MESSAGE_BYTES // 10**6} MB"

_SURROGATE: Final = re.compile(
    rb"(?<!\\)((?:\\\\)*+)\\"
    rb"(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""The escape of a surrogate pair (the second group) or of a lone surrogate, after any number of
escaped backslashes."""
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
"""A string of JSON. Possessive, so that a broken one is not tried in every way."""
_LEADING_MEMBERS: Final = re.compile(
    rb'\s*\{(?:\s*"(?:jsonrpc|id|method)"\s*:\s*(?:"[\w./:-]{0,128}"|\d{1,15})\s*,){1,3}'
)
_LEADING_ID: Final = re.compile(rb'"id"\s*:\s*("[\w./:-]{0,128}"|\d{1,15})')


def replace_lone_surrogates(message: bytes) -> bytes:
    """*message* with every escaped lone surrogate replaced by U+FFFF, and no other change.

    No JSON parser accepts a lone surrogate. With the replacement the message can be parsed, and
    `inputs` refuses it with an error that names the argument. The length does not change.
    """
    surrogates = message.count(b"\\ud") + message.count(b"\\uD")
    if not 0 < surrogates <= MAX_SEPARATORS:  # no text that any argument takes has more
        return message
    return _SURROGATE.sub(
        lambda escape: escape[0] if escape[2] else escape[1] + b"\\uffff", message
    )


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
    if problem := _size_problem(message):
        raise InvalidMessage(_leading_id(message), INVALID_REQUEST, problem)
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
    method = fields.get("method")  # anything at all in a response, where it means nothing
    if len(message) > MAX_KEPT_BYTES and isinstance(method, str) and method in KEPT_METHODS:
        msg = f"{method} may have at most {MAX_KEPT_BYTES // 1024} KB"
        raise InvalidMessage(request_id, INVALID_REQUEST, msg)
    return fields


def _size_problem(message: bytes) -> str | None:
    """What is wrong with the length of a message, or with the number of its values."""
    if len(message) > MAX_MESSAGE_BYTES:
        return TOO_LONG
    if len(message) <= MAX_SEPARATORS or _has_few_values(message):
        return None
    return f"A message may have at most {MAX_SEPARATORS:,} values"


def _has_few_values(message: bytes) -> bool:
    """Whether *message* has at most `MAX_SEPARATORS`, and as many strings."""
    if _count_separators(message, 0, len(message)) <= MAX_SEPARATORS:
        return True
    separators = start = 0
    for number, text in enumerate(_STRING.finditer(message)):
        separators += _count_separators(message, start, text.start())
        start = text.end()
        if max(number, separators) > MAX_SEPARATORS:
            return False
    return separators + _count_separators(message, start, len(message)) <= MAX_SEPARATORS


def _count_separators(message: bytes, start: int, end: int) -> int:
    return sum(message.count(separator, start, end) for separator in (b",", b"[", b"{"))


def _leading_id(message: bytes) -> int | str | None:
    """The id of a message that is too large to be parsed, if it stands at its beginning.

    Without it the caller would wait for a response that it cannot recognise.
    """
    head = _LEADING_MEMBERS.match(message)
    found = _LEADING_ID.search(head[0]) if head else None
    return cast("int | str", pydantic_core.from_json(found[1])) if found else None


def error_response(request_id: int | str | None, code: int, message: str) -> dict[str, Any]:
    """A JSON-RPC error response; *request_id* is None if the id is unknown."""
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}
