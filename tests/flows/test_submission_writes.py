"""What a submission writes to the ledger, and when: few transactions, and nothing before its time.

How often these sync the disk is counted in `tests/reliability/test_write_order.py`.
"""

import sqlite3
from collections import Counter
from collections.abc import Generator
from typing import Any

import anyio
import pytest

from geekai_video_mcp.domain.admission import Admission
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Media, Task
from geekai_video_mcp.errors import ServiceUnavailable
from geekai_video_mcp.ledger import schema
from support.counts import Counts
from support.fake_geekai import answer_once, api_error
from support.ledgers import open_ledger
from support.world import World, call, structured

REQUEST = GenerationRequest(Media.VIDEO, {"model": "m", "prompt": "a fox", "async": True})


class TracedStatements(list[str]):
    """Every statement of every connection that was opened while it was recorded."""

    @property
    def writing_transactions(self) -> list[str]:
        """The statements of each transaction that changes something, in one text."""
        transactions = " ; ".join(self).split("BEGIN IMMEDIATE")[1:]
        return [one for one in transactions if "INSERT" in one or "UPDATE" in one]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Generator[TracedStatements]:
    traced, connect = TracedStatements(), sqlite3.connect

    def connect_traced(*args: Any, **options: Any) -> sqlite3.Connection:  # noqa: ANN401 - its own
        connection = connect(*args, **options)
        connection.set_trace_callback(traced.append)
        return connection

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", connect_traced)
        yield traced


async def statuses_of(world: World, task: Task) -> list[Status]:
    """The statuses of the task's events, oldest first."""
    async with open_ledger(world.state) as ledger:
        events = await ledger.events(task.id)
    return [event.status for event in events]


async def test_a_submission_is_two_transactions_with_its_first_lease_and_nothing_until_the_poll(
    world: World, statements: TracedStatements
) -> None:
    async with world.client() as client:
        await anyio.sleep(1)  # the first sweep
        statements.clear()
        started = structured(await call(client, "generate_video", prompt="a fox"))
        await anyio.sleep(5)
        written = statements.writing_transactions
        (task,) = await world.tasks()

    assert started["task_status"] == "pending"
    assert [("budget" in one, "'submitting'" in one) for one in written] == [
        (True, True),
        (False, False),
    ]
    assert task.lease_holder == task.owner
    assert await statuses_of(world, task) == ["intended", "submitting", "pending"]


@pytest.mark.parametrize(
    ("settings", "hops", "begun"),
    [
        ({}, 3, {"BEGIN IMMEDIATE": 2}),
        # Written in the words of its model, in another form than earlier versions sent it.
        (
            {"model": "cogvideox-3", "resolution": "1080p", "aspect_ratio": "16:9"},
            4,
            {"BEGIN IMMEDIATE": 2, "BEGIN": 1},
        ),
    ],
)
async def test_a_submission_takes_a_thread_for_its_folder_and_for_each_transaction_and_no_more(
    counts: Counts, world: World, settings: dict[str, Any], hops: int, begun: dict[str, int]
) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="the connections are made")
        await anyio.sleep(1)  # the first sweep
        counts.clear()
        started = structured(await call(client, "generate_video", prompt="a fox", **settings))
        statements, taken = Counter(counts.statements), counts.thread_hops

    assert started["task_status"] == "pending"
    assert taken == hops
    assert {sql: n for sql, n in statements.items() if sql.startswith("BEGIN")} == begun
    assert statements[schema.INSERT] == 1
    assert sum(n for sql, n in statements.items() if sql.startswith("UPDATE task")) == 1


async def test_a_request_in_a_pause_is_recorded_and_claimed_when_it_is_over(world: World) -> None:
    limited = api_error(429, "rate_limit", "slow down")
    limited.headers["Retry-After"] = "10"
    world.service.before_charge = answer_once(limited)
    other = GenerationRequest(Media.VIDEO, {**REQUEST.body, "prompt": "a hare"})
    async with world.app() as app:
        await app.engine.submit(REQUEST, wait_seconds=1)
        paused, _ = await app.engine.submit(other, wait_seconds=1)
        await anyio.sleep(20)

    assert [paused.status, paused.attempt] == ["intended", 0]
    assert sorted(world.service.charges) == ["a fox", "a hare"]


async def test_a_request_without_connections_is_recorded_and_rejected_as_it_always_was(
    world: World,
) -> None:
    async with world.app() as app:
        context = app.engine._context  # pyright: ignore[reportPrivateUsage]

        async def fail_to_connect() -> Any:  # noqa: ANN401 - it returns nothing
            msg = "No connection can be prepared"
            raise ServiceUnavailable(msg, code="unreachable")

        context.connect = fail_to_connect
        submitted = await app.engine.submit(REQUEST, wait_seconds=60)

    assert submitted.task.status is Status.REJECTED
    assert "Nothing was charged." in str(submitted.task.error_message)
    assert (await statuses_of(world, submitted.task))[:3] == ["intended", "submitting", "intended"]
    assert world.service.charges == []


async def test_a_request_that_is_recorded_after_the_shutdown_waited_is_left_to_the_next_server(
    world: World,
) -> None:
    async with world.app(sweep=False) as app, anyio.create_task_group() as calls:
        ledger = app.engine._context.ledger  # pyright: ignore[reportPrivateUsage]
        admit = ledger.admit

        async def admit_late(*args: Any, **options: Any) -> Admission:  # noqa: ANN401 - its own
            with anyio.CancelScope(shield=True):  # as a transaction that another process holds up
                await anyio.sleep(20)
                return await admit(*args, **options)
            raise AssertionError

        ledger.admit = admit_late
        calls.start_soon(app.engine.submit, REQUEST)
        await anyio.sleep(1)
        calls.cancel_scope.cancel()
    (left,) = await world.tasks()
    async with world.client():
        await anyio.sleep(60)
    sent = await world.find_task(left.id)

    assert left.status is Status.INTENDED
    assert sent.status is Status.SUCCEED
    assert world.service.charges == ["a fox"]
