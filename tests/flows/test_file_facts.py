"""What the record says of a finished file: what was measured on it, and nothing that was not."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import httpx
import pytest
from PIL import Image

from geekai_video_mcp.domain.result_file import reopen_file
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.media.inspection import FileFacts, Reason, Verdict
from support import world as world_module
from support.clips import make_clip, make_sound
from support.fake_geekai import always_answer, file_reply
from support.ledgers import open_ledger
from support.stills import encode_image, halves
from support.world import World, call, inspect_now, render_now, structured, text

UNKNOWN: Final = {"seconds": None, "width": None, "height": None, "fps": None, "has_sound": None}
Inspect = Callable[..., Awaitable[FileFacts]]


@pytest.fixture
def inspection(monkeypatch: pytest.MonkeyPatch) -> Callable[[Inspect], None]:
    """Sets what is found out about each file from then on."""
    return lambda inspect: monkeypatch.setattr(world_module, "skip_inspection", inspect)


def facts(task: Task) -> dict[str, Any]:
    return {name: getattr(task, f"file_{name}") for name in UNKNOWN}


async def generate(world: World, content: bytes, *, tool: str = "generate_video") -> Task:
    """The task on record after the service has given *content* as its result."""

    async def give(_: httpx.Request) -> httpx.Response:
        return file_reply(content)

    world.service.on_file = give
    async with world.client() as client:
        task_id = structured(await call(client, tool, prompt="a fox"))["task_id"]
        await anyio.sleep(120)
        await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
    return await world.find_task(task_id)


async def test_both_forms_of_a_task_are_lean_while_it_runs_and_when_it_is_finished(
    world: World, inspection: Callable[[Inspect], None]
) -> None:
    """The link of a result counts for nothing, and neither does the length of a test's folder."""
    inspection(inspect_now)
    world.render_preview = render_now
    clip = make_clip(frames=30, size=(160, 90), sound=True)
    world.service.on_file = lambda _: _reply(clip)
    wish = {
        "prompt": "A red fox runs through deep snow at dawn, slow motion, low camera",
        "model": "veo-3.1-fast-generate-preview",
        "duration": 8,
        "aspect_ratio": "9:16",
    }
    async with world.client() as client:
        made = await call(client, "generate_video", **wish)
        task_id = structured(made)["task_id"]
        running = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)
        done = await call(client, "get_video_task", task_id=task_id, wait_seconds=45)

    assert structured(running)["task_status"] in {"pending", "running"}
    assert structured(done)["fps"] == 12
    assert "sheet" in structured(done)
    for result, limit in ((running, 450), (done, 700)):
        shown = {name: each for name, each in structured(result).items() if name != "video_result"}
        for form in (json.dumps(shown, ensure_ascii=False, separators=(",", ":")), text(result)):
            told = form.replace(str(world.output), "/home/li/Videos/geekai")
            assert len(told.encode()) <= limit, told


async def _reply(content: bytes) -> httpx.Response:
    return file_reply(content)


@pytest.mark.parametrize("sound", [True, False])
async def test_a_finished_video_is_recorded_with_its_length_size_rate_and_sound(
    world: World, inspection: Callable[[Inspect], None], *, sound: bool
) -> None:
    inspection(inspect_now)
    task = await generate(world, make_clip(frames=30, size=(160, 90), sound=sound))

    assert task.file_status is FileStatus.STORED
    assert facts(task) == {
        "seconds": 2.5,
        "width": 160,
        "height": 90,
        "fps": 12,
        "has_sound": sound,
    }


async def test_a_phones_upright_video_is_recorded_as_it_is_seen(
    world: World, inspection: Callable[[Inspect], None]
) -> None:
    inspection(inspect_now)
    task = await generate(world, make_clip(size=(160, 90), rotation=90))

    assert (task.file_width, task.file_height) == (90, 160)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
async def test_a_picture_is_recorded_with_its_size_and_has_neither_length_nor_sound(
    world: World, inspection: Callable[[Inspect], None], form: str
) -> None:
    inspection(inspect_now)
    task = await generate(world, encode_image(halves(96, 54), form), tool="generate_image")

    assert task.file_status is FileStatus.STORED
    assert facts(task) == {**UNKNOWN, "width": 96, "height": 54}


@pytest.mark.parametrize(
    ("form", "size"),
    [("PNG", (96, 54)), ("TIFF", (None, None))],
    ids=["a format that is opened here", "a format that is not"],
)
async def test_a_picture_in_place_of_a_video_is_recorded_as_a_picture(
    world: World,
    inspection: Callable[[Inspect], None],
    form: str,
    size: tuple[int | None, int | None],
) -> None:
    inspection(inspect_now)
    task = await generate(world, encode_image(halves(96, 54), form))

    assert task.file_error_code == "other_format"
    assert facts(task) == {**UNKNOWN, "width": size[0], "height": size[1]}


