"""Promise 3 while another process holds the ledger and does not let go. In real time."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import anyio
import pytest

from geekai_video_mcp import engine
from support.world import World, call, text, told


@contextmanager
def held(world: World) -> Generator[None]:
    """A transaction that somebody has begun and does not end."""
    path = world.state / "ledger.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_a_call_is_answered_though_the_ledger_is_not_and_the_same_call_finds_its_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SUBMIT_PATIENCE", 0.3)
    world = World(tmp_path)
    async with world.client() as client:
        with held(world):
            began = anyio.current_time()
            late = await call(client, "generate_video", prompt="a fox")
            took = anyio.current_time() - began
        again = await call(client, "generate_video", prompt="a fox")
        while again.is_error:
            again = await call(client, "generate_video", prompt="a fox")

    assert late.is_error
    assert took < 5
    assert "It may have been charged." in text(late)
    assert "Make the same call again" in text(late)
    assert told(again)["deduplicated"]
    assert world.service.charges == ["a fox"]
