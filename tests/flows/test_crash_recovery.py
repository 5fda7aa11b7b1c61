"""What a server that died left behind, and what the next one makes of it.

The rows are written as a dead process leaves them; the engine that finds them is real.
"""

import re
from dataclasses import replace

import anyio
import httpx
import pytest

from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.polling import Budget
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.retries import INTENT_TTL
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import (
    Media,
    Observation,
    Task,
    new_task,
)
from geekai_video_mcp.ledger import ProcessRegistry
from support.fake_geekai import always_answer, answer_with_estimate, api_error
from support.world import World, call, now, structured, text

pytestmark = pytest.mark.both_databases

REQUEST = GenerationRequest(
    Media.VIDEO, {"model": "cogvideox-flash", "prompt": "a fox", "async": True}
).body


async def leave_task(
    world: World,
    *,
    sending: bool = False,
    age: float = 1.0,
    ready_for: float | None = None,
    owner: str = "dead",
) -> Task:
    """A task whose process died before a byte left, or while the POST was under way.

    With *ready_for*, one that had waited for another task until so many seconds ago.
    """
    task = new_task(request=REQUEST, account=world.account, owner=owner, at=now() - age)
    if ready_for is not None:
        task = replace(task, ready_at=now() - ready_for)
    if sending:
        claim = Observation(status=Status.SUBMITTING, at=now(), owner=owner, attempt=1)
        task = advance(task, claim)
    async with world.open_ledger() as ledger:
        await ledger.add(task)
    return task


async def test_a_request_that_was_under_way_is_unknown_and_stays_unsent(world: World) -> None:
    task = await leave_task(world, sending=True)
    async with world.client() as one, world.client():
        await anyio.sleep(3600)
        shown = await call(one, "get_video_task", task_id=task.id)

    assert world.service.requests == []
    assert shown.is_error
    assert structured(shown)["task_status"] == "unknown"
    assert structured(shown)["error"]["code"] == "orphaned"
    assert structured(shown)["error"]["message"] == (
        "The server ended while the request was being sent. It may have been charged."
        " Do not send it again on your own; ask the user first."
    )


async def test_a_request_that_never_left_is_sent_once_by_whoever_comes(world: World) -> None:
    task = await leave_task(world)
    async with world.client() as one, world.client():
        await anyio.sleep(60)
        done = structured(await call(one, "get_video_task", task_id=task.id, wait_seconds=45))

    assert world.service.charges == ["a fox"]
    assert done["task_status"] == "succeed"


@pytest.mark.parametrize(("may_send", "charges"), [(False, []), (True, ["a fox"])])
async def test_a_process_that_takes_up_one_task_sends_it_only_where_that_is_asked_for(
    world: World, *, may_send: bool, charges: list[str]
) -> None:
    """A command that costs nothing sends no request that another one has recorded."""
    task = await leave_task(world)
    async with world.app(sweep=False) as app:
        await app.engine.take_up(task, may_send=may_send)
        await anyio.sleep(60)

    assert world.service.charges == charges


@pytest.mark.parametrize("sending", [True, False])
async def test_a_request_of_another_process_is_not_withdrawn(
    world: World, *, sending: bool
) -> None:
    task = await leave_task(world, sending=sending, owner="another")
    async with world.app(sweep=False) as app:
        left = await app.engine.withdraw(task.id)

    assert left == task


@pytest.mark.parametrize(("ready_for", "charges"), [(60.0, ["a fox"]), (1000.0, [])])
async def test_a_request_that_had_waited_is_as_old_as_what_it_waited_for(
    world: World, ready_for: float, charges: list[str]
) -> None:
    await leave_task(world, age=3600, ready_for=ready_for)
    async with world.client(), world.client():
        await anyio.sleep(60)

    assert world.service.charges == charges


async def test_a_request_nobody_expects_any_more_is_not_sent(world: World) -> None:
    task = await leave_task(world, age=3600)
    async with world.client() as client:
        await anyio.sleep(60)
        shown = await call(client, "get_video_task", task_id=task.id)

    assert world.service.requests == []
    assert shown.is_error
    assert structured(shown)["error"]["message"] == (
        "The server ended before the request was sent, too long ago to send it now."
        " Nothing was charged. The same call may work later."
    )


async def test_what_is_not_sent_takes_nothing_of_the_budget(world: World) -> None:
    await leave_task(world, sending=True)
    await leave_task(world, age=3600)
    async with world.app():
        await anyio.sleep(60)
    async with world.open_ledger() as ledger:
        budget = await ledger.update_budget(world.account, lambda known: (known, known))

    assert budget == Budget(account=world.account)


