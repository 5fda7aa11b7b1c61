"""A request that uses the result of an unfinished task is sent when that has finished."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client

import support.world
from geekai_video_mcp.domain.admission import ExistingTasks, Limits
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import new_task
from geekai_video_mcp.domain.waiting import release
from support.fake_geekai import always_answer, file_reply
from support.stills import (
    BLUE,
    RED,
    decode_image,
    encode_image,
    halves,
    is_close,
    make_video,
    uri_bytes,
)
from support.world import World, call, structured, text

pytestmark = pytest.mark.both_databases

PNG_HEAD = "data:image/png;base64,"


@pytest.fixture(autouse=True)
def _real_videos(world: World) -> None:
    """Results that can be seen: pictures, and a red video of 2 s whose last frame is blue."""
    picture, video = encode_image(halves()), make_video()

    async def serve(request: httpx.Request) -> httpx.Response:
        return file_reply(picture if request.url.path.endswith(".png") else video)

    world.service.on_file = serve


async def generate(client: Client, prompt: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """What a request that is taken gives."""
    result = await call(client, "generate_video", prompt=prompt, **arguments)
    assert not result.is_error, text(result)
    return structured(result)


async def read(client: Client, task_id: str, wait_seconds: int = 0) -> dict[str, Any]:
    return structured(
        await call(client, "get_video_task", task_id=task_id, wait_seconds=wait_seconds)
    )


async def wait_for(client: Client, task_id: str) -> dict[str, Any]:
    """The task after as much waiting as two shots need."""
    found = dict[str, Any]()
    for _ in range(4):
        found = await read(client, task_id, wait_seconds=45)
        if found["task_status"] not in {"pending", "running", "submitting"}:
            break
    return found


def sent_body(world: World, prompt: str) -> Mapping[str, Any]:
    """The body that GeekAI got with this prompt; exactly one."""
    (body,) = [job.body for job in world.service.jobs.values() if job.body["prompt"] == prompt]
    return body


async def test_a_shot_that_continues_an_unfinished_one_is_sent_when_that_is_done(
    world: World,
) -> None:
    async with world.client() as client:
        first = await generate(client, "one")
        result = await call(
            client, "generate_video", prompt="two", image=f"task:{first['task_id'][:8]}"
        )
        second = structured(result)
        assert world.service.charges == ["one"]
        waiting = await read(client, second["task_id"])
        done = await wait_for(client, second["task_id"])

    short = first["task_id"][:8]
    assert f"image task:{short}" in text(result)
    assert f"It waits for task {short}, and is sent when that is done." in text(result)
    assert (second["task_status"], second["waiting_for"]) == ("pending", [first["task_id"]])
    assert second["sent"]["image"] == f"task:{short}"
    assert (waiting["task_status"], waiting["waiting_for"]) == ("pending", [first["task_id"]])
    assert done["task_status"] == "succeed"
    assert "waiting_for" not in done
    assert world.service.charges == ["one", "two"]
    image = decode_image(sent_body(world, "two")["image"])
    assert is_close(image.getpixel((32, 24)), BLUE, within=20)


async def test_it_is_sent_within_a_second_of_its_parents_file(world: World) -> None:
    async with world.client() as client:
        first = await generate(client, "one")
        await generate(client, "two", image=f"task:{first['task_id']}")
        done = await wait_for(client, first["task_id"])
        ended = world.clock()
        await anyio.sleep(1)

    assert done["task_status"] == "succeed"
    (job,) = [job for job in world.service.jobs.values() if job.body["prompt"] == "two"]
    assert job.charged_at <= ended + 1


async def test_three_shots_in_a_chain_are_sent_one_after_another(world: World) -> None:
    async with world.client() as client:
        one = (await generate(client, "one"))["task_id"]
        two = (await generate(client, "two", image=f"task:{one}"))["task_id"]
        three = (await generate(client, "three", image=f"task:{two}"))["task_id"]
        listed = await call(client, "list_video_tasks", status="pending")
        done = await wait_for(client, three)

    entries = {each["task_id"]: each for each in structured(listed)["tasks"]}
    assert entries[three]["waiting_for"] == [two]
    assert f"waits for task {two[:8]}" in text(listed)
    assert done["task_status"] == "succeed"
    assert world.service.charges == ["one", "two", "three"]


async def test_a_picture_may_be_waited_for_and_several_tasks_together(world: World) -> None:
    async with world.client() as client:
        picture = structured(
            await call(client, "generate_image", prompt="a still", **{"async": True})
        )["task_id"]
        shot = (await generate(client, "one"))["task_id"]
        await anyio.sleep(20)
        late = (await generate(client, "late"))["task_id"]
        both = await generate(
            client, "two", model="kling-video-v3", image=f"task:{shot}", image_tail=f"task:{late}"
        )
        after = await generate(client, "three", images=[f"task:{picture}"], model="veo3.1")
        await anyio.sleep(20)
        waiting = await read(client, both["task_id"])
        done = await wait_for(client, both["task_id"])
        await wait_for(client, after["task_id"])

    assert both["waiting_for"] == [shot, late]
    assert waiting["waiting_for"] == [late]
    assert done["task_status"] == "succeed"
    body = sent_body(world, "two")
    assert body["image"].startswith(PNG_HEAD)
    assert body["image_tail"].startswith(PNG_HEAD)
    assert uri_bytes(sent_body(world, "three")["images"][0]) == encode_image(halves())


async def test_a_video_may_be_waited_for_and_goes_by_its_link(world: World) -> None:
    async with world.client() as client:
        one = (await generate(client, "one"))["task_id"]
        asked = {"model": "super-video-2.0", "image": f"task:{one}"}
        two = await generate(client, "two", video=f"task:{one}", **asked)
        again = await generate(client, "two", video=f"task:{one}/video", **asked)
        await wait_for(client, two["task_id"])

    (job,) = [name for name, job in world.service.jobs.items() if job.body["prompt"] == "one"]
    assert two["sent"] == {"image": f"task:{one[:8]}", "video": f"task:{one[:8]}"}
    assert again["task_id"] == two["task_id"]
    assert sent_body(world, "two")["video"] == f"https://geekai.test/files/{job}.mp4"
    assert sent_body(world, "two")["image"].startswith(PNG_HEAD)


async def test_the_same_call_finds_the_same_task_before_and_after(world: World) -> None:
    async with world.client() as client:
        one = (await generate(client, "one"))["task_id"]
        first = await generate(client, "two", image=f"task:{one[:8]}")
        asked_at = world.clock()
        again = await generate(client, "two", image=f"video://tasks/{one}/last-frame")
        answered_at = world.clock()
        await wait_for(client, one)
        await anyio.sleep(5)
        after = await generate(client, "two", image=f"task:{one}")

    assert again["task_id"] == after["task_id"] == first["task_id"]
    assert again["deduplicated"]
    assert answered_at < asked_at + 1
    assert after["deduplicated"]
    assert world.service.charges == ["one", "two"]


async def test_an_idempotency_key_belongs_to_the_waiting_request(world: World) -> None:
    async with world.client() as client:
        one = (await generate(client, "one"))["task_id"]
        first = await generate(client, "two", image=f"task:{one}", idempotency_key="k")
        other = await call(client, "generate_video", prompt="three", idempotency_key="k")
        await wait_for(client, one)
        again = await generate(client, "two", image=f"task:{one}", idempotency_key="k")

    assert "belongs to an earlier request" in text(other)
    assert again["task_id"] == first["task_id"]


async def test_a_shot_whose_parent_fails_is_not_sent_and_costs_nothing(world: World) -> None:
    world.service.error = {"code": "1301", "message": "sensitive"}
    async with world.client() as client:
        one = (await generate(client, "one"))["task_id"]
        two = (await generate(client, "two", image=f"task:{one}"))["task_id"]
        three = (await generate(client, "three", image=f"task:{two}"))["task_id"]
        await anyio.sleep(60)
        result = await call(client, "get_video_task", task_id=two)
        chained = await call(client, "get_video_task", task_id=three)
        refused = await call(client, "generate_video", prompt="four", image=f"task:{two}")

    assert result.is_error
    assert structured(result)["error"]["code"] == "parent_failed"
    assert f"Task {one[:8]}, whose result it uses, ended as failed" in text(result)
    assert "Nothing was charged." in text(result)
    assert f"Task {two[:8]}, whose result it uses, ended as rejected" in text(chained)
    assert "its status is rejected" in text(refused)
    assert world.service.charges == ["one"]


async def test_a_parent_of_unknown_outcome_is_waited_for(world: World) -> None:
    world.service.on_create = always_answer(httpx.ReadError("cut"))
    async with world.client() as client:
        one = structured(await call(client, "generate_video", prompt="one"))["task_id"]
        world.service.on_create = no_script
        two = (await generate(client, "two", image=f"task:{one}"))["task_id"]
        await anyio.sleep(3600)
        waiting = await read(client, two)
        async with world.resolver() as resolver:
            await resolver.attach(one, next(iter(world.service.jobs)))
        await anyio.sleep(60)
        done = await wait_for(client, two)

    assert (waiting["task_status"], waiting["waiting_for"]) == ("pending", [one])
    assert done["task_status"] == "succeed"


async def no_script(_: httpx.Request) -> None:
    return None


async def test_of_two_servers_that_start_later_one_sends_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = support.world._run_worker_now  # pyright: ignore[reportPrivateUsage]

    async def decode_in_a_second(arguments: Sequence[str], content: bytes) -> object:
        await anyio.sleep(1)
        return await run(arguments, content)

    # Both prepare the picture at the same time, and then both want to send.
    monkeypatch.setattr("support.world._run_worker_now", decode_in_a_second)
    async with world.client() as client:
        one = (await generate(client, "one"))["task_id"]
        two = (await generate(client, "two", image=f"task:{one}"))["task_id"]
    await anyio.sleep(3600)
    async with world.client() as client, world.client() as other:
        await anyio.sleep(60)
        done = await wait_for(client, two)
        assert (await read(other, two))["task_status"] == "succeed"

    assert done["task_status"] == "succeed"
    assert world.service.charges == ["one", "two"]


async def test_two_servers_send_it_once(world: World) -> None:
    async with world.client() as client, world.client() as other:
        one = (await generate(client, "one"))["task_id"]
        two = (await generate(other, "two", image=f"task:{one}"))["task_id"]
        done = await wait_for(client, two)

    assert done["task_status"] == "succeed"
    assert world.service.charges == ["one", "two"]


@pytest.mark.parametrize(("minutes", "charges"), [(14, ["one", "two"]), (16, ["one"])])
async def test_a_shot_whose_server_ended_after_its_parent_is_sent_for_a_quarter_of_an_hour(
    world: World, monkeypatch: pytest.MonkeyPatch, minutes: int, charges: list[str]
) -> None:
    async def never(*_: object) -> None:
        await anyio.sleep_forever()

    with monkeypatch.context() as patch:
        patch.setattr("support.world._run_worker_now", never)
        async with world.client() as client:
            one = (await generate(client, "one"))["task_id"]
            two = (await generate(client, "two", image=f"task:{one}"))["task_id"]
            await wait_for(client, one)
            await anyio.sleep(5)
    await anyio.sleep(60 * minutes)
    async with world.client() as client:
        await anyio.sleep(60)
        result = await call(client, "get_video_task", task_id=two)

    assert world.service.charges == charges
    assert result.is_error == (charges == ["one"])
    if result.is_error:
        assert "No server ran when it could be sent" in text(result)
        assert "Nothing was charged." in text(result)


@pytest.mark.exhaustive
@pytest.mark.parametrize("minutes", [5, 60])
async def test_a_full_cap_in_flight_is_waited_for_as_long_as_a_server_runs(
    world: World, minutes: int
) -> None:
    world.limits = Limits(per_day=50, in_flight=2)
    busy = {"is": True}

    async def keep_the_long_one_running(request: httpx.Request) -> httpx.Response | None:
        job = world.service.jobs[request.url.path.rsplit("/", 1)[-1]]
        if job.body["prompt"] != "long" or not busy["is"]:
            return None
        return httpx.Response(200, json={"task_id": job.id, "task_status": "running"})

    world.service.on_poll = keep_the_long_one_running
    async with world.client() as client:
        one = (await generate(client, "one"))["task_id"]
        await generate(client, "long")
        two = (await generate(client, "two", image=f"task:{one}"))["task_id"]
        world.limits = Limits(per_day=50, in_flight=1)
    async with world.client() as client:
        await wait_for(client, one)
        await anyio.sleep(60 * minutes)
        result = await call(client, "get_video_task", task_id=two, wait_seconds=0)
        busy["is"] = False
        done = await wait_for(client, two)

    assert structured(result)["task_status"] == "pending"
    assert "is sent when fewer videos are in progress" in text(result)
    assert done["task_status"] == "succeed"
    assert world.service.charges == ["one", "long", "two"]


async def test_a_waiting_request_has_a_place_in_the_day_and_none_in_flight(world: World) -> None:
    world.limits = Limits(per_day=2, in_flight=1)
    async with world.client() as client:
        one = (await generate(client, "one"))["task_id"]
        await generate(client, "two", image=f"task:{one}")
        await wait_for(client, one)
        refused = await call(client, "generate_video", prompt="three", image=f"task:{one}")

    assert "GEEKAI_MAX_VIDEOS_PER_DAY=2" in text(refused) or "MAX_IN_FLIGHT=1" in text(refused)
    assert "three" not in world.service.charges


async def test_a_dry_run_says_what_it_would_wait_for_and_records_nothing(world: World) -> None:
    async with world.client() as client:
        one = (await generate(client, "one"))["task_id"]
        result = await call(
            client, "generate_video", prompt="two", image=f"task:{one}", dry_run=True
        )

    shown = structured(result)["dry_run"]
    assert shown["waiting_for"] == [one]
    assert shown["request"]["image"] == f"task:{one}"
    assert f"It waits for task {one[:8]}, and is sent when that is done." in text(result)
    assert f"image task:{one[:8]}" in text(result)
    assert len(await world.tasks()) == 1


# The frame at a second


@pytest.mark.parametrize("finished", [True, False])
async def test_a_frame_at_a_second_is_taken_from_a_finished_and_from_an_unfinished_video(
    world: World, *, finished: bool
) -> None:
    async with world.client() as client:
        one = (await generate(client, "one"))["task_id"]
        if finished:
            await wait_for(client, one)
        two = await generate(client, "two", image=f"task:{one[:8]}@1.50")
        again = await generate(client, "two", image=f"{one}@1.5")
        await wait_for(client, two["task_id"])

    assert again["task_id"] == two["task_id"]
    assert two["sent"]["image"] == f"task:{one[:8]}@1.5"
    image = decode_image(sent_body(world, "two")["image"])
    assert image.size == (64, 48)
    assert is_close(image.getpixel((32, 24)), RED, within=20)


async def test_a_frame_after_the_end_is_refused_with_the_length(world: World) -> None:
    async with world.client() as client:
        one = (await generate(client, "one"))["task_id"]
        early = (await generate(client, "early", image=f"task:{one}@2.5"))["task_id"]
        await wait_for(client, one)
        await anyio.sleep(5)
        late = await call(client, "generate_video", prompt="late", image=f"task:{one}@2.5")
        rejected = await call(client, "get_video_task", task_id=early)

    assert "that task's video has 2.00 s, and no frame at 2.5 s" in text(late)
    assert "that task's video has 2.00 s, and no frame at 2.5 s" in text(rejected)
    assert "Nothing was charged." in text(rejected)
    assert world.service.charges == ["one"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"image": "task:{}@last"}, "a number of seconds"),
        ({"image": "task:{}@-1"}, "a number of seconds"),
        ({"video": "task:{}@2"}, "one frame and not the video"),
    ],
)
async def test_a_second_that_is_none_is_refused(
    world: World, arguments: dict[str, str], why: str
) -> None:
    async with world.client() as client:
        one = (await generate(client, "one"))["task_id"]
        named = {name: value.format(one) for name, value in arguments.items()}
        result = await call(client, "generate_video", prompt="two", **named)

    assert result.is_error
    assert why in text(result)


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.WAITING}))
def test_a_request_that_another_process_was_first_to_send_is_left_as_it_is(status: Status) -> None:
    task = new_task(request={"prompt": "two"}, account="s", owner="first", at=1.0)
    sent = replace(task, status=status, attempt=1)

    assert release(sent, ExistingTasks(), ready_at=1.0, owner="second", at=2.0) is sent
