"""A picture is a task like a video: paid once, followed to its file, told in GeekAI's words."""

import json
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import anyio
import httpx

from geekai_video_mcp.domain.admission import Limits
from support.fake_geekai import STILL, always_answer
from support.world import World, call, structured, text


async def finished_image(world: World, **arguments: object) -> dict[str, object]:
    """The structured result of a picture that was waited for."""
    async with world.client() as client:
        started = structured(await call(client, "generate_image", prompt="a fox", **arguments))
        done = await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=45)
    return structured(done)


async def test_a_prompt_becomes_a_picture_on_disk(world: World) -> None:
    async with world.client() as client:
        started = structured(await call(client, "generate_image", prompt="a fox in the snow"))
        done = await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=45)

    assert started["task_status"] == "succeed", "a picture is waited for"
    assert not done.is_error
    path = Path(structured(done)["file"])
    assert path.read_bytes() == STILL
    assert path.name == f"fox-snow-{started['task_id'][:8]}.png"
    assert "Finished: " in text(done)
    assert f"File: {path}" in text(done)
    assert f'generate_video with image "task:{started["task_id"][:8]}"' in text(done)


async def test_a_picture_is_asked_for_at_its_own_endpoint_with_what_was_set(world: World) -> None:
    async with world.client() as client:
        await call(
            client,
            "generate_image",
            prompt="狐",
            size="1024x1024",
            strength=0.4,
            extra_body={"seed": 7},
        )

    (request,) = [r for r in world.service.requests if r.method == "POST"]
    assert request.url.path == "/api/v1/images/generations"
    assert json.loads(request.content) == {
        "model": "cogview-3-flash",
        "prompt": "狐",
        "size": "1024x1024",
        "strength": 0.4,
        "extra_body": {"seed": 7},
        "async": True,
    }


async def test_the_result_mirrors_geekais_data(world: World) -> None:
    done = await finished_image(world)

    url = f"https://geekai.test/files/{world.provider_id(str(done['task_id']))}.png"
    assert done["data"] == [{"url": url, "revised_prompt": "a fox, revised"}]
    assert "video_result" not in done


async def test_a_picture_in_the_answer_itself_is_saved_and_kept_nowhere_else(world: World) -> None:
    world.service.as_base64 = True
    done = await finished_image(world)

    assert Path(str(done["file"])).read_bytes() == STILL
    assert done["data"] == [{"revised_prompt": "a fox, revised"}]
    with closing(connect(world.state / "ledger.sqlite3")) as disk:
        ((kept,),) = disk.execute("SELECT result FROM task")
    assert "base64" not in kept


async def test_base64_that_is_none_is_a_result_that_is_lost(world: World) -> None:
    async def garbled(request: httpx.Request) -> httpx.Response | None:
        if "/images/" not in request.url.path:
            return None
        answer = {"task_status": "succeed", "data": [{"b64_json": "?"}]}
        return httpx.Response(200, json=answer)

    world.service.on_poll = garbled
    async with world.client() as client:
        task_id = structured(await call(client, "generate_image", prompt="a fox"))["task_id"]
        await anyio.sleep(1000)
        lost = await call(client, "get_video_task", task_id=task_id)

    assert lost.is_error
    assert "could not be decoded" in text(lost)
    assert "It may have been charged." in text(lost)


async def test_a_service_that_answers_at_once_and_names_no_task_has_its_picture_saved(
    world: World,
) -> None:
    answer = {"created": 1, "data": [{"url": "https://geekai.test/files/now.png"}]}
    world.service.on_create = always_answer(httpx.Response(200, json=answer))
    async with world.client() as client:
        done = structured(await call(client, "generate_image", prompt="a fox", **{"async": False}))

    assert done["task_status"] == "succeed"
    assert Path(done["file"]).read_bytes() == STILL


async def test_the_same_picture_is_asked_for_once_and_another_take_by_its_number(
    world: World,
) -> None:
    async with world.client() as client:
        first = structured(await call(client, "generate_image", prompt="a fox"))
        again = structured(await call(client, "generate_image", prompt="a fox"))
        other = structured(await call(client, "generate_image", prompt="a fox", variation=2))

    assert again["task_id"] == first["task_id"] != other["task_id"]
    assert again["deduplicated"] is True
    assert len(world.service.charges) == 2


async def test_an_image_and_a_video_of_the_same_prompt_are_two_requests(world: World) -> None:
    async with world.client() as client:
        await call(client, "generate_image", prompt="a fox", model="m")
        await call(client, "generate_video", prompt="a fox", model="m")

    assert sorted(job.endpoint for job in world.service.jobs.values()) == ["images", "videos"]


async def test_a_picture_outlives_the_server_that_asked_for_it(world: World) -> None:
    async with world.client() as client:
        task_id = structured(await call(client, "generate_image", prompt="a fox"))["task_id"]
    async with world.client() as client:
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert Path(done["file"]).read_bytes() == STILL
    assert len(world.service.charges) == 1


async def test_a_picture_whose_answer_never_came_is_unknown_and_never_sent_again(
    world: World,
) -> None:
    world.service.on_create = always_answer(httpx.ReadError("reset"))
    async with world.client() as client:
        lost = await call(client, "generate_image", prompt="a fox")
        again = await call(client, "generate_image", prompt="a fox")

    assert structured(lost)["task_status"] == structured(again)["task_status"] == "unknown"
    assert "It may have been charged." in text(lost)
    assert "an image sent at" in text(lost)
    assert len(world.service.charges) == 1


async def test_pictures_count_against_the_caps_as_videos_do(world: World) -> None:
    world.limits = Limits(per_day=1, in_flight=10)
    async with world.client() as client:
        await call(client, "generate_image", prompt="a fox")
        capped = await call(client, "generate_video", prompt="a hare")

    assert capped.is_error
    assert "GEEKAI_MAX_VIDEOS_PER_DAY" in text(capped)
    assert world.service.charges == ["a fox"]


async def test_a_picture_made_elsewhere_is_found_by_geekais_id(world: World) -> None:
    async with world.client() as client:
        made = structured(await call(client, "generate_image", prompt="a fox"))
        theirs = world.provider_id(made["task_id"])
    (world.state / "ledger.sqlite3").unlink()
    async with world.client() as client:
        done = structured(await call(client, "get_video_task", task_id=theirs, wait_seconds=45))

    assert Path(done["file"]).read_bytes() == STILL


async def test_a_dry_run_of_a_picture_sends_nothing(world: World) -> None:
    async with world.client() as client:
        shown = await call(client, "generate_image", prompt="a fox", dry_run=True)

    assert "Dry run of a request to cogview-3-flash for an image." in text(shown)
    assert world.service.requests == []


async def test_wrong_arguments_of_a_picture_are_named_and_nothing_is_sent(world: World) -> None:
    async with world.client() as client:
        refused = await call(client, "generate_image", prompt="a fox", duration=5, strength=2, n=4)

    assert refused.is_error
    for name in ("duration", "strength", "n: unknown argument"):
        assert name in text(refused)
    assert world.service.requests == []