@pytest.mark.sqlite_only  # in PostgreSQL it takes a second to know that the other one is dead
async def test_a_request_is_sent_to_the_last_moment_that_someone_may_expect_it(
    world: World,
) -> None:
    await leave_task(world, age=INTENT_TTL)
    async with world.app():
        await anyio.sleep(1)

    assert world.service.charges == ["a fox"]


@pytest.mark.sqlite_only  # the same
async def test_what_is_sent_for_a_dead_server_is_polled_at_once(world: World) -> None:
    world.service.job_seconds = 2.0
    world.service.on_create = answer_with_estimate(world.service, seconds=2.0)
    await leave_task(world)
    async with world.client():
        await anyio.sleep(4)

    assert len(world.files()) == 1


async def test_what_is_sent_for_a_dead_server_is_not_given_up_on_the_way(world: World) -> None:
    """The sweeps meanwhile see a claim of this process, and have to know that it is at work."""

    async def slowly(_: httpx.Request) -> None:
        await anyio.sleep(25)

    world.service.on_create = slowly
    task = await leave_task(world)
    async with world.client() as client:
        await anyio.sleep(22)
        meanwhile = structured(
            await call(client, "get_video_task", task_id=task.id, wait_seconds=0)
        )

    assert meanwhile["task_status"] == "submitting"


async def test_nobody_needs_a_key_to_say_that_an_outcome_is_unknown(world: World) -> None:
    under_way = await leave_task(world, sending=True)
    unsent, fresh = await leave_task(world, age=3600), await leave_task(world)
    other = replace(world, account="another key")
    async with other.client() as client:
        await anyio.sleep(60)
        shown = await call(client, "get_video_task", task_id=under_way.id, wait_seconds=0)
        late = await call(client, "get_video_task", task_id=unsent.id, wait_seconds=0)
        waits = structured(await call(client, "get_video_task", task_id=fresh.id, wait_seconds=0))

    assert structured(shown)["task_status"] == "unknown"
    assert "Nothing was charged." in text(late)
    assert waits["task_status"] == "submitting"
    assert world.service.requests == []


async def test_a_request_of_a_process_that_lives_is_its_own_affair(world: World) -> None:
    async def slowly(_: httpx.Request) -> None:
        await anyio.sleep(40)

    world.service.on_create = slowly
    async with world.client() as busy, world.client() as idle:
        started = structured(await call(busy, "generate_video", prompt="a fox"))
        await anyio.sleep(20)
        task_id = started["task_id"]
        meanwhile = structured(await call(idle, "get_video_task", task_id=task_id, wait_seconds=0))
        done = structured(
            await call(idle, "get_video_task", task_id=started["task_id"], wait_seconds=45)
        )

    assert (started["task_status"], meanwhile["task_status"]) == ("submitting", "submitting")
    assert world.service.charges == ["a fox"]
    assert done["task_status"] == "succeed"


async def test_an_answer_that_comes_late_repairs_an_unknown_outcome(world: World) -> None:
    """Another process may have taken a slow one for dead; the truth wins when it comes."""

    async def after_being_given_up(_: httpx.Request) -> None:
        await anyio.sleep(5)
        async with world.open_ledger() as ledger:
            (task,) = await ledger.unfinished(world.account)
            given_up = Observation(status=Status.UNKNOWN, at=now(), owner=task.owner, attempt=1)
            await ledger.change(task.id, lambda task: advance(task, given_up))

    world.service.on_create = after_being_given_up
    async with world.client() as client:
        started = structured(await call(client, "generate_video", prompt="a fox"))
        done = structured(
            await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=45)
        )

    assert done["task_status"] == "succeed"
    assert world.service.charges == ["a fox"]


async def test_a_refusal_of_an_earlier_attempt_says_nothing_of_a_later_one(world: World) -> None:
    """Nothing was charged for the one; for the other, which is under way, it may be."""

    async def after_another_was_made(_: httpx.Request) -> httpx.Response:
        async with world.open_ledger() as ledger:
            (task,) = await ledger.unfinished(world.account)
            await ledger.change(task.id, lambda task: replace(task, attempt=task.attempt + 1))
        return api_error(400, "bad", "no")

    world.service.before_charge = after_another_was_made
    async with world.app() as app:
        task, _ = await app.engine.submit(GenerationRequest(Media.VIDEO, REQUEST))

    assert (task.status, task.error_message) == (Status.SUBMITTING, None)


