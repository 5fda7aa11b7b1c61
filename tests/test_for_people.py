"""What a person reads at the command line was written for them, or is rewritten."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import geekai_video_mcp
from geekai_video_mcp.cli.for_people import for_person
from geekai_video_mcp.server.offer import TOOLS

SOURCES = Path(geekai_video_mcp.__file__).parent
SHARED = ("errors.py", "domain", "engine", "ledger", "media", "provider")
"""Where the sentences are written that reach both models and people."""
FOR_A_MODEL = re.compile(
    "|".join([*(spec.name for spec in TOOLS), "(?:ask|tell) the user", "(?:the|same) call\\b"]),
    re.IGNORECASE,
)


def sentences() -> Iterator[str]:
    """The texts of the sources with a space in them; what is filled in is an x."""
    for name in SHARED:
        for path in [SOURCES / name, *(SOURCES / name).rglob("*.py")]:
            if path.is_file():
                yield from texts_of(ast.parse(path.read_text("utf-8")))


def texts_of(tree: ast.AST) -> Iterator[str]:
    documented = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in joined for part in node.values}
    for node in joined:
        yield "".join(
            part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "x"
            for part in node.values
        )
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in documented | parts:
            yield str(node.value) if " " in str(node.value) else ""


def test_no_person_is_asked_to_call_a_tool_or_to_tell_the_user() -> None:
    texts = set(sentences())

    assert len({text for text in texts if FOR_A_MODEL.search(text)}) > 20
    assert {text for text in texts if FOR_A_MODEL.search(for_person(text))} == set()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (
            (
                "GeekAI gave no answer. It may have been charged. Do not send it again on your own;"
                " ask the user first."
            ),
            "GeekAI gave no answer. It may have been charged.",
        ),
        (
            "Nothing was charged. Tell the user: there is room for this request from 9:00 on.",
            "Nothing was charged. There is room for this request from 9:00 on.",
        ),
        (
            (
                'Part 2 (d306a0ba) is not finished, so call get_video_task with task_id "d306a0ba"'
                " until it gives a file. Then make the same call."
            ),
            (
                "Part 2 (d306a0ba) is not finished; geekai-video-mcp tasks fetch d306a0ba waits for"
                " it. Then run the same command."
            ),
        ),
        ("a call of the user", "a call of the user"),
    ],
)
def test_a_sentence_keeps_what_it_says(written: str, read: str) -> None:
    assert for_person(written) == read
