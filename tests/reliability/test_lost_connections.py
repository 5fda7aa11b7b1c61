"""What becomes of a paid request when the network to the database fails around it."""

import os
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest

from geekai_video_mcp.ledger.postgres.connection import IDLE_TIMEOUT
from reliability.harness import Harness, open_harness
from reliability.oracle import read_records
from support.database_proxy import DatabaseProxy, Loss, database_proxy
from support.postgres import VARIABLE as CLUSTER
from support.postgres import needs_postgres

pytestmark = [needs_postgres, pytest.mark.timeout(120)]

RECORDED = b"INSERT INTO task"
ANSWERED = b"provider_task_id = "
GIVE_UP = "UPDATE geekai_video.task SET status = 'unknown' WHERE status = 'submitting'"
"""As another server does that takes the first one for dead."""
IMPATIENT = {
    "ledger.postgres.connection.IDLE_TIMEOUT": 2.0,
    "ledger.postgres.database.COMMAND_TIMEOUT": 2.0,
    "engine.SWEEP_INTERVAL": 0.3,
}
"""So that a connection without answers is given up within the test, and its tasks are resumed."""


@pytest.fixture(scope="module")
async def harness(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Harness]:
    folder = tmp_path_factory.mktemp("lost")
    async with open_harness(folder, server=os.environ[CLUSTER]) as opened:
        yield opened


@pytest.fixture
async def name(harness: Harness, request: pytest.FixtureRequest) -> str:
    """A folder and a database of the test's own."""
    test, _, case = str(request.node.name).partition("[")
    name = f"{test[:40]}_{case.strip(']')}"
    await harness.prepare(name)
    return name


@pytest.fixture
async def proxy(harness: Harness, name: str) -> AsyncGenerator[DatabaseProxy]:
    async with database_proxy(str(harness.database(name))) as opened:
        yield opened


def tasks(harness: Harness, name: str) -> list[Any]:
    return list(read_records(Path(), harness.database(name)).tasks)


def statuses(harness: Harness, name: str) -> list[str]:
    """The statuses that the events tell, without repetitions."""
    found = [event["status"] for event in read_records(Path(), harness.database(name)).events]
    return [each for number, each in enumerate(found) if number == 0 or found[number - 1] != each]


async def submit(harness: Harness, name: str, proxy: DatabaseProxy, **order: Any) -> int:  # noqa: ANN401 - an Order's fields
    """Submit a prompt with a key over the proxy, and end when nothing is left to do."""
    order = {"prompts": [f"{name} fox"], "constants": IMPATIENT, **order}
    env = {"GEEKAI_DATABASE_URL": proxy.url}
    worker = await harness.fork(name, env=env, keyed=True, max_seconds=30, **order)
    return await worker.wait()


async def test_a_request_whose_commit_was_not_confirmed_is_sent_if_it_is_recorded(
    harness: Harness, name: str, proxy: DatabaseProxy
) -> None:
    proxy.lose_commit(Loss.RESPONSE, after=RECORDED)
    assert await submit(harness, name, proxy) == 0
    verdict = harness.verdict(name, prompts=name)

    assert proxy.lost.is_set()
    assert not verdict.violations
    assert (verdict.charges, verdict.stored, verdict.unknown) == (1, 1, 0)
    assert statuses(harness, name)[:3] == ["intended", "submitting", "pending"]


async def test_a_request_whose_commit_did_not_arrive_is_sent_when_it_is_repeated(
    harness: Harness, name: str, proxy: DatabaseProxy
) -> None:
    """The session that still waits for it, and has the lock of the account, is ended."""
    proxy.lose_commit(Loss.REQUEST, after=RECORDED)
    with anyio.fail_after(IDLE_TIMEOUT - 1):
        assert await submit(harness, name, proxy, constants={}) == 0
    verdict = harness.verdict(name, prompts=name)

    assert proxy.lost.is_set()
    assert not verdict.violations
    assert len(tasks(harness, name)) == 1
    assert (verdict.charges, verdict.stored) == (1, 1)


async def test_a_request_that_others_gave_up_while_its_claim_was_confirmed_is_not_sent(
    harness: Harness, name: str, proxy: DatabaseProxy
) -> None:
    """A person may have had it sent again."""
    proxy.lose_commit(Loss.SILENCE, after=RECORDED)
    async with anyio.create_task_group() as calls:
        constants = {**IMPATIENT, "engine.submitter.CLAIM_SECONDS": 1.0}
        calls.start_soon(submit_at_last, harness, name, proxy, f"{name} fox", constants)
        await proxy.lost.wait()
        session: asyncpg.Connection[Any] = await asyncpg.connect(harness.database(name))
        while await session.execute(GIVE_UP) == "UPDATE 0":  # noqa: ASYNC110 - its commit is on the way
            await anyio.sleep(0.05)
        await session.close()

    assert [charge for charge in harness.charges() if charge.prompt.startswith(name)] == []


async def test_a_commit_that_is_never_confirmed_nor_refused_is_asked_about(
    harness: Harness, name: str, proxy: DatabaseProxy
) -> None:
    proxy.lose_commit(Loss.SILENCE, after=RECORDED)
    assert await submit(harness, name, proxy) == 0
    verdict = harness.verdict(name, prompts=name)

    assert proxy.lost.is_set()
    assert not verdict.violations
    assert (verdict.charges, verdict.stored, verdict.unknown) == (1, 1, 0)


@pytest.mark.parametrize("loss", list(Loss), ids=lambda loss: loss.name.lower())
async def test_a_response_that_the_database_does_not_confirm_is_in_the_journal(
    harness: Harness, name: str, proxy: DatabaseProxy, loss: Loss
) -> None:
    proxy.lose_commit(loss, after=ANSWERED)
    assert await submit(harness, name, proxy) == 0
    verdict = harness.verdict(name, prompts=name)

    assert proxy.lost.is_set()
    assert not verdict.violations
    assert (verdict.charges, verdict.stored, verdict.journalled) == (1, 1, 0)


async def test_a_server_that_loses_the_database_during_a_post_still_records_its_response(
    harness: Harness, name: str, proxy: DatabaseProxy
) -> None:
    """Another server takes it for dead meanwhile: the late response counts all the same."""
    prompt = f"{name} fox POST=late:6"
    meanwhile = ""
    async with anyio.create_task_group() as calls:
        calls.start_soon(submit_at_last, harness, name, proxy, prompt, IMPATIENT)
        await harness.wait_for_event(f"POST {prompt}", 1)
        proxy.take_down()
        other = await harness.fork(name, until="answered", constants=IMPATIENT, max_seconds=20)
        assert await other.wait() == 0
        meanwhile = tasks(harness, name)[0]["status"]
        proxy.bring_up()
    verdict = harness.verdict(name, prompts=name)

    assert meanwhile == "unknown"
    assert not verdict.violations
    assert (verdict.charges, verdict.stored, verdict.unknown) == (1, 1, 0)


async def submit_at_last(
    harness: Harness,
    name: str,
    proxy: DatabaseProxy,
    prompt: str,
    constants: Mapping[str, float],
) -> None:
    assert await submit(harness, name, proxy, prompts=[prompt], constants=constants) == 0
