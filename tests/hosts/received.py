"""Writes what a host's model received as a page that a person reads."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from hosts.apis.conversation import Picture, Text
from hosts.observations import (
    BASE64,
    Observations,
    judge,
    published_instructions,
    published_tools,
)
from hosts.script import STEPS

ENDINGS: Final = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}
Json = Mapping[str, Any]


def write_received(found: Observations, version: str, path: Path) -> None:
    """Write the page to *path*, and the pictures into the folder of the run."""
    lines = [f"# {found.host.title} {version}: what its model received", ""]
    lines += [f"Model API: {found.api.TITLE if found.api else 'no request with tools'}.  "]
    lines += [f"Protocol revision asked for: {found.revision}.", ""]
    lines += [f"* {name}: {seen}" for name, seen in judge(found).items()]
    lines += ["", "## Before any call", "", _instructions(found), ""]
    for tool in published_tools(found.folder):
        lines += _tool(found, tool)
    lines += ["## The conversation", ""]
    for at, step in enumerate(STEPS):
        arguments = json.dumps(dict(step.arguments))
        lines += [f"### {at + 1}. {step.tool} {arguments}", "", *_step(found, at), ""]
    path.write_text("\n".join(lines), "utf-8")


def _instructions(found: Observations) -> str:
    whole = published_instructions(found.folder)
    length = _longest_start(whole, "\n".join(found.texts))
    return f"Instructions: the first {length} of {len(whole)} characters."


def _longest_start(text: str, within: str) -> int:
    """How many of the first characters of *text* stand in *within*."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text[:middle] in within else (low, middle - 1)
    return low


def _tool(found: Observations, published: Json) -> Iterator[str]:
    name, whole = published["name"], published["description"]
    yield f"### {name}"
    yield ""
    offer = found.offers.get(name)
    if not offer:
        start = _longest_start(whole, "\n".join(found.texts))
        yield f"Not offered; the first {start} of {len(whole)} characters of its description were."
        yield ""
        return
    loaded = (
        "before the first call" if offer.name in found.loaded_at_once else "after a tool search"
    )
    yield f"Offered {loaded} as `{offer.name}`" + (
        f" in the namespace `{offer.namespace}`." if offer.namespace else "."
    )
    received = offer.description
    if received == whole:
        yield f"Description: as published ({len(whole)} characters)."
    else:
        yield f"Description: {len(received)} characters, published {len(whole)}: {received}"
    yield ""
    yield from (f"* {line}" for line in _differences(published["inputSchema"], offer.schema))
    yield from (
        "",
        "```json",
        json.dumps(offer.definition, indent=1, ensure_ascii=False),
        "```",
        "",
    )


def _differences(ours: object, theirs: object, path: str = "schema") -> Iterator[str]:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        left: Json = ours  # pyright: ignore[reportUnknownVariableType]
        right: Json = theirs  # pyright: ignore[reportUnknownVariableType]
        for key in [*left, *(key for key in right if key not in left)]:
            if key not in right:
                yield f"{path}.{key}: left out, published {json.dumps(left[key])}"
            elif key not in left:
                yield f"{path}.{key}: added, {json.dumps(right[key])}"
            else:
                yield from _differences(left[key], right[key], f"{path}.{key}")
    elif ours != theirs:
        yield f"{path}: {json.dumps(theirs)}, published {json.dumps(ours)}"


def _step(found: Observations, at: int) -> Iterator[str]:
    if at not in found.steps:
        yield "The model could not make this call: it was not offered the tool, or the host ended."
        return
    for number, item in enumerate(found.steps[at]):
        match item:
            case Text(text):
                shown = BASE64.sub("<1,000 characters of base64>", text)
                yield from ("~~~text", shown, "~~~")
            case Picture(media_type, data):
                path = found.folder / f"picture-{at + 1}-{number}{ENDINGS.get(media_type, '')}"
                path.write_bytes(data)
                yield f"A picture ({media_type}, {len(data):,} bytes): {path}"
            case _:
                pass
