"""What a person makes of an outcome that nobody knows: attach, abandon, or send again."""

from collections.abc import Awaitable
from dataclasses import replace

import anyio
import httpx
import pytest

from geekai_video_mcp.domain.admission import Limits
from geekai_video_mcp.domain.lifecycle import (
    GIVE_UP_AFTER,
    GIVE_UP_MIN_POLLS,
    advance,
    import_task,
)
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import (
    Observation,
    Task,
)
from geekai_video_mcp.errors import (
    CapReached,
    InvalidDecision,
    NotAuthorised,
    ServiceUnavailable,
    StorageUnavailable,
    TaskNotFound,
)
from support.fake_geekai import always_answer, answer_once, api_error
from support.world import World, call, now, structured, text

pytestmark = pytest.mark.both_databases

CHARGED = "00000000-0000-0000-0000-000000000001"
"""What the service calls the first request it charged."""


async def create_unknown(world: World, *, prompt: str = "a fox") -> str:
    """A task that was charged and whose answer never came."""
    world.service.on_create = answer_once(httpx.ReadError("reset"))
    async with world.client() as client:
        shown = structured(await call(client, "generate_video", prompt=prompt))
    assert shown["task_status"] == "unknown"
    return shown["task_id"]


async def all_tasks(world: World) -> dict[str, Task]:
    async with world.open_ledger() as ledger:
        return {task.id: task for task in await ledger.list_tasks(limit=100)}


async def test_what_a_person_finds_at_the_service_is_followed_to_its_file(world: World) -> None:
    task_id = await create_unknown(world)
    async with world.client() as client:
        async with world.resolver() as resolver:
            attached = await resolver.attach(task_id, CHARGED)
        await anyio.sleep(20)  # until the server, which was not told, looks around
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert (attached.status, attached.provider_task_id) == (Status.RUNNING, CHARGED)
    assert done["task_status"] == "succeed"
    assert world.files()
    assert world.service.charges == ["a fox"]


async def test_a_video_is_attached_by_the_name_the_person_gave(world: World) -> None:
    """The answer to a look may leave it out, and nobody could look again."""
    task_id = await create_unknown(world)
    world.service.on_poll = answer_once(httpx.Response(200, json={"task_status": "running"}))
    async with world.resolver() as resolver:
        attached = await resolver.attach(task_id, CHARGED)

    assert attached.provider_task_id == CHARGED


async def test_what_was_given_up_and_is_found_after_all_can_still_be_attached(
    world: World,
) -> None:
    task_id = await create_unknown(world)
    async with world.resolver() as resolver:
        await resolver.abandon(task_id)
        attached = await resolver.attach(task_id, CHARGED)

    assert attached.status is Status.RUNNING


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (api_error(404, "not_found", "no such task"), InvalidDecision),
        (httpx.ConnectError("no route"), ServiceUnavailable),
        (httpx.Response(500), ServiceUnavailable),
        (api_error(401, "unauthorized", "no"), NotAuthorised),
    ],
    ids=["unknown there", "offline", "broken", "another key"],
)
async def test_an_id_that_the_service_does_not_confirm_is_not_attached(
    world: World, answer: httpx.Response | Exception, error: type[Exception]
) -> None:
    task_id = await create_unknown(world)
    before = await all_tasks(world)
    world.service.on_poll = always_answer(answer)
    async with world.resolver() as resolver:
        with pytest.raises(error):
            await resolver.attach(task_id, CHARGED)

    assert await all_tasks(world) == before


LONG = "x" * 100
CUT = f'"{"x" * 63}…"'
"""How a message repeats it."""


async def refusal_of(decision: Awaitable[Task]) -> str:
    """The words in which *decision* is refused."""
    with pytest.raises(InvalidDecision) as error:
        await decision
    return error.value.message


async def test_a_name_that_the_service_does_not_know_is_repeated_as_far_as_it_helps(
    world: World,
) -> None:
    task_id = await create_unknown(world)
    async with world.resolver() as resolver:
        reason = await refusal_of(resolver.attach(task_id, LONG))

    assert reason == f"GeekAI knows no task {CUT} for this key. Nothing was changed."


