"""What bytes are taken for a message, and what is answered to the others."""

import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import jsonrpc_message_adapter

from geekai_video_mcp.server.jsonrpc import (
    MAX_KEPT_BYTES,
    MAX_MESSAGE_BYTES,
    replace_lone_surrogates,
    validation_error,
)

IDS = st.integers() | st.text(st.characters(codec="utf-8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "message",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":"one","method":"tools/call","params":{"a":[]}}\r\n',
        b'{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"ping"}',
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
        b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"a":"' + b"x" * MAX_KEPT_BYTES + b'"},"method":["a"]}',
    ],
)
def test_messages_are_let_through(message: bytes) -> None:
    assert validation_error(message) is None


@pytest.mark.parametrize(
    ("message", "to", "code"),
    [
        (b"", None, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping"', None, -32700),
        (b"[" * 100_000, None, -32700),
        (b"[" * 100_001, None, -32600),
        (b'{"jsonrpc":"2.0","id":7,"method":"ping","a":[' + b"[]," * 100_000 + b"1]}", 7, -32600),
        (b'{"id":"a/b-1","jsonrpc":"2.0","a":[' + b'"",' * 100_000 + b"1]}", "a/b-1", -32600),
        (b'{"jsonrpc":"2.0","a":[' + b"{}," * 100_000 + b'1],"id":7}', None, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', None, -32700),
        (b"42", None, -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', None, -32600),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":1e999,"method":"ping"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":1.0,"method":"ping"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":7}', 7, -32600),
        (b'{"jsonrpc":"2.0","id":NaN,"result":{}}', None, -32600),
        (b'{"jsonrpc":"1.0","id":"a","method":"ping"}', "a", -32600),
        (b'{"jsonrpc":"2.0","id":7,"method":"ping","params":[1]}', 7, -32600),
        (b'{"jsonrpc":"2.0","id":7,"method":7}', 7, -32600),
    ],
)
def test_what_is_no_message_gets_the_error_of_the_specification(
    message: bytes, to: int | str | None, code: int
) -> None:
    answer = validation_error(message)

    assert answer is not None
    assert (answer["jsonrpc"], answer["id"], answer["error"]["code"]) == ("2.0", to, code)


def test_what_is_kept_with_a_session_or_a_stream_is_short() -> None:
    for method in ("initialize", "subscriptions/listen"):
        message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": {"a": "x" * 1000}}
        assert validation_error(json.dumps(message).encode()) is None
        message["params"] = {"a": "x" * MAX_KEPT_BYTES}
        error = validation_error(json.dumps(message).encode())
        assert error is not None
        assert error["id"] == 7
        assert error["error"]["message"] == f"{method} may have at most 64 KB"


def test_a_message_beyond_the_limit_is_refused_unread() -> None:
    answer = validation_error(
        b'{"jsonrpc":"2.0","id":1,"method":"ping"}'.ljust(MAX_MESSAGE_BYTES + 1)
    )

    assert answer is not None
    assert "24 MB" in answer["error"]["message"]


@given(
    to=IDS, method=st.text(st.characters(codec="utf-8")), params=st.dictionaries(st.text(), JSON)
)
def test_every_request_that_can_be_written_is_read(
    to: int | str, method: str, params: dict[str, object]
) -> None:
    request = {"jsonrpc": "2.0", "id": to, "method": method, "params": params}

    assert validation_error(replace_lone_surrogates(json.dumps(request).encode())) is None


@given(st.binary())
def test_whatever_is_let_through_the_sdk_can_read(message: bytes) -> None:
    if validation_error(message) is None:
        jsonrpc_message_adapter.validate_json(message, by_name=False)


@given(JSON)
def test_mending_changes_neither_length_nor_anything_but_halves(value: object) -> None:
    written = json.dumps(value).encode()

    assert len(replace_lone_surrogates(written)) == len(written)
    if validation_error(written) is None or b"\\ud" not in written:
        assert replace_lone_surrogates(written) == written


def test_a_long_text_may_have_any_number_of_commas_and_brackets() -> None:
    text = b"[{,\\\\" + b'\\"' + b",[{" * 200_000
    message = b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":"' + text + b'"}}'

    assert validation_error(message) is None


@pytest.mark.parametrize(
    "content",
    [
        b'"' + b"\\\\" * 11_000_000 + b'\\ud800"',
        b"[]," * 7_900_000 + b"1",
        b'"' + b'\\",' * 7_000_000 + b'"',
        b'"\\"' * 5_000_000 + b"," * 200_000,
        b",'" * 11_000_000,
        b'"\\ud800' * 3_000_000,
    ],
    ids=["backslashes", "values", "quotes", "open strings", "no strings", "surrogates"],
)
def test_no_message_takes_long_to_judge(content: bytes) -> None:
    message = b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":[' + content + b"]}}"
    tracemalloc.start()
    started = time.process_time()
    validation_error(replace_lone_surrogates(message[:MAX_MESSAGE_BYTES]))
    seconds, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert seconds < 5.0  # ten when each escape was looked at, and 1.8 GB
    assert peak < 6 * MAX_MESSAGE_BYTES
