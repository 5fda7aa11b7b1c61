"""Anthropic's Messages API."""

import json
from typing import Any, Final

from hosts.apis.conversation import (
    Call,
    Conversation,
    Json,
    Offer,
    Reply,
    Response,
    event_stream,
    json_response,
    objects,
)

TITLE: Final = "Anthropic Messages"


def read(body: Json) -> Conversation:
    found = Conversation([Offer(tool.get("name", ""), tool) for tool in objects(body, "tools")])
    found.add_texts(body.get("system"))
    for message in objects(body, "messages"):
        _read_content(message["content"], found)
    return found


def _read_content(content: str | list[Json], found: Conversation) -> None:
    if isinstance(content, str):
        found.add_texts(content)
        return
    for block in content:
        match block:
            case {"type": "tool_use", "name": name, "input": arguments}:
                found.items.append(Call(name, arguments))
            case {"type": "tool_result"}:
                _read_content(block.get("content") or "", found)
            case {"type": "image", "source": {"media_type": media_type, "data": data}}:
                found.add_picture(media_type, data)
            case {"type": "text", "text": text}:
                found.add_texts(text)
            case _:
                found.add_texts({name: part for name, part in block.items() if name != "type"})


def write(reply: Reply, body: Json, number: int, *, stream: bool) -> Response:
    block: dict[str, Any] = {"type": "text", "text": reply.text}
    if reply.offer:
        block = {"type": "tool_use", "id": f"toolu_{number:04d}", "name": reply.offer.name}
        block["input"] = reply.arguments
    stop = {"stop_reason": "tool_use" if reply.offer else "end_turn", "stop_sequence": None}
    usage = {"input_tokens": 1000, "output_tokens": 20}
    message = {"id": f"msg_{number:04d}", "type": "message", "role": "assistant"}
    message |= {"model": body.get("model"), "content": [block], "usage": usage, **stop}
    if not stream:
        return json_response(message)
    if reply.offer:
        start: Json = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(reply.arguments)}
    else:
        start = {**block, "text": ""}
        delta = {"type": "text_delta", "text": reply.text}
    events: list[Json] = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": start},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": usage},
        {"type": "message_stop"},
    ]
    return event_stream(*((event["type"], event) for event in events))
