"""What a request to a model holds, whichever API it is written in."""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Offer:
    """A tool that the model may call."""

    name: str
    definition: Json
    """As the host wrote it."""
    namespace: str | None = None
    is_hidden: bool = False
    """Found by the host's tool search, and called through another tool of the host."""

    @property
    def description(self) -> str:
        return self.definition.get("description") or ""

    @property
    def schema(self) -> Json:
        for name in ("input_schema", "parameters", "parametersJsonSchema"):
            if name in self.definition:
                return self.definition[name]
        return {}


@dataclass(frozen=True)
class Call:
    """A tool call that the model made."""

    tool: str
    arguments: Any


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Picture:
    """A picture that the model sees as one; base64 within a text is a `Text`."""

    media_type: str
    data: bytes


Item = Call | Text | Picture


@dataclass
class Conversation:
    """The tools on offer, and everything said so far in its order."""

    offers: list[Offer] = field(default_factory=list[Offer])
    items: list[Item] = field(default_factory=list[Item])

    def add_texts(self, node: object) -> None:
        """Add every text in *node*, a JSON value whose shape does not matter."""
        self.items.extend(Text(text) for text in _strings(node) if text)

    def add_picture(self, media_type: str, base64_text: str) -> None:
        """Add a picture; what is not valid base64 reaches no model as a picture."""
        try:
            picture = Picture(media_type, base64.b64decode(base64_text, validate=True))
        except binascii.Error:
            self.items.append(Text(base64_text))
        else:
            self.items.append(picture)

    def add_data_uri(self, uri: str) -> None:
        found = re.match(r"data:([^;,]+);base64,(.*)", uri, re.DOTALL)
        if found:
            self.add_picture(found[1], found[2])
        else:
            self.items.append(Text(uri))


class Reply(NamedTuple):
    """The model's turn: a call of *offer* if there is one, otherwise *text*."""

    text: str = ""
    offer: Offer | None = None
    arguments: Json | None = None


class Response(NamedTuple):
    media_type: str
    body: str


class ModelAPI(Protocol):
    """A module of this package."""

    @property
    def TITLE(self) -> str: ...  # noqa: N802 - a constant of the module

    def read(self, body: Json) -> Conversation: ...

    def write(self, reply: Reply, body: Json, number: int, *, stream: bool) -> Response:
        """The response to the request *body*, which was the *number*-th."""
        ...


def objects(value: Json, name: str) -> list[Json]:
    """The list of objects that is the member *name*, empty where there is none."""
    found: list[Json] | None = value.get(name)
    return found or []


def json_response(value: Json) -> Response:
    return Response("application/json", json.dumps(value))


def event_stream(*events: tuple[str | None, Json | str]) -> Response:
    """Server-sent events, named where the API names them."""
    lines = [
        (f"event: {name}\n" if name else "")
        + f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n"
        for name, data in events
    ]
    return Response("text/event-stream", "".join(lines))


def _strings(node: object) -> Iterator[str]:
    match node:
        case str():
            yield node
        case Mapping():
            for value in node.values():  # pyright: ignore[reportUnknownVariableType]
                yield from _strings(value)  # pyright: ignore[reportUnknownArgumentType]
        case list():
            for value in node:  # pyright: ignore[reportUnknownVariableType]
                yield from _strings(value)  # pyright: ignore[reportUnknownArgumentType]
        case _:
            pass
