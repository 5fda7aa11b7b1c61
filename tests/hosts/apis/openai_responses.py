"""OpenAI's Responses API, with namespaces of tools and with tool search."""

import json
from collections.abc import Iterable, Iterator
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

TITLE: Final = "OpenAI Responses"
TOOL_SEARCH: Final = "tool_search"


def read(body: Json) -> Conversation:
    found = Conversation(list(_offers(objects(body, "tools"))))
    found.add_texts(body.get("instructions"))
    if isinstance(body.get("input"), str):
        found.add_texts(body["input"])
        return found
    for item in objects(body, "input"):
        match item.get("type", "message"):
            case "function_call":
                name = f"{item.get('namespace') or ''}{item['name']}"
                found.items.append(Call(name, item["arguments"]))
            case "tool_search_call":
                found.items.append(Call(TOOL_SEARCH, item.get("arguments")))
            case "tool_search_output" | "additional_tools":
                found.offers.extend(_offers(objects(item, "tools")))
            case "message":
                _read_content(item.get("content") or "", found)
            case "function_call_output":
                _read_content(item.get("output") or "", found)
            case _:
                pass
    return found


def _offers(tools: Iterable[Json], namespace: str | None = None) -> Iterator[Offer]:
    for tool in tools:
        if tool.get("type") == "namespace":
            yield from _offers(objects(tool, "tools"), tool["name"])
        else:
            yield Offer(tool.get("name") or tool.get("type") or "", tool, namespace)


def _read_content(content: str | list[Json], found: Conversation) -> None:
    if isinstance(content, str):
        found.add_texts(content)
        return
    for part in content:
        match part:
            case {"type": "input_image", "image_url": str(uri)}:
                found.add_data_uri(uri)
            case _:
                found.add_texts({name: value for name, value in part.items() if name != "type"})


def write(reply: Reply, body: Json, number: int, *, stream: bool) -> Response:
    item = _item(reply, number)
    response: dict[str, Any] = {
        "id": f"resp_{number:04d}",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": body.get("model"),
        "output": [item],
        "usage": {
            "input_tokens": 1000,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 20,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 1020,
        },
        "error": None,
    }
    if not stream:
        return json_response(response)
    created: Json = {**response, "status": "in_progress", "output": []}
    events: list[tuple[str, Json]] = [
        ("response.created", {"response": created}),
        ("response.output_item.added", {"item": {**item, "status": "in_progress"}}),
        *_deltas(item),
        ("response.output_item.done", {"item": item}),
        ("response.completed", {"response": response}),
    ]
    return event_stream(
        *(
            (kind, {"type": kind, "sequence_number": at, "output_index": 0, **data})
            for at, (kind, data) in enumerate(events)
        )
    )


def _item(reply: Reply, number: int) -> dict[str, Any]:
    common = {"id": f"item_{number:04d}", "status": "completed"}
    if not reply.offer:
        part: Json = {"type": "output_text", "text": reply.text, "annotations": []}
        return {**common, "type": "message", "role": "assistant", "content": [part]}
    common["call_id"] = f"call_{number:04d}"
    if reply.offer.name == TOOL_SEARCH:
        search = {"type": "tool_search_call", "execution": "client"}
        return {**common, **search, "arguments": reply.arguments}
    call = {"type": "function_call", "name": reply.offer.name}
    if reply.offer.namespace:
        call["namespace"] = reply.offer.namespace
    return {**common, **call, "arguments": json.dumps(reply.arguments)}


def _deltas(item: Json) -> list[tuple[str, Json]]:
    match item["type"]:
        case "message":
            at = {"item_id": item["id"], "content_index": 0}
            part = objects(item, "content")[0]
            added: Json = {**part, "text": ""}
            return [
                ("response.content_part.added", {**at, "part": added}),
                ("response.output_text.delta", {**at, "delta": part["text"]}),
                ("response.output_text.done", {**at, "text": part["text"]}),
            ]
        case "function_call":
            at, text = {"item_id": item["id"]}, item["arguments"]
            return [
                ("response.function_call_arguments.delta", {**at, "delta": text}),
                ("response.function_call_arguments.done", {**at, "arguments": text}),
            ]
        case _:
            return []
