"""Google's Gemini API."""

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

TITLE: Final = "Gemini"
ROUTING: Final = {
    "reasoning": "scripted",
    "complexity_reasoning": "scripted",
    "complexity_score": 50,
    "model_choice": "pro",
    "next_speaker": "user",
}
"""The answer to Gemini CLI's own questions, which ask for JSON: which model, who speaks next."""


def read(body: Json) -> Conversation:
    declarations: list[Json] = [
        function
        for tool in objects(body, "tools")
        for function in objects(tool, "functionDeclarations")
    ]
    found = Conversation([Offer(function["name"], function) for function in declarations])
    found.add_texts(body.get("systemInstruction"))
    for content in objects(body, "contents"):
        for part in objects(content, "parts"):
            _read_part(part, found)
    return found


def _read_part(part: Json, found: Conversation) -> None:
    match part:
        case {"functionCall": {"name": name, **call}}:
            found.items.append(Call(name, call.get("args")))
        case {"functionResponse": response}:
            found.add_texts(response.get("response"))
            for inner in objects(response, "parts"):
                _read_part(inner, found)
        case {"inlineData": {"mimeType": media_type, "data": data}}:
            found.add_picture(media_type, data)
        case _:
            found.add_texts(part)


def write(reply: Reply, body: Json, number: int, *, stream: bool) -> Response:
    part: dict[str, Any] = {"text": reply.text}
    config: Json = body.get("generationConfig") or {}
    if config.get("responseMimeType") == "application/json":
        part = {"text": json.dumps(ROUTING)}
    if reply.offer:
        call = {"name": reply.offer.name, "args": reply.arguments, "id": f"call{number:04d}"}
        part = {"functionCall": call}
    content = {"role": "model", "parts": [part]}
    usage = {"promptTokenCount": 1000, "candidatesTokenCount": 20, "totalTokenCount": 1020}
    whole = {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": usage,
        "modelVersion": body.get("model", "scripted"),
        "responseId": f"response{number:04d}",
    }
    return event_stream((None, whole)) if stream else json_response(whole)
