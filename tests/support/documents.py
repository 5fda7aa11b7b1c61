"""The documents that people read, and what in them can be run, parsed or looked up."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support import ROOT

DOCUMENTS: Final = (
    *(ROOT / name for name in ("README.md", "README.zh-CN.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)
_BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of a document."""

    document: str
    language: str
    text: str


def blocks() -> Iterator[Block]:
    for path in DOCUMENTS:
        for language, text in _BLOCK.findall(path.read_text("utf-8")):
            yield Block(document=name_of(path), language=language, text=text)


def command_lines() -> dict[str, list[str]]:
    """Every command line that the blocks tell to run, and the documents that tell it."""
    found: dict[str, list[str]] = {}
    for block in blocks():
        text = block.text.replace("\\\n", " ")
        if block.language == "console":
            lines = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
        elif block.language == "sh":
            lines = [line for line in text.splitlines() if line.strip()]
        else:
            continue
        for line in lines:
            found.setdefault(" ".join(line.split()), []).append(block.document)
    return found


def inline_code() -> Iterator[tuple[str, str]]:
    """Every piece of code within a line, and its document."""
    for path in DOCUMENTS:
        for code in re.findall(r"`([^`\n]+)`", _BLOCK.sub("", path.read_text("utf-8"))):
            yield name_of(path), code


def anchors(path: Path) -> set[str]:
    """What a link to a heading of the document may say after its #, as GitHub makes it."""
    text = _BLOCK.sub("", path.read_text("utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in _HEADING.findall(text)
    }


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
