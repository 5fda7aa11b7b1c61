"""What the model of one run received, and whether that is what it should see."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from geekai_video_mcp.domain.catalogue import models
from hosts.apis import find_api
from hosts.apis.conversation import Item, ModelAPI, Offer, Text
from hosts.hosts import Host
from hosts.run_host import FROM_HOST, FROM_SERVER
from hosts.script import (
    GENERATE,
    MODELS,
    STEPS,
    VIEW,
    WAIT,
    WRONG,
    joined_text,
    pictures,
    received_by_step,
)

FREE_MODEL: Final = "cogvideox-flash"
MIN_MODEL_IDS: Final = 15
"""An unfiltered list shows about twenty; a host may cut the end of a long result."""
BASE64: Final = re.compile(r"[A-Za-z0-9+/]{1000}")
SEEN: Final = "yes"


@dataclass
class Observations:
    """Everything that the requests of a run say, in the model's view."""

    host: Host
    folder: Path
    api: ModelAPI | None = None
    revision: str = "none"
    """The protocol revision that the host asked for; two if it did not wait for the newer one."""
    texts: list[str] = field(default_factory=list[str])
    """Of the requests before the first step's call, and the descriptions of every tool."""
    offers: dict[str, Offer] = field(default_factory=dict[str, Offer])
    """Our tools as the model saw them, by our names."""
    loaded_at_once: set[str] = field(default_factory=set[str])
    """The host's names of all tools that the model had before its first call."""
    steps: dict[int, list[Item]] = field(default_factory=dict[int, list[Item]])
    """What followed each call of the script, when the model was first asked after it."""

    def text(self, step: int) -> str:
        """All texts after a call; some hosts pass on JSON, whose escapes a model reads over."""
        escaped = joined_text(self.steps.get(step, []))
        return escaped.replace("\\n", "\n").replace('\\"', '"')

    def shows_file(self, step: int, *endings: str) -> bool:
        """Whether the text names a file of this run that exists."""
        return any(
            str(path) in self.text(step)
            for path in (self.folder / "videos").rglob("*")
            if path.suffix in endings
        )


def observe(host: Host, folder: Path) -> Observations:
    """Read what a run of *host* left in *folder*."""
    found = Observations(host, folder, revision=_asked_revision(folder / FROM_HOST))
    tools = {step.tool for step in STEPS} | {tool["name"] for tool in published_tools(folder)}
    for path in sorted((folder / "requests").iterdir()):
        kept = json.loads(path.read_text("utf-8"))
        api = find_api(kept["path"])
        if not api:
            continue
        conversation = api.read(kept["body"])
        if kept["called"] and not found.api:
            found.api = api
            found.loaded_at_once = {offer.name for offer in conversation.offers}
        if not found.steps and not received_by_step(conversation):
            found.texts += [item.text for item in conversation.items if isinstance(item, Text)]
            found.texts += [offer.description for offer in conversation.offers]
        for offer in conversation.offers:
            name = next((tool for tool in tools if offer.name.endswith(tool)), None)
            if name:
                found.offers.setdefault(name, offer)
        for step, items in received_by_step(conversation).items():
            found.steps.setdefault(step, items)
    return found


def judge(found: Observations) -> dict[str, str]:
    """The columns of the table; what the model should have seen and did not is in bold."""
    return {
        "status": _status(found),
        "file": SEEN if found.shows_file(WAIT, ".mp4") else "**no**",
        "next step": _next_step(found),
        "picture": _picture(found),
        "whole model ids": _model_ids(found),
        "our error": _error(found),
    }


def _status(found: Observations) -> str:
    if not found.steps:
        return "**went on without our server**"
    asked = re.search(r"\btask.{0,20}[0-9a-f]{8}", found.text(GENERATE), re.IGNORECASE)
    finished = re.search(r"\bfinished\b|\bsucceed\b", found.text(WAIT), re.IGNORECASE)
    return SEEN if asked and finished else "**no**"


def _next_step(found: Observations) -> str:
    """After generate_video to wait; after the wait how to look, if the sheet is not passed on.

    Where the host can show no picture, that is to open its file.
    """
    look = "call view_video" if found.host.shows_pictures else "open the file"
    steps = ((GENERATE, "call get_video_task"), (WAIT, look))
    missing = [words for step, words in steps if words not in found.text(step).lower()]
    return f"**no {', no '.join(missing)}**" if missing else SEEN


def _picture(found: Observations) -> str:
    if any(BASE64.search(found.text(step)) for step in found.steps):
        return "**base64 as text**"
    if VIEW not in found.steps:
        return "**no view_video**"
    if found.host.shows_pictures:
        return SEEN if pictures(found.steps[VIEW]) else "**no**"
    shown = found.shows_file(VIEW, ".jpg", ".jpeg", ".png", ".webp")
    return "its path" if shown else "**no path**"


def _model_ids(found: Observations) -> str:
    words = set(re.findall(r"[\w-]+(?:\.[\w-]+)*", found.text(MODELS)))
    whole = words & models().keys()
    enough = FREE_MODEL in whole and len(whole) >= MIN_MODEL_IDS
    return str(len(whole)) if enough else f"**{len(whole)}**"


def _error(found: Observations) -> str:
    """For a wrong argument: the right one's name, and that nothing was charged."""
    text = found.text(WRONG)
    is_ours = "did you mean duration?" in text and "Nothing was charged." in text
    if is_ours:
        return SEEN
    return "**another of ours**" if "Nothing was charged." in text else "**no**"


def published_tools(folder: Path) -> list[Mapping[str, Any]]:
    """The tools as our server listed them in this run."""
    for message in _messages(folder / FROM_SERVER):
        tools = message.get("result", {}).get("tools")
        if tools:
            return tools
    return []


def published_instructions(folder: Path) -> str:
    for message in _messages(folder / FROM_SERVER):
        found = message.get("result", {}).get("instructions")
        if found:
            return found
    return ""


def _asked_revision(log: Path) -> str:
    asked = [
        found[1]
        for message in _messages(log)
        if (found := re.search(r'protocolVersion": "([0-9-]+)"', json.dumps(message)))
    ]
    return ", then ".join(dict.fromkeys(asked)) or "none"


def _messages(log: Path) -> Iterator[dict[str, Any]]:
    """The messages of the protocol in one direction; none if the host did not start the server."""
    for line in log.read_text("utf-8").splitlines() if log.exists() else []:
        try:
            yield json.loads(line)
        except ValueError:
            continue  # Cline tries another framing after a while
