"""Whatever looks like a model's id, where a person or a model reads it, is the id of a model."""

import re
from pathlib import Path

import pytest

from geekai_video_mcp.domain.catalogue import models
from support import ROOT

SERVER = ROOT / "src" / "geekai_video_mcp"
READ = [
    *(ROOT / name for name in ("README.md", "README.zh-CN.md", "server.json")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").glob("*.py")),
    *sorted((ROOT / "tests" / "snapshots").rglob("*.json")),
    *(SERVER / name for name in ("server/__init__.py", "server/offer.py", "server/prompts.py")),
    *sorted((SERVER / "config").glob("*.py")),
    *sorted((SERVER / "cli").rglob("*.py")),
]
"""The documents, and what the server publishes and the command line prints."""
FIRST_WORDS = {re.split(r"[-_.\d]", name)[0] for name in models()} | {"hailuo", "seedance"}
LIKE_AN_ID = re.compile(
    rf"(?<![\w/.-])(?:{'|'.join(sorted(FIRST_WORDS))})(?:[-_]?v?\d|[-_][a-z])[\w.-]*",
    re.ASCII | re.IGNORECASE,
)


def ids_in(text: str) -> set[str]:
    return {found.rstrip(".-_") for found in LIKE_AN_ID.findall(text)}


@pytest.mark.parametrize("path", READ, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_id_that_is_written_anywhere_is_one_that_there_is(path: Path) -> None:
    assert ids_in(path.read_text("utf-8")) <= set(models())


@pytest.mark.parametrize(
    "slip",
    [
        *("veo-3.1-fast", "veo3.1", "kling-v2-1-master", "kling-2.6", "Kling-video-v2-6"),
        *("cogvideox-5", "sora-3", "wan2.8-t2v", "hailuo-02", "seedance-2.0", "super-video-3.0"),
        *("minimax-h3", "viduq4", "vidu-3", "doubao-seedance-3.0", "jimeng_t2v_v40", "grok-videos"),
    ],
)
def test_an_id_that_there_is_not_is_found(slip: str) -> None:
    for text in (f"`{slip}`", f'model="{slip}".', f"用 {slip}（免费）", f"a fox  {slip}  5"):
        assert ids_in(text) - set(models()) == {slip}


def test_every_id_looks_like_one() -> None:
    known = {name for name in models() if ids_in(f"`{name}`") == {name}}

    assert set(models()) - known == {"cogvideox", "sora"}  # ids of one word, which are names too


def test_a_word_that_only_begins_like_an_id_is_none() -> None:
    text = "Kling, veo 3.1, wanted, stable, super, Sora; Vidu and CogVideoX: MiniMax's grok"

    assert ids_in(text) == set()
