"""Looking at what tasks have made: one picture and a line for each, or why there is none."""

import base64
import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client
from mcp_types import CallToolResult, ImageContent, TextContent
from PIL import Image

from geekai_video_mcp.config import SANDBOX_URL, PreviewDelivery, Settings
from geekai_video_mcp.errors import RequestRefused
from geekai_video_mcp.server.arguments.view_video import ViewVideo
from geekai_video_mcp.server.pictures import shows_pictures
from support.clips import make_clip, make_sound
from support.fake_geekai import always_answer
from support.stills import encode_image
from support.world import World, call, render_now, structured, text

CLIP = make_clip(frames=36, size=(320, 180), sound=True)


async def finished(client: Client, world: World, content: bytes = CLIP) -> str:
    """A finished task whose file has this content."""
    prompt = f"shot {len(world.service.charges)}"
    task_id = structured(await call(client, "generate_video", prompt=prompt))["task_id"]
    done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))
    while "file" not in done:
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))
    Path(done["file"]).write_bytes(content)
    return task_id


@asynccontextmanager
async def looking(world: World) -> AsyncGenerator[Client]:
    world.render_preview = render_now
    async with world.client() as client:
        yield client


def picture(result: CallToolResult) -> Image.Image:
    """The picture of the result, which comes last, after one text, and beside no structure."""
    words, shown = result.content
    assert isinstance(words, TextContent)
    assert isinstance(shown, ImageContent)
    assert not result.is_error
    assert result.structured_content is None
    return Image.open(io.BytesIO(base64.b64decode(shown.data)))


def assert_refused(result: CallToolResult, *words: str) -> None:
    assert result.is_error
    assert result.structured_content is None
    assert [block.type for block in result.content] == ["text"]
    for each in words:
        assert each in text(result)
    assert "charged" not in text(result)


