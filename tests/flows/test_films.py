"""Films: finished videos joined on this machine, as tasks like any other."""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.domain.admission import Limits
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.errors import JoinFailed
from support.clips import make_clip
from support.tasks import Tasks
from support.world import World, call, structured, text

pytestmark = pytest.mark.both_databases

CLIP = make_clip(frames=12)


async def finished(client: Client, prompt: str = "a red fox", **more: Any) -> str:  # noqa: ANN401 - JSON
    """The id of a finished video."""
    asked = structured(await call(client, "generate_video", prompt=prompt, **more))
    task_id = asked["task_id"]
    done: dict[str, Any] = {}
    while "file" not in done:
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))
    return task_id


async def test_three_shots_become_one_film_in_one_call(world: World) -> None:
    async with world.client() as client:
        ids = [await finished(client, f"a red fox, shot {number}") for number in (1, 2, 3)]
        charged = len(world.service.charges)
        result = await call(client, "join_videos", parts=[ids[0][:8], f"{ids[1]}@1-4.5", ids[2]])
    film = structured(result)

    assert film["task_status"] == "succeed"
    assert film["sandbox"] is False
    assert Path(film["file"]).name == f"red-fox-1-film-{film['task_id'][:8]}.mp4"
    assert (film["duration"], film["width"], film["height"], film["audio"]) == (15, 1280, 720, True)
    assert film["warnings"] == ["The parts were joined without re-encoding."]
    assert "price_cny" not in film
    assert text(result) == (
        "Finished (a film): 15.0 s, 1280x720, 30 fps, with sound. File: "
        f"{film['file']} (1 kB)."
        " The parts were joined without re-encoding. To look at it, call view_video. Give the user"
        " the file. To continue from its last frame: generate_video with image"
        f' "task:{film["task_id"][:8]}".'
    )
    (request,) = world.join.requests
    assert [(part.start, part.end) for part in request.parts] == [
        (None, None),
        (1, 4.5),
        (None, None),
    ]
    assert len(world.service.charges) == charged


@pytest.mark.sqlite_only  # of several machines, another file in the film's place is not the film
async def test_a_film_is_readable_viewable_and_goes_on_as_a_first_frame(world: World) -> None:
    async with world.client() as client:
        first = await finished(client)
        film = structured(await call(client, "join_videos", parts=[first]))
        Path(film["file"]).write_bytes(CLIP)
        uri = f"video://tasks/{film['task_id']}"
        task = await client.read_resource(uri)
        video = await client.read_resource(f"{uri}/video")
        listed = [resource.name for resource in (await client.list_resources()).resources]
        image, source = f"task:{film['task_id']}", {"prompt": "on", "model": "kling-video-v2-6"}
        await call(client, "generate_video", **source, image=image)
        refused = await call(client, "generate_video", **source, video=image)

    assert '"task_status":"succeed"' in task.model_dump_json().replace("\\", "")
    assert video.contents[0].mime_type == "video/mp4"
    assert any(name.startswith(f"film of {first[:8]} · film task · ") for name in listed)
    assert list(world.service.jobs.values())[-1].body["image"].startswith("data:image/png;base64,")
    assert refused.is_error
    assert "a film, which is on this machine alone" in text(refused)
    assert "give one of its parts" in text(refused)


async def test_the_same_parts_are_the_same_film_while_its_file_is_there(world: World) -> None:
    async with world.client() as client:
        one, other = await finished(client), await finished(client, "a blue whale")
        first = structured(await call(client, "join_videos", parts=[one, other]))
        again = await call(client, "join_videos", parts=f"{one[:8]}, task:{other}@0-")
        cut = structured(await call(client, "join_videos", parts=[one, f"{other}@1-"]))
        Path(first["file"]).unlink()
        anew = structured(await call(client, "join_videos", parts=[one, other]))

    assert structured(again)["task_id"] == first["task_id"]
    assert structured(again)["deduplicated"] is True
    assert "so it is not joined again" in text(again)
    assert "generate" not in text(again).partition("To continue")[0]
    assert len({first["task_id"], cut["task_id"], anew["task_id"]}) == 3
    assert Path(anew["file"]).exists()
    assert len(world.join.requests) == 3


async def test_a_film_that_failed_says_why_and_the_same_call_tries_again(world: World) -> None:
    async with world.client() as client:
        part = await finished(client)
        world.join.error = JoinFailed("Part 1 is damaged", code="part_damaged", remedy="Leave it.")
        failed = await call(client, "join_videos", parts=[part])
        world.join.error = None
        made = structured(await call(client, "join_videos", parts=[part]))

    assert failed.is_error
    assert structured(failed)["error"] == {
        "code": "part_damaged",
        "message": "Part 1 is damaged. Leave it.",
    }
    assert "failed with code part_damaged. Part 1 is damaged. Leave it." in text(failed)
    assert "charged" not in text(failed) + json.dumps(structured(failed))
    assert "GeekAI" not in text(failed)
    assert made["task_status"] == "succeed"
    assert made["task_id"] != structured(failed)["task_id"]


