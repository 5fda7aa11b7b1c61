"""Promise 3 while another process holds the ledger and does not let go. In real time."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import anyio
import pytest

from geekai_video_mcp import engine, tools
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
    monkeypatch.setattr(tools, "ANSWER_WITHIN", 0.3)
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


async def test_a_look_is_answered_though_another_process_holds_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own next change waits for the other process, and every read for its turn behind it."""
    monkeypatch.setattr(engine, "FIND_PATIENCE", 0.5)
    world = World(tmp_path)
    async with world.client() as client:
        task_id = told(await call(client, "generate_video", prompt="a fox"))["task_id"]
        with held(world):
            began = anyio.current_time()
            waited = await call(client, "get_video_task", task_id=task_id, wait_seconds=12)
            took = anyio.current_time() - began
            late = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)
            late_took = anyio.current_time() - began - took

    assert told(waited)["task_status"] == "pending"
    assert took < 12 + 5
    assert late.is_error
    assert "busy" in text(late)
    assert "get_video_task again" in text(late)
    assert late_took < 5