async def test_a_task_that_nobody_knows_is_said_to_be_unknown(world: World) -> None:
    async with world.resolver() as resolver:
        with pytest.raises(TaskNotFound, match='No task "nobody" is known here'):
            await resolver.attach("nobody", CHARGED)


async def test_one_video_is_attached_to_one_task_by_two_people_at_once(world: World) -> None:
    first, second = (
        await create_unknown(world),
        await create_unknown(world, prompt="a hare"),
    )
    refused: list[str] = []

    async def attach(task_id: str) -> None:
        async with world.resolver() as resolver:
            try:
                await resolver.attach(task_id, CHARGED)
            except InvalidDecision as exc:
                refused.append(exc.message)

    async with anyio.create_task_group() as people:
        people.start_soon(attach, first)
        people.start_soon(attach, second)

    (reason,) = refused
    assert "already belongs to task" in reason
    bearers = [task.id for task in (await all_tasks(world)).values() if task.provider_task_id]
    assert len(bearers) == 1
    assert bearers[0] in reason


async def test_one_task_takes_one_video_from_two_people_at_once(world: World) -> None:
    task_id = await create_unknown(world)
    await create_unknown(world, prompt="a hare")
    attached, refused = list[str | None](), list[str]()

    async def attach(provider_task_id: str) -> None:
        async with world.resolver() as resolver:
            try:
                attached.append((await resolver.attach(task_id, provider_task_id)).provider_task_id)
            except InvalidDecision as exc:
                refused.append(exc.message)

    async with anyio.create_task_group() as people:
        for provider_task_id in world.service.jobs:
            people.start_soon(attach, provider_task_id)

    assert len(attached) == len(refused) == 1
    assert "only an unknown outcome" in refused[0]
    assert (await all_tasks(world))[task_id].provider_task_id == attached[0]


async def test_a_video_that_was_taken_in_already_is_not_attached_as_well(world: World) -> None:
    task_id = await create_unknown(world)
    world.service.on_poll = always_answer(httpx.Response(200, json={"task_status": "running"}))
    async with world.client() as client:
        taken_in = structured(await call(client, "get_video_task", task_id=LONG))
    async with world.resolver() as resolver:
        reason = await refusal_of(resolver.attach(task_id, LONG))

    assert reason == (
        f"{CUT} already belongs to task {taken_in['task_id']}; if that is the right one,"
        " mark this one abandoned with --abandon. Nothing was changed."
    )


async def test_a_task_that_the_service_has_named_takes_no_other_name(world: World) -> None:
    task_id = await create_unknown(world)
    other = await create_unknown(world, prompt="a hare")
    given_up = Observation(status=Status.UNKNOWN, at=0.0, provider_task_id=LONG)
    async with world.open_ledger() as ledger:
        await ledger.change(task_id, lambda task: advance(task, given_up))
    world.service.on_poll = always_answer(httpx.Response(200, json={"task_status": "running"}))
    async with world.resolver() as resolver:
        reason = await refusal_of(resolver.attach(task_id, CHARGED))
        again = await resolver.attach(task_id, LONG)
        assert (await resolver.abandon(other)).status is Status.ABANDONED

    assert reason == f"The task is already GeekAI's task {CUT}. Nothing was changed."
    assert again.status is Status.RUNNING


async def test_a_task_of_another_key_is_not_attached_or_sent_with_this_one(world: World) -> None:
    task_id = await create_unknown(world)
    world.account = "another key"
    async with world.resolver() as resolver:
        with pytest.raises(InvalidDecision, match="another service or key"):
            await resolver.attach(task_id, CHARGED)
        with pytest.raises(InvalidDecision, match="another service or key"):
            await resolver.supersede(task_id)
        given_up = await resolver.abandon(task_id)

    assert given_up.status is Status.ABANDONED
    assert len(world.service.requests) == 1