async def test_a_bug_while_joining_ends_the_film_and_not_the_server(world: World) -> None:
    world.join.error = RuntimeError("private words")
    async with world.client() as client:
        failed = await call(client, "join_videos", parts=[await finished(client)])
        await anyio.sleep(60)  # no sweep tries it again
        listed = structured(await call(client, "list_video_tasks"))

    assert structured(failed)["error"]["code"] == "internal"
    assert "private words" not in text(failed)
    assert len(world.join.requests) == 1
    assert listed["tasks"][0]["task_status"] == "failed"


async def test_a_long_film_is_waited_for_in_time_and_by_get_video_task(world: World) -> None:
    world.join.seconds = 40
    reported: list[tuple[float, float | None, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        reported.append((progress, total, message))

    async with world.client() as client:
        part, began = await finished(client), anyio.current_time()
        result = await client.call_tool("join_videos", {"parts": [part]}, progress_callback=note)
        took = anyio.current_time() - began
        running = structured(result)
        done = await call(client, "get_video_task", task_id=running["task_id"], wait_seconds=45)

    assert took < 20
    assert running["task_status"] == "running"
    assert f"The film is being joined as task {running['task_id'][:8]}, of {part[:8]}." in text(
        result
    )
    assert running["next_step"].startswith("Call get_video_task")
    assert structured(done)["task_status"] == "succeed"
    assert structured(done)["warnings"] == list(world.join.notes)
    progress = [each for each, _, _ in reported]
    assert progress == sorted(set(progress))
    assert {total for _, total, _ in reported} == {100}
    assert max(progress) < 100
    assert "% joined" in str(reported[-1][2])


async def test_a_cancelled_call_leaves_its_film_to_be_made(world: World) -> None:
    world.join.seconds = 10
    async with world.client() as client:
        part = await finished(client)
        with anyio.move_on_after(3):
            await client.call_tool("join_videos", {"parts": [part]})
        again = structured(await call(client, "join_videos", parts=[part]))

    assert again["task_status"] == "succeed"
    assert again["deduplicated"] is True
    assert len(world.join.requests) == 1


@pytest.mark.parametrize("beside", [False, True])
async def test_a_film_whose_server_ended_is_made_once_by_another(
    world: World,
    beside: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    world.join.seconds = 60
    async with AsyncExitStack() as stack:
        if beside:
            await stack.enter_async_context(world.client())
        async with world.client() as client:
            part = await finished(client)
            running = structured(await call(client, "join_videos", parts=[part]))
        other = await stack.enter_async_context(world.client())
        done: dict[str, Any] = {}
        with anyio.fail_after(300):
            while "file" not in done:
                done = structured(
                    await call(other, "get_video_task", task_id=running["task_id"], wait_seconds=45)
                )
        same = structured(await call(other, "join_videos", parts=[part]))

    task = await world.find_task(running["task_id"])
    assert (task.status, task.attempt) == (Status.SUCCEED, 2)
    assert same["task_id"] == running["task_id"]
    assert len(world.join.requests) == 2
    assert [name for name in world.files() if "film" in name] == [Path(done["file"]).name]


async def test_a_server_without_work_of_its_own_leaves_the_film_of_a_living_one(
    world: World,
) -> None:
    world.join.seconds = 60
    async with world.client() as client, world.client() as other:
        running = structured(await call(client, "join_videos", parts=[await finished(client)]))
        await anyio.sleep(30)
        seen = await call(other, "get_video_task", task_id=running["task_id"], wait_seconds=45)

    assert structured(seen)["task_status"] == "succeed"
    assert len(world.join.requests) == 1


async def test_a_film_costs_nothing_and_counts_towards_no_cap(world: World) -> None:
    world.limits = Limits(per_day=2, in_flight=1, cny_per_day=1.0)
    world.join.seconds = 30
    async with world.client() as client:
        part = await finished(client)
        await call(client, "join_videos", parts=[part])
        await call(client, "join_videos", parts=[part, part])
        sent = await call(client, "generate_video", prompt="a blue whale")
        listed = structured(await call(client, "list_video_tasks"))

    assert not sent.is_error
    films = [task for task in listed["tasks"] if task["media"] == "film"]
    assert [film["settings"]["parts"] for film in films] == [[part[:8]] * 2, [part[:8]]]
    assert all("price_cny" not in film and "model" not in film for film in films)


async def test_a_film_of_sandbox_videos_is_called_a_preview_everywhere(world: World) -> None:
    world.join.seconds = 1  # the list shows the newest first: none is as old as another
    world.account = SANDBOX_URL
    async with world.client() as client:
        preview = await finished(client)
    world.account = "this key"
    async with world.client() as client:
        real = await finished(client, "a blue whale")
        mixed = await call(client, "join_videos", parts=[real, preview])
        outer = await call(client, "join_videos", parts=[structured(mixed)["task_id"], real])
        plain = await call(client, "join_videos", parts=[real])
        listed = structured(await call(client, "list_video_tasks", query="film"))

    for film in (mixed, outer):
        assert structured(film)["sandbox"] is True
        assert "sandbox previews in it, not made by GeekAI" in text(film)
    assert structured(plain)["sandbox"] is False
    assert "sandbox preview" not in text(plain)
    assert {task["task_id"]: task["sandbox"] for task in listed["tasks"]} == {
        structured(film)["task_id"]: film is not plain for film in (mixed, outer, plain)
    }
    assert Path(structured(outer)["file"]).name.startswith("blue-whale-film-")


@pytest.mark.sqlite_only  # of several machines, a file that was deleted is fetched anew
async def test_parts_that_cannot_be_joined_are_named_each_with_its_reason(world: World) -> None:
    async with world.client() as client:
        picture = structured(await call(client, "generate_image", prompt="a fox"))["task_id"]
        gone = await finished(client)
        Path((await world.find_task(gone)).file_path or "").unlink()
        world.service.error = {"code": "x", "message": "no"}
        failed = structured(await call(client, "generate_video", prompt="bad"))["task_id"]
        await call(client, "get_video_task", task_id=failed, wait_seconds=45)
        running = structured(await call(client, "generate_video", prompt="later"))["task_id"]
        parts = [picture, gone, failed, running, "ffff00aa"]
        refused = await call(client, "join_videos", parts=parts)
        wait = await call(client, "join_videos", parts=[running])

    said = text(refused)
    assert refused.is_error
    assert f"Part 1 ({picture[:8]}) is a picture, and only videos and films can be joined" in said
    assert f"Part 2 ({gone[:8]}): its file" in said
    assert f"Part 3 ({failed[:8]}) failed and has no video" in said
    assert f"Part 4 ({running[:8]}) is not finished, so call get_video_task" in said
    assert "Part 5 (ffff00aa): no task of this id is recorded here" in said
    assert text(wait).endswith("until it gives a file. Then make the same call.")
    assert "charged" not in said + text(wait)
    assert world.join.requests == []


async def test_a_part_of_another_key_is_joined_if_it_is_on_this_machine(world: World) -> None:
    async with world.client() as client:
        part = await finished(client)
    world.account = "another key"
    async with world.client() as client:
        film = structured(await call(client, "join_videos", parts=[part]))

    assert film["task_status"] == "succeed"


async def test_the_sound_is_a_file_of_an_allowed_folder_or_that_of_a_task(world: World) -> None:
    world.pictures.mkdir()
    music, outside = world.pictures / "song.mp3", world.folder / "song.mp3"
    music.write_bytes(b"la")
    outside.write_bytes(b"la")
    async with world.client() as client:
        part = await finished(client)
        first = structured(await call(client, "join_videos", parts=[part], audio=str(music)))
        music.write_bytes(b"la la")
        other = structured(await call(client, "join_videos", parts=[part], audio=str(music)))
        await call(client, "join_videos", parts=[part], audio=f"task:{part[:8]}")
        refused = await call(client, "join_videos", parts=[part], audio=str(outside))

    sounds = [request.audio for request in world.join.requests]
    assert sounds == [str(music), str(music), (await world.find_task(part)).file_path]
    assert first["task_id"] != other["task_id"], "with other sound it is another film"
    assert refused.is_error
    assert "audio: the file is outside the folders this server may read" in text(refused)


async def test_a_shot_that_was_given_a_picture_may_continue_the_one_before(world: World) -> None:
    async with world.client() as client:
        plain = await finished(client)
        drawn = await finished(client, "on", image="https://example.com/a.png")
        await call(client, "join_videos", parts=[drawn, plain, drawn, f"{drawn}@1-", drawn])
        await call(client, "join_videos", parts=[f"{plain}@-2", drawn])

    asked = [[part.continues for part in request.parts] for request in world.join.requests]
    assert asked == [[False, False, True, False, True], [False, False]]


async def test_a_client_of_the_tasks_extension_gets_a_film_as_a_task(world: World) -> None:
    world.join.seconds = 30
    tasks = Tasks()
    async with world.client(extensions=[tasks]) as client:
        if world.era == "legacy":
            return  # the extension is of the newest revision alone
        part = await finished(client)
        film = await call(client, "join_videos", parts=[part])

    assert structured(film)["task_status"] == "succeed"
    assert "charged" not in json.dumps(tasks.results[-2]["statusMessage"])