async def test_a_finished_video_is_shown_and_its_sheet_is_saved_once(world: World) -> None:
    async with looking(world) as client:
        task_id = await finished(client, world)
        shown = await call(client, "view_video", task_id=task_id)
        (sheet,) = world.output.glob("*.frames.jpg")
        written = sheet.stat()
        again = await call(client, "view_video", task_id=task_id)

    assert picture(shown).size == picture(again).size
    assert (
        text(shown)
        == text(again)
        == (
            f"Contact sheet of task {task_id[:8]}: frames from the first to the last, at 0.0, 0.6,"
            " 1.2, 1.8, 2.3 and 2.9 s. The video: 3.0 s, 320x180, 12 fps, with sound. Picture file,"
            f" for the user: {sheet}"
        )
    )
    after = sheet.stat()
    assert (after.st_ino, after.st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


async def test_what_the_sandbox_made_is_called_a_preview_in_a_whole_sentence(world: World) -> None:
    world.account = SANDBOX_URL
    async with looking(world) as client:
        alone = await call(client, "view_video", task_id=await finished(client, world))
        missing = await call(client, "view_video", task_id="ffff00aa")

    assert " This is a sandbox preview, not made by GeekAI. " in text(alone)
    assert "GeekAI" not in text(missing), "the sandbox has no tasks but those recorded here"


async def test_other_views_are_described_in_the_same_way(world: World) -> None:
    async with looking(world) as client:
        task_id = await finished(client, world)
        cover = await call(client, "view_video", task_id=task_id, view="cover")
        one = await call(client, "view_video", task_id=task_id, at=[1.5])
        late = await call(client, "view_video", task_id=task_id, at=["0.5s", 99])

    assert picture(cover).size == picture(one).size == (320, 180)
    assert f"Cover of task {task_id[:8]}: the frame at 1.5 s. The video: 3.0 s" in text(cover)
    assert f"Task {task_id[:8]}: the frame at 1.50 s. The video: 3.0 s" in text(one)
    assert "frames at 0.50 and 2.92 s." in text(late)
    assert "For a time beyond the end, the last frame is shown." in text(late)


async def test_a_picture_is_shown_with_its_own_path(world: World) -> None:
    async with looking(world) as client:
        still = encode_image(Image.new("RGB", (300, 200), (90, 20, 20)))
        task_id = await finished(client, world, still)
        shown = await call(client, "view_video", task_id=task_id)

    assert picture(shown).size == (300, 200)
    (path,) = world.output.glob(f"*-{task_id[:8]}.[!j]*")
    assert text(shown) == (
        f"Picture of task {task_id[:8]}, 300x200. Picture file, for the user: {path}"
    )


@pytest.mark.exhaustive
@pytest.mark.parametrize("form", [" ".join, ", ".join, list], ids=["spaces", "commas", "list"])
async def test_several_are_shown_side_by_side_and_the_rest_has_a_line_each(
    world: World,
    form: Any,  # noqa: ANN401 - what a model may pass
) -> None:
    async with looking(world) as client:
        first, second = await finished(client, world), await finished(client, world)
        broken = await finished(client, world, b"no video")
        shown = await call(
            client, "view_video", task_id=form([first, "f" * 32, second, broken, first])
        )

    picture(shown)
    lines = text(shown).splitlines()
    assert lines[0] == "Side by side, each named by the first digits of its task_id:"
    assert lines[1].startswith(f"{first[:8]}: frames from the first to the last, at ")
    assert lines[2].startswith(f"Task {'f' * 32} is not recorded here.")
    assert lines[3].startswith(f"{second[:8]}: frames")
    assert f"The file of task {broken[:8]}" in lines[4]
    assert "cannot be shown: not one frame of the video can be decoded" in lines[4]
    assert lines[5].startswith("Picture file, for the user: ")
    assert f"side-by-side-{first[:8]}-{second[:8]}" in lines[5]
    assert len(lines) == 6


async def test_looking_at_a_result_is_having_been_given_it(world: World) -> None:
    """The same request a minute after that is a new one, as after get_video_task."""
    async with looking(world) as client:
        started = structured(await call(client, "generate_video", prompt="a fox"))
        await anyio.sleep(600)
        (path,) = world.output.glob("*.mp4")
        path.write_bytes(CLIP)
        picture(await call(client, "view_video", task_id=started["task_id"]))
        await anyio.sleep(61)
        again = structured(await call(client, "generate_video", prompt="a fox"))

    assert again["task_id"] != started["task_id"]


async def test_what_is_not_finished_or_failed_says_what_to_do(world: World) -> None:
    async with looking(world) as client:
        running = structured(await call(client, "generate_video", prompt="a"))["task_id"]
        assert_refused(
            await call(client, "view_video", task_id=running),
            f"Task {running[:8]} is not finished (",
            f'Call get_video_task with task_id "{running[:8]}" and wait_seconds 45 first.',
        )
        world.service.on_create = always_answer(httpx.ReadError("reset"))
        unknown = structured(await call(client, "generate_video", prompt="b"))["task_id"]
        assert_refused(
            await call(client, "view_video", task_id=unknown),
            f"The outcome of task {unknown[:8]} is unknown",
        )
        world.service.on_create = always_answer(httpx.Response(400))
        refused = structured(await call(client, "generate_video", prompt="c"))["task_id"]
        assert_refused(
            await call(client, "view_video", task_id=f"{refused} {running}"),
            f"Task {refused[:8]} failed and has no video to look at; get_video_task with task_id",
            f"Task {running[:8]} is not finished",
        )
        assert_refused(
            await call(client, "view_video", task_id="nothing"),
            "Task nothing is not recorded",
            "list_video_tasks",
        )


async def test_a_file_that_is_gone_or_holds_no_video_says_so(world: World) -> None:
    async with looking(world) as client:
        gone, sound, empty = [
            await finished(client, world, content) for content in (CLIP, make_sound(), b"")
        ]
        (path,) = world.output.glob(f"*{gone[:8]}.mp4")
        path.unlink()
        assert_refused(
            await call(client, "view_video", task_id=gone), str(path), "it was moved or deleted"
        )
        assert_refused(
            await call(client, "view_video", task_id=sound), "the file contains no video"
        )
        assert_refused(await call(client, "view_video", task_id=empty), "the file is empty")


async def test_a_result_that_is_only_a_link_says_where_to_get_it(world: World) -> None:
    world.service.on_file = always_answer(httpx.Response(404))
    async with looking(world) as client:
        started = structured(await call(client, "generate_video", prompt="a fox"))
        await anyio.sleep(1200)
        shown = await call(client, "view_video", task_id=started["task_id"])

    assert_refused(shown, "get_video_task with task_id")


@pytest.mark.parametrize("setting", ["path", "auto"])
async def test_a_client_that_shows_no_picture_is_told_the_path_alone(
    world: World, setting: PreviewDelivery
) -> None:
    world.render_preview, world.preview = render_now, setting
    async with world.client(name="@cline/core") as client:
        task_id = await finished(client, world)
        shown = await call(client, "view_video", task_id=task_id)
        (sheet,) = world.output.glob("*.frames.jpg")

    assert not shown.is_error
    assert [block.type for block in shown.content] == ["text"]
    assert f"This client cannot show pictures; the file is {sheet}, for the user." in text(shown)


def test_the_setting_decides_and_otherwise_what_is_known_of_the_client() -> None:
    shown = {
        (name, setting): shows_pictures(name, setting)
        for name in ("@cline/core", "continue-cli-client", "claude-code", None)
        for setting in ("inline", "path", "auto")
    }

    assert {key for key, shows in shown.items() if not shows} == {
        ("@cline/core", "path"),
        ("continue-cli-client", "path"),
        ("claude-code", "path"),
        (None, "path"),
        ("@cline/core", "auto"),
        ("continue-cli-client", "auto"),
    }
    given = [Settings.from_env({"GEEKAI_PREVIEW": value}).preview for value in ("", "Path", "auto")]
    assert given == ["auto", "path", "auto"]


IDS = ("2eb52cc9", "9f03aa17")


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ("2eb52cc9", IDS[:1]),
        (" 2eb52cc9 ", IDS[:1]),
        ("2eb52cc9 9f03aa17", IDS),
        ("2eb52cc9, 9f03aa17", IDS),
        ("2eb52cc9;9f03aa17\n", IDS),
        (["2eb52cc9", "9f03aa17"], IDS),
        ('["2eb52cc9", "9f03aa17"]', IDS),
        ("[2eb52cc9, 9f03aa17]", IDS),
        ("task:2eb52cc9", IDS[:1]),
        ("2eb52cc9 2eb52cc9", IDS[:1]),
        (12345678, ("12345678",)),
    ],
)
def test_ids_are_taken_in_every_form_that_a_model_writes(
    given: object, ids: tuple[str, ...]
) -> None:
    assert ViewVideo.parse({"task_id": given}).task_ids == ids