async def test_a_sweep_that_read_too_early_gives_up_nothing_that_was_answered(world: World) -> None:
    async with world.app() as app:
        task, _ = await app.engine.submit(GenerationRequest(Media.VIDEO, REQUEST))
        as_it_was = replace(task, status=Status.SUBMITTING)
        await app.engine._recovery.resume(as_it_was)  # pyright: ignore[reportPrivateUsage]
        found = await app.engine.find_or_import(task.id)

    assert found.status is Status.PENDING


async def test_a_sweep_that_read_too_early_leaves_the_reason_as_it_was_given(world: World) -> None:
    world.service.on_create = always_answer(httpx.ReadError("reset"))
    async with world.app() as app:
        task, _ = await app.engine.submit(GenerationRequest(Media.VIDEO, REQUEST))
        as_it_was = replace(task, status=Status.SUBMITTING)
        await app.engine._recovery.resume(as_it_was)  # pyright: ignore[reportPrivateUsage]
        found = await app.engine.find_or_import(task.id)

    assert found.status is Status.UNKNOWN
    assert found == task


@pytest.mark.sqlite_only
async def test_a_sweep_that_read_an_earlier_attempt_gives_up_no_later_one(world: World) -> None:
    async with world.app() as app:
        await anyio.sleep(1)  # past the sweep at its start
        with ProcessRegistry(world.state) as other:
            task = await leave_task(world, sending=True, owner=other.own_id)
        as_it_was = replace(task, attempt=0)
        await app.engine._recovery.resume(as_it_was)  # pyright: ignore[reportPrivateUsage]
        found = await app.engine.find_or_import(task.id)

    assert found.status is Status.SUBMITTING


@pytest.mark.parametrize("sent", [False, True])
async def test_a_disk_that_takes_no_record_is_reported_with_what_it_cost(
    world: World, *, sent: bool
) -> None:
    """A trigger stands for the full disk: this statement fails, all others work."""
    async with world.client() as client:
        await call(client, "generate_video", prompt="a hare")
        if sent:
            world.refuse_statements("BEFORE UPDATE", when="NEW.provider_task_id IS NOT NULL")
        else:
            world.refuse_statements("BEFORE INSERT")
        refused = await call(client, "generate_video", prompt="a fox")
        world_after = list(world.service.charges)

    assert refused.is_error
    assert re.search("disk (of its server )?is full", text(refused))
    assert ("It may have been charged." if sent else "Nothing was charged.") in text(refused)
    assert world_after == (["a hare", "a fox"] if sent else ["a hare"])
    if sent:
        fox = list(world.service.jobs)[-1]
        assert fox in text(refused)


async def test_a_connection_that_cannot_be_prepared_costs_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a SSL_CERT_FILE that is not there: httpx opens it when it is made."""

    def unprepared() -> httpx.MockTransport:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(world.service, "transport", unprepared)
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt="a fox")

    assert refused.is_error
    assert structured(refused)["error"] == {
        "code": "unreachable",
        "message": "No connection can be prepared (No such file or directory); the operator"
        " checks the proxy and certificate variables (ALL_PROXY, HTTPS_PROXY, NO_PROXY,"
        " SSL_CERT_FILE)."
        " Nothing was charged. The same call may work later.",
    }


async def test_a_full_output_folder_is_reported_and_retried(world: World) -> None:
    async with world.client() as client:
        started = structured(await call(client, "generate_video", prompt="a fox"))
        world.output.rmdir()
        world.output.touch()
        waiting = await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=45)
        world.output.unlink()
        await anyio.sleep(120)
        done = structured(await call(client, "get_video_task", task_id=started["task_id"]))

    assert not waiting.is_error
    assert structured(waiting)["task_status"] == "succeed"
    assert "this server could not download it" in text(waiting)
    assert "could not be written" in text(waiting)
    assert "Do not generate it again" in text(waiting)
    assert "charged" not in text(waiting)
    assert "file" in done


def test_the_rows_here_are_as_a_dead_process_leaves_them() -> None:
    """A claim is durable with its owner and attempt, or nobody could tell whose it was."""
    task = new_task(request=REQUEST, account="s", owner="me", at=0.0)
    claim = Observation(status=Status.SUBMITTING, at=1.0, owner="me", attempt=1)

    assert advance(task, claim) == replace(
        task, status=Status.SUBMITTING, owner="me", attempt=1, submitted_at=1.0
    )
