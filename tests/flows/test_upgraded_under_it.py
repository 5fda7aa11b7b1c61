"""Promises 1 and 2 while a newer version of this server upgrades the ledger under an old one.

Another connection stands for the newer version: it adds a column and raises the version.
"""

import sqlite3
from contextlib import closing

import anyio
import httpx
import pytest

from geekai_video_mcp.errors import LedgerTooNew
from geekai_video_mcp.ledger.journal import Journal
from support.fake_geekai import Answer, answer_once, api_error
from support.world import World, call, structured, text

REFUSED = (
    "The task database was upgraded by a newer version of this server while this one was running."
    " Nothing was charged. The operator has to upgrade this server and restart it."
)


def upgrade(world: World) -> int:
    """Gives the version that it was of."""
    with closing(sqlite3.connect(world.state / "ledger.sqlite3")) as newer:
        version: int = newer.execute("PRAGMA user_version").fetchone()[0]
        newer.execute("ALTER TABLE task ADD COLUMN of_later TEXT NOT NULL DEFAULT 'kept'")
        newer.execute("PRAGMA user_version=99")
    return version


def row(world: World, task_id: str) -> tuple[str, str | None, str]:
    with closing(sqlite3.connect(world.state / "ledger.sqlite3")) as newer:
        columns = "status, provider_task_id, of_later"
        found = newer.execute(f"SELECT {columns} FROM task WHERE id = ?", [task_id])  # noqa: S608 - our own columns
        return found.fetchone()


async def test_a_request_under_way_loses_nothing_and_its_video_comes(world: World) -> None:
    async def upgraded_meanwhile(_: httpx.Request) -> None:
        upgrade(world)

    world.service.on_create = upgraded_meanwhile
    async with world.client() as client:
        started = structured(await call(client, "generate_video", prompt="a fox"))
        at_once = row(world, started["task_id"])
        done = structured(
            await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=45)
        )

    assert started["task_status"] == "pending"
    assert at_once == ("pending", world.provider_id(started["task_id"]), "kept")
    assert done["task_status"] == "succeed"
    assert done["file"]
    assert row(world, started["task_id"])[::2] == ("succeed", "kept")
    assert Journal(world.state).pending() == []
    assert world.service.charges == ["a fox"]


async def test_an_answer_whose_row_it_cannot_read_any_more_is_kept_for_the_newer_one(
    world: World,
) -> None:
    def write_result(result: str | None) -> None:
        with closing(sqlite3.connect(world.state / "ledger.sqlite3")) as newer:
            newer.execute("UPDATE task SET result = ?", [result])
            newer.commit()

    versions: list[int] = []

    async def upgraded_meanwhile(_: httpx.Request) -> None:
        versions.append(upgrade(world))
        write_result('{"of_later": 1}')

    world.service.on_create = upgraded_meanwhile
    async with world.client() as client:
        lost = await call(client, "generate_video", prompt="a fox")
    (note,) = Journal(world.state).pending()
    with closing(sqlite3.connect(world.state / "ledger.sqlite3")) as newer:
        newer.execute(f"PRAGMA user_version={versions[0]}")
    write_result(None)  # this program stands for the newer one, which can read it
    async with world.client() as client:
        await anyio.sleep(1)
        done = structured(
            await call(client, "get_video_task", task_id=note.task_id, wait_seconds=45)
        )

    assert "It may have been charged." in text(lost)
    assert done["task_status"] == "succeed"
    assert world.service.charges == ["a fox"]


async def test_a_new_request_is_refused_before_it_is_sent_and_reads_go_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with world.client() as client:
        before = structured(await call(client, "generate_video", prompt="a fox"))
        upgrade(world)
        refused = await call(client, "generate_video", prompt="a hare")
        again = await call(client, "generate_image", prompt="a hare")
        listed = structured(await call(client, "list_video_tasks"))
        looked = await call(client, "get_video_task", task_id=before["task_id"], wait_seconds=0)

    assert refused.is_error
    assert text(refused) == text(again) == REFUSED
    assert [task["task_id"] for task in listed["tasks"]] == [before["task_id"]]
    assert not looked.is_error
    assert world.service.charges == ["a fox"]
    assert caplog.text.count("sends no new request") == 1


async def test_an_intent_that_had_not_left_by_then_is_refused_as_well(world: World) -> None:
    """Recorded before, and to be sent again after a 429: this server never will."""
    limited = answer_once(api_error(429, "rate_limit", "slow down"))

    async def upgraded_meanwhile(request: httpx.Request) -> Answer | None:
        upgrade(world)
        return await limited(request)

    world.service.before_charge = upgraded_meanwhile
    async with world.client() as client:
        result = structured(await call(client, "generate_video", prompt="a fox"))
        await anyio.sleep(60)
        refused = await call(client, "get_video_task", task_id=result["task_id"], wait_seconds=0)

    assert structured(refused)["task_status"] == "failed"
    assert structured(refused)["error"] == {"code": "ledger_too_new", "message": REFUSED}
    assert row(world, result["task_id"]) == ("rejected", None, "kept")
    assert world.service.charges == []


async def test_a_person_sends_nothing_again_through_an_old_command_line(world: World) -> None:
    world.service.on_create = answer_once(httpx.ReadError("reset"))
    async with world.client() as client:
        lost = structured(await call(client, "generate_video", prompt="a fox"))
    async with world.resolver() as resolver:
        upgrade(world)
        with pytest.raises(LedgerTooNew) as told_so:
            await resolver.supersede(lost["task_id"])
        given_up = await resolver.abandon(lost["task_id"])

    assert told_so.value.message == REFUSED
    assert given_up.status == "abandoned"
    assert world.service.charges == ["a fox"]


async def test_a_person_sees_an_error_if_it_is_upgraded_between_the_decision_and_the_request(
    world: World,
) -> None:
    world.service.on_create = answer_once(httpx.ReadError("reset"))
    async with world.client() as client:
        lost = structured(await call(client, "generate_video", prompt="a fox"))
    async with world.resolver() as resolver:
        new = await resolver.supersede(lost["task_id"])
        upgrade(world)
        sent = await resolver.send(new)

    assert (sent.status, sent.error_message) == ("rejected", REFUSED)
    assert world.service.charges == ["a fox"]


async def test_an_intent_of_a_dead_process_is_left_for_the_newer_server(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.service.on_create = answer_once(httpx.ReadError("reset"))
    async with world.client() as client:
        lost = structured(await call(client, "generate_video", prompt="a fox"))
    async with world.resolver() as resolver:
        new = await resolver.supersede(lost["task_id"])
    async with world.app():
        upgrade(world)
        await anyio.sleep(30)

    assert "LedgerTooNew" in caplog.text
    assert world.service.charges == ["a fox"]
    assert row(world, new.id) == ("intended", None, "kept")
