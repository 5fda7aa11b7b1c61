"""OpenAI's Chat Completions API, which most gateways speak."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from hosts.apis.conversation import (
    Call,
    Conversation,
    Item,
    Json,
    Offer,
    Reply,
    Response,
    Text,
    event_stream,
    json_response,
    objects,
)

TITLE: Final = "OpenAI Chat"
CALL_HIDDEN_TOOL: Final = "tool_call"
"""Qwen Code's tool that calls a tool which its tool search has found."""


def read(body: Json) -> Conversation:
    functions: list[Json] = [tool["function"] for tool in objects(body, "tools")]
    found = Conversation([Offer(function["name"], function) for function in functions])
    for message in objects(body, "messages"):
        _read_content(message.get("content") or "", found)
        for call in objects(message, "tool_calls"):
            found.items.append(_read_call(call["function"]))
    found.offers.extend(_offers_in_texts(found.items))
    return found


def _read_call(function: Json) -> Call:
    if function["name"] == CALL_HIDDEN_TOOL:
        wrapped = json.loads(function["arguments"])
        return Call(wrapped["name"], wrapped["arguments"])
    return Call(function["name"], function["arguments"])


def _offers_in_texts(items: Iterable[Item]) -> Iterator[Offer]:
    """The tools that Qwen Code's tool search returns; they may be called, but are in no list."""
    for item in items:
        if isinstance(item, Text) and item.text.startswith("<functions>"):
            for found in re.findall(r"^<function>(.*)</function>$", item.text, re.MULTILINE):
                definition = json.loads(found)
                yield Offer(definition["name"], definition, is_hidden=True)


def _read_content(content: str | list[Json], found: Conversation) -> None:
    if isinstance(content, str):
        found.add_texts(content)
        return
    for part in content:
        match part:
            case {"type": "image_url", "image_url": {"url": uri}}:
                found.add_data_uri(uri)
            case _:
                found.add_texts({name: value for name, value in part.items() if name != "type"})


def write(reply: Reply, body: Json, number: int, *, stream: bool) -> Response:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.offer:
        name, arguments = reply.offer.name, reply.arguments
        if reply.offer.is_hidden:
            name, arguments = CALL_HIDDEN_TOOL, {"name": name, "arguments": arguments}
        function = {"name": name, "arguments": json.dumps(arguments)}
        call = {"index": 0, "id": f"call_{number:04d}", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    finish = "tool_calls" if reply.offer else "stop"
    usage = {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020}
    common = {"id": f"chatcmpl-{number:04d}", "created": 1, "model": body.get("model")}
    if not stream:
        choice = {"index": 0, "message": message, "finish_reason": finish}
        whole = {"object": "chat.completion", "choices": [choice], "usage": usage}
        return json_response({**common, **whole})
    common["object"] = "chat.completion.chunk"
    first = {"index": 0, "delta": message, "finish_reason": None}
    last: Json = {"index": 0, "delta": {}, "finish_reason": finish}
    return event_stream(
        (None, {**common, "choices": [first]}),
        (None, {**common, "choices": [last], "usage": usage}),
        (None, "[DONE]"),
    )