async def test_an_abandoned_task_is_shown_as_such_and_nothing_is_sent_or_polled(
    world: World,
) -> None:
    task_id = await create_unknown(world)
    async with world.resolver() as resolver:
        given_up = await resolver.abandon(task_id)
    async with world.client() as client:
        await anyio.sleep(3600)
        shown = await call(client, "get_video_task", task_id=task_id)

    assert shown.is_error
    assert structured(shown)["task_status"] == "failed"
    assert structured(shown)["error"]["code"] == "abandoned"
    assert "It may have been charged." in text(shown)
    assert given_up.error_message == (
        "Abandoned by the user; the outcome is unknown. It may have been charged."
    )
    assert len(world.service.requests) == 1


async def test_what_was_given_up_is_not_what_the_next_call_repeats(world: World) -> None:
    task_id = await create_unknown(world)
    async with world.resolver() as resolver:
        await resolver.abandon(task_id)
    async with world.client() as client:
        again = structured(await call(client, "generate_video", prompt="a fox"))

    assert not again.get("deduplicated")
    assert world.service.charges == ["a fox", "a fox"]


async def test_an_answer_that_comes_after_a_person_gave_up_still_wins(world: World) -> None:
    """Its process was taken for dead, a person gave the task up, and the POST was answered."""

    async def after_being_given_up(_: httpx.Request) -> None:
        await anyio.sleep(5)
        async with world.open_ledger() as ledger:
            (task,) = await ledger.unfinished(world.account)
            unknown = Observation(status=Status.UNKNOWN, at=now(), owner=task.owner, attempt=1)
            await ledger.change(task.id, lambda task: advance(task, unknown))
        async with world.resolver() as resolver:
            await resolver.abandon(task.id)

    world.service.on_create = after_being_given_up
    async with world.client() as client:
        started = structured(await call(client, "generate_video", prompt="a fox"))
        done = structured(
            await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=45)
        )

    assert done["task_status"] == "succeed"
    assert world.service.charges == ["a fox"]


async def test_a_request_that_a_person_sends_again_is_a_task_of_its_own(world: World) -> None:
    task_id = await create_unknown(world)
    async with world.resolver() as resolver:
        sent = await resolver.send(await resolver.supersede(task_id))
    async with world.client() as client:
        old = await call(client, "get_video_task", task_id=task_id)
        done = structured(await call(client, "get_video_task", task_id=sent.id, wait_seconds=45))

    assert sent.status is Status.PENDING
    assert sent.id != task_id
    assert structured(old)["error"]["code"] == "abandoned"
    assert sent.id in text(old)
    assert done["task_status"] == "succeed"
    assert world.service.charges == ["a fox", "a fox"]
    first, second = world.service.jobs.values()
    assert first.body == second.body


async def test_a_request_is_sent_again_once_however_many_people_ask(world: World) -> None:
    task_id = await create_unknown(world)
    refused: list[str] = []

    async def resubmit() -> None:
        async with world.resolver() as resolver:
            try:
                await resolver.send(await resolver.supersede(task_id))
            except InvalidDecision as exc:
                refused.append(exc.message)

    async with anyio.create_task_group() as people:
        for _ in range(4):
            people.start_soon(resubmit)
    await resubmit()

    assert world.service.charges == ["a fox", "a fox"]
    assert len(await all_tasks(world)) == 2
    assert len(refused) == 4
    assert all("abandoned" in reason for reason in refused)


async def test_a_person_who_leaves_before_it_was_sent_again_has_it_sent_once(
    world: World,
) -> None:
    task_id = await create_unknown(world)
    async with world.resolver() as resolver:
        new = await resolver.supersede(task_id)
    async with world.client() as one, world.client():
        await anyio.sleep(60)
        done = structured(await call(one, "get_video_task", task_id=new.id, wait_seconds=45))

    assert done["task_status"] == "succeed"
    assert world.service.charges == ["a fox", "a fox"]


async def test_what_a_person_is_about_to_send_is_left_to_them_while_they_are_there(
    world: World,
) -> None:
    task_id = await create_unknown(world)
    async with world.client(), world.resolver() as resolver:
        new = await resolver.supersede(task_id)
        await anyio.sleep(30)
        meanwhile = list(world.service.charges)
        sent = await resolver.send(new)

    assert meanwhile == ["a fox"]
    assert sent.status is Status.PENDING
    assert world.service.charges == ["a fox", "a fox"]