async def test_a_video_in_place_of_a_picture_is_recorded_as_a_video(
    world: World, inspection: Callable[[Inspect], None]
) -> None:
    inspection(inspect_now)
    task = await generate(world, make_clip(sound=True), tool="generate_image")

    assert task.file_error_code == "other_format"
    assert (task.file_seconds, task.file_width, task.file_has_sound) == (1, 64, True)


async def test_a_moving_gif_is_recorded_with_its_length(
    world: World, inspection: Callable[[Inspect], None]
) -> None:
    inspection(inspect_now)
    frames = [Image.new("RGB", (64, 48), (shade, 0, 0)) for shade in range(0, 200, 20)]
    gif = encode_image(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=200)
    task = await generate(world, gif)

    assert task.file_path is not None
    assert task.file_path.endswith(".gif")
    assert facts(task) == {
        "seconds": 2,
        "width": 64,
        "height": 48,
        "fps": 5,
        "has_sound": False,
    }


async def test_sound_alone_has_no_size(world: World, inspection: Callable[[Inspect], None]) -> None:
    inspection(inspect_now)
    content = make_sound()
    task = await generate(world, content[:8] + b"M4A " + content[12:])

    assert task.file_error_code == "other_format"
    assert facts(task) == {**UNKNOWN, "has_sound": True}


async def test_what_was_not_found_out_in_time_is_recorded_as_unknown(world: World) -> None:
    task = await generate(world, make_clip())

    assert task.file_status is FileStatus.STORED
    assert facts(task) == UNKNOWN


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"fps": 29.97003, "seconds": 5.0416}, {"fps": 29.97, "seconds": 5.04}),
        ({"fps": 30.0, "seconds": 5.0}, {"fps": 30, "seconds": 5}),
        ({"fps": 90_000.0, "seconds": 0.0}, {}),
        ({"fps": float("inf"), "seconds": float("nan")}, {}),
        ({"has_sound": True}, {"has_sound": True}),
    ],
)
async def test_lengths_and_rates_are_recorded_to_the_hundredth_and_only_if_they_can_be_true(
    world: World,
    inspection: Callable[[Inspect], None],
    found: dict[str, Any],
    told: dict[str, Any],
) -> None:
    async def inspect(_: object) -> FileFacts:
        return FileFacts(verdict=Verdict.DECODABLE, **found)

    inspection(inspect)
    assert facts(await generate(world, make_clip())) == {**UNKNOWN, **told}


async def find_after_crash(world: World, task: Task) -> Task:
    """The task after a crash between the publishing of its file and the record of it.

    Its link is dead by then, so that nothing but the file under its name is left.
    """
    async with open_ledger(world.state) as ledger:
        await ledger.change(task.id, reopen_file)
    world.service.on_file = always_answer(httpx.Response(404))
    async with world.app():
        await anyio.sleep(60)
    return await world.find_task(task.id)


async def test_a_file_published_before_a_crash_is_recorded_with_its_facts(
    world: World, inspection: Callable[[Inspect], None]
) -> None:
    inspection(inspect_now)
    before = await generate(world, make_clip(sound=True))
    found = await find_after_crash(world, before)

    assert found.file_path == before.file_path
    assert found.file_status is FileStatus.STORED
    assert facts(found) == facts(before)
    assert found.file_has_sound is True


async def test_an_undecodable_file_published_before_a_crash_is_still_called_undecodable(
    world: World, inspection: Callable[[Inspect], None]
) -> None:
    async def inspect(_: object) -> FileFacts:
        return FileFacts(verdict=Verdict.UNDECODABLE, reason=Reason.FRAME, has_sound=True)

    inspection(inspect)
    before = await generate(world, make_clip())
    found = await find_after_crash(world, before)

    assert (found.file_status, found.file_error_code) == ("linked", "undecodable")
    assert found.file_path == before.file_path
    assert facts(found) == facts(before) == {**UNKNOWN, "has_sound": True}


async def test_the_facts_of_a_file_are_those_of_the_one_that_was_fetched_last(
    world: World, inspection: Callable[[Inspect], None]
) -> None:
    async def undecodable(_: object) -> FileFacts:
        return FileFacts(verdict=Verdict.UNDECODABLE, reason=Reason.FRAME, width=7, height=7)

    inspection(undecodable)
    task = await generate(world, make_clip())
    inspection(inspect_now)
    async with world.app(sweep=False) as app:
        fetched = await app.engine.fetch_again(task.id)

    assert fetched.file_status is FileStatus.STORED
    assert (fetched.file_width, fetched.file_height, fetched.file_seconds) == (64, 48, 1)