TIMES: list[tuple[Any, tuple[float, ...] | None]] = [
    ([3.2], (3.2,)),
    (3.2, (3.2,)),
    ("3.2", (3.2,)),
    ("3.2s", (3.2,)),
    ("1, 2.5 s", (1.0, 2.5)),
    ("1 2", (1.0, 2.0)),
    ("[1, 2]", (1.0, 2.0)),
    (["1s", "2 seconds"], (1.0, 2.0)),
    ("[]", None),
    ("", None),
    (None, None),
    ([0], (0.0,)),
]


@pytest.mark.parametrize(("given", "times"), TIMES, ids=[repr(given) for given, _ in TIMES])
def test_times_are_taken_in_every_form_that_a_model_writes(
    given: object, times: tuple[float, ...] | None
) -> None:
    assert ViewVideo.parse({"task_id": "a", "at": given}).at == times


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "task_id is required"),
    ({"task_id": ""}, "task_id is required"),
    ({"task_id": "latest"}, "list_video_tasks shows the ids"),
    ({"task_id": " ".join(f"{number:08}" for number in range(9))}, "has 9 ids; at most 8"),
    ({"task_id": True}, "must be text"),
    ({"task_id": ["a", {"b": 1}]}, "must be text"),
    ({"task_id": "a" * 200}, "1 to 128 characters"),
    ({"task_id": "a\u200bb"}, "invisible"),
    ({"task_id": "a", "at": [-1]}, "0 or more"),
    ({"task_id": "a", "at": "-1"}, "must be seconds"),
    ({"task_id": "a", "at": [float("nan")]}, "must be seconds"),
    ({"task_id": "a", "at": [float("inf")]}, "must be seconds"),
    ({"task_id": "a", "at": [10**400]}, "must be seconds"),
    ({"task_id": "a", "at": "soon"}, "must be seconds"),
    ({"task_id": "a", "at": [True]}, "must be seconds"),
    ({"task_id": "a", "at": list(range(13))}, "1 to 12 times; 13 were given"),
    ({"task_id": "a b c", "at": list(range(12))}, "36 frames"),
    ({"task_id": "a", "view": "film"}, "view"),
]


@pytest.mark.parametrize(("arguments", "problem"), WRONG)
def test_what_cannot_be_shown_is_refused_with_what_can(
    arguments: dict[str, Any], problem: str
) -> None:
    with pytest.raises(RequestRefused) as refused:
        ViewVideo.parse(arguments)

    assert problem in refused.value.message
    assert "charged" not in refused.value.message