@pytest.mark.parametrize("statement", ["UPDATE", "INSERT"])
async def test_a_crash_amid_the_decision_leaves_all_of_it_or_nothing(
    world: World, statement: str
) -> None:
    """A trigger stands for the end of the process at either half of the transaction."""
    task_id = await create_unknown(world)
    before = await all_tasks(world)
    world.refuse_statements(f"AFTER {statement}")
    async with world.resolver() as resolver:
        with pytest.raises(StorageUnavailable):
            await resolver.supersede(task_id)

    assert await all_tasks(world) == before


async def test_a_person_who_leaves_while_the_answer_is_awaited_pays_once(world: World) -> None:
    async def slowly(_: httpx.Request) -> None:
        await anyio.sleep(5)

    task_id = await create_unknown(world)
    world.service.on_create = slowly
    with anyio.move_on_after(1):
        async with world.resolver() as resolver:
            await resolver.send(await resolver.supersede(task_id))

    (new,) = (task for task in (await all_tasks(world)).values() if task.id != task_id)
    assert new.status is Status.PENDING
    assert world.service.charges == ["a fox", "a fox"]


async def test_a_person_who_leaves_is_not_held_for_as_long_as_an_answer_may_take(
    world: World,
) -> None:
    async def slowly(_: httpx.Request) -> None:
        await anyio.sleep(100)

    task_id = await create_unknown(world)
    world.service.on_create = slowly
    began = anyio.current_time()
    with anyio.move_on_after(1):
        async with world.resolver() as resolver:
            await resolver.send(await resolver.supersede(task_id))
    held = anyio.current_time() - began
    async with world.client():
        await anyio.sleep(60)

    assert held < 15
    (new,) = (task for task in (await all_tasks(world)).values() if task.id != task_id)
    assert new.status is Status.UNKNOWN
    assert world.service.charges == ["a fox", "a fox"]


async def test_a_second_outcome_that_is_unknown_is_for_a_person_again(world: World) -> None:
    task_id = await create_unknown(world)
    world.service.on_create = answer_once(httpx.ReadError("reset"))
    async with world.resolver() as resolver:
        second = await resolver.send(await resolver.supersede(task_id))
        third = await resolver.send(await resolver.supersede(second.id))

    assert (second.status, third.status) == (Status.UNKNOWN, Status.PENDING)
    assert world.service.charges == ["a fox"] * 3


async def test_what_was_refused_or_could_not_leave_the_second_time_costs_nothing(
    world: World,
) -> None:
    task_id = await create_unknown(world)
    world.service.before_charge = always_answer(api_error(400, "bad", "no"))
    async with world.resolver() as resolver:
        again = await resolver.send(await resolver.supersede(task_id))

    assert again.status is Status.REJECTED
    assert world.service.charges == ["a fox"]


async def test_a_full_disk_after_the_second_answer_names_the_task_at_the_service(
    world: World,
) -> None:
    task_id = await create_unknown(world)
    world.refuse_statements("BEFORE UPDATE", when="NEW.provider_task_id IS NOT NULL")
    async with world.resolver() as resolver:
        with pytest.raises(StorageUnavailable, match=r"0002.* It may have been charged\."):
            await resolver.send(await resolver.supersede(task_id))


async def test_a_task_made_elsewhere_has_no_request_to_send_again(world: World) -> None:
    observation = Observation(status=Status.RUNNING, at=now())
    stranger = import_task(observation, provider_task_id=CHARGED, account=world.account)
    async with world.open_ledger() as ledger:
        await ledger.add(replace(stranger, status=Status.UNKNOWN))
    async with world.resolver() as resolver:
        reason = await refusal_of(resolver.supersede(stranger.id))

    assert reason == (
        "The task was created elsewhere, so its request is not known here. Nothing was changed."
    )
    assert world.service.requests == []


