"""Promise 3 while another process holds the ledger and does not let go. In real time."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest
from mcp import MCPError
from mcp_types import CallToolResult

from geekai_video_mcp.cli import main
from geekai_video_mcp.engine import finder
from geekai_video_mcp.ledger.sqlite import database
from geekai_video_mcp.server import tools
from support.fake_geekai import always_answer, api_error
from support.sync_store import SyncStore
from support.world import World, call, structured, text


@contextmanager
def held(world: World, *, how: str = "IMMEDIATE") -> Generator[None]:
    """A transaction that somebody has begun and does not end; an EXCLUSIVE one holds readers up."""
    path = world.state / "ledger.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"BEGIN {how}")
        yield
        other.execute("ROLLBACK")


async def test_a_call_is_answered_though_the_ledger_is_not_and_the_same_call_finds_its_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "ANSWER_DEADLINE", 0.3)
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
    assert "Repeat the same call unchanged" in text(late)
    assert structured(again)["deduplicated"]
    assert world.service.charges == ["a fox"]


@pytest.mark.exhaustive
async def test_get_video_task_answers_though_another_process_holds_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though our own next change waits for it; not even a read is possible while it commits."""
    monkeypatch.setattr(finder, "FIND_TIMEOUT", 0.5)
    world = World(tmp_path)
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        with held(world):
            began = anyio.current_time()
            waited = await call(client, "get_video_task", task_id=task_id, wait_seconds=12)
            took = anyio.current_time() - began
            read = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)
            read_took = anyio.current_time() - began - took
        with held(world, how="EXCLUSIVE"):
            began, late = anyio.current_time(), list[CallToolResult]()
            async with anyio.create_task_group() as group:
                group.start_soon(partial(call, client, "list_video_tasks"))
                late.append(await call(client, "get_video_task", task_id=task_id, wait_seconds=0))
                group.cancel_scope.cancel()
            late_took = anyio.current_time() - began

    assert structured(waited)["task_status"] == "pending"
    assert took < 12 + 5
    assert structured(read)["task_status"] == "pending"
    assert read_took < 1
    assert [each.is_error for each in late] == [True]
    assert text(late[0]) == (
        "The task database is busy. Call get_video_task again; every task goes on meanwhile."
    )
    assert late_took < 5


@pytest.mark.exhaustive
@pytest.mark.parametrize("count", [1, 3])
async def test_a_finished_task_is_told_though_it_cannot_be_recorded_that_it_was(
    tmp_path: Path, count: int
) -> None:
    world = World(tmp_path)
    world.service.on_create = always_answer(api_error(400, "invalid_parameter", "no such style"))
    async with world.client() as client:
        ids = [
            structured(await call(client, "generate_video", prompt=prompt))["task_id"]
            for prompt in ("a fox", "a hare", "an owl")[:count]
        ]
        with closing(sqlite3.connect(world.state / "ledger.sqlite3")) as other, other:
            other.execute("UPDATE task SET delivered_at = NULL")
        with held(world):
            began = anyio.current_time()
            found = await call(client, "get_video_task", task_id=" ".join(ids), wait_seconds=0)
            took = anyio.current_time() - began

    entries = structured(found).get("tasks", [structured(found)])
    assert [task["task_status"] for task in entries] == ["failed"] * count
    assert took < 5


@pytest.mark.exhaustive
async def test_an_id_made_elsewhere_is_answered_for_though_it_cannot_be_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "FIND_TIMEOUT", 0.5)
    world = World(tmp_path / "here")
    async with world.client() as client:
        made = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
    elsewhere = replace(world, folder=tmp_path / "elsewhere")
    async with elsewhere.client() as client:
        await call(client, "list_video_tasks")
        with held(elsewhere):
            began = anyio.current_time()
            late = await call(
                client, "get_video_task", task_id=world.provider_id(made), wait_seconds=0
            )
            took = anyio.current_time() - began
        while late.is_error:
            late = await call(client, "get_video_task", task_id=world.provider_id(made))

    assert took < 5
    assert structured(late)["task_status"] in {"pending", "running"}


BUSY = "The task database is busy. Wait a few seconds, then try again."


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that gives another process's transaction a moment, and not half a minute."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.2)


@pytest.mark.usefixtures("impatient")
async def test_what_only_reads_a_busy_ledger_says_so_and_nothing_of_money(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        with held(world, how="EXCLUSIVE"):
            looked = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)
            listed = await call(client, "list_video_tasks")
            with pytest.raises(MCPError) as resource:
                await client.read_resource(f"video://tasks/{task_id}")
        after = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)

    assert (looked.is_error, listed.is_error) == (True, True)
    assert text(looked) == text(listed) == BUSY
    assert BUSY in str(resource.value)
    assert not after.is_error


@pytest.mark.usefixtures("impatient")
async def test_a_request_that_a_busy_ledger_does_not_take_was_not_charged(tmp_path: Path) -> None:
    """Though the first thing that fails on its way is a read."""
    world = World(tmp_path)
    async with world.client() as client:
        await call(client, "list_video_tasks")
        with held(world, how="EXCLUSIVE"):
            refused = await call(client, "generate_video", prompt="a fox")

    assert refused.is_error
    assert text(refused) == (
        "The task database is busy. Nothing was charged. Wait a few seconds, then try again."
    )
    assert world.service.charges == []


@pytest.mark.usefixtures("impatient")
def test_the_command_line_says_that_the_ledger_is_busy_and_nothing_of_money(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(tmp_path)
    SyncStore(world.state).close()
    monkeypatch.setenv("GEEKAI_STATE_DIR", str(world.state))
    with held(world, how="EXCLUSIVE"):
        status = main(["tasks"])

    assert status != 0
    assert capsys.readouterr().err == f"{BUSY}\n"