@pytest.mark.parametrize("status", ["pending", "succeed"])
async def test_only_an_unknown_outcome_is_for_a_person_to_decide(world: World, status: str) -> None:
    async with world.client() as client:
        started = structured(await call(client, "generate_video", prompt="a fox"))
        if status == "succeed":
            await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=45)
    before, request_count = await all_tasks(world), len(world.service.requests)
    async with world.resolver() as resolver:
        reason = [
            await refusal_of(resolver.attach(started["task_id"], CHARGED)),
            await refusal_of(resolver.abandon(started["task_id"])),
            await refusal_of(resolver.supersede(started["task_id"])),
        ]

    only = f"The task is {status}; only an unknown outcome"
    assert reason == [
        f"{only} can be attached. Nothing was changed.",
        f"{only} can be resolved. Nothing was changed.",
        f"{only} can be resolved. Nothing was changed.",
    ]
    assert await all_tasks(world) == before
    assert len(world.service.requests) == request_count


async def create_unknown_with(world: World, **arguments: object) -> str:
    world.service.on_create = answer_once(httpx.ReadError("reset"))
    async with world.client() as client:
        return structured(await call(client, "generate_video", **arguments))["task_id"]


PICTURE = "data:image/png;base64,iVBORw0KGgo" + "A" * 9001


async def test_what_is_sent_again_has_its_pictures_whole(world: World) -> None:
    task_id = await create_unknown_with(world, prompt="a fox", image=PICTURE)
    async with world.resolver() as resolver:
        sent = await resolver.send(await resolver.supersede(task_id))

    assert sent.status is Status.PENDING
    assert [job.body["image"] for job in world.service.jobs.values()] == [PICTURE, PICTURE]


async def test_what_has_lost_its_pictures_is_not_sent_without_them(world: World) -> None:
    """They are let go when it is accepted, and a day later nobody knows what became of it."""
    world.service.job_seconds = 9 * GIVE_UP_AFTER
    async with world.client() as client:
        arguments = {"prompt": "a fox", "extra_body": {"image_list": [PICTURE]}}
        task_id = structured(await call(client, "generate_video", **arguments))["task_id"]
        async with world.open_ledger() as ledger:
            await ledger.change(task_id, lambda task: replace(task, poll_count=GIVE_UP_MIN_POLLS))
        world.clock_is_ahead = GIVE_UP_AFTER
        await anyio.sleep(60)
    before = await all_tasks(world)
    async with world.resolver() as resolver:
        reason = await refusal_of(resolver.supersede(task_id))
        assert await all_tasks(world) == before
        await resolver.abandon(task_id)

    assert reason == (
        "Its images are no longer stored, so it cannot be sent again unchanged; mark it as"
        " abandoned with --abandon, and request the video again. Nothing was changed."
    )
    assert before[task_id].status is Status.UNKNOWN
    assert world.service.charges == ["a fox"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"prompt": "a fox", "idempotency_key": "shot 1", "variation": 3},
        {"prompt": "data: " + "a fox and a hare " * 100},
    ],
    ids=["named", "taken for a picture"],
)
async def test_what_is_sent_again_keeps_its_name_and_its_take(
    world: World, arguments: dict[str, object]
) -> None:
    task_id = await create_unknown_with(world, **arguments)
    async with world.resolver() as resolver:
        sent = await resolver.send(await resolver.supersede(task_id))
    async with world.client() as client:
        again = structured(await call(client, "generate_video", **arguments))

    assert again["task_id"] == sent.id
    assert again["deduplicated"]
    assert len(world.service.charges) == 2


async def test_the_caps_hold_for_what_is_sent_again(world: World) -> None:
    task_id = await create_unknown(world)
    world.limits = Limits(per_day=1, in_flight=5)
    async with world.resolver() as resolver:
        with pytest.raises(CapReached):
            await resolver.supersede(task_id)

    (task,) = (await all_tasks(world)).values()
    assert task.status is Status.UNKNOWN


async def test_a_late_answer_is_recorded_though_its_name_went_to_another(world: World) -> None:
    task_id = await create_unknown_with(world, prompt="a fox", idempotency_key="shot 1")
    async with world.resolver() as resolver:
        await resolver.supersede(task_id)
    async with world.open_ledger() as ledger:
        old = await ledger.find(task_id)
        assert old is not None
        late = Observation(
            status=Status.PENDING, at=now(), owner=old.owner, attempt=1, provider_task_id=CHARGED
        )
        found = await ledger.change(task_id, lambda task: advance(task, late))

    assert (found.status, found.provider_task_id) == (Status.PENDING, CHARGED)
