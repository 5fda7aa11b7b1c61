"""The picture of a finished task comes last, and is told of in both forms; never in an error."""

import base64
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp_types import CallToolResult, ImageContent, Implementation

from geekai_video_mcp.media.preview import PreviewRequest, RenderedPreview, ShownFile
from geekai_video_mcp.server.build import build_server
from support.tasks import Tasks, create_task, listening
from support.world import World, call, structured, text

pytestmark = pytest.mark.both_eras

JPEG = b"\xff\xd8 stands for a picture"
ATTACHED = "The attached contact sheet shows its frames; if you see none, call view_video."


async def render(request: PreviewRequest) -> RenderedPreview:
    return RenderedPreview(picture=JPEG, files=(ShownFile(),) * len(request.paths))


@pytest.fixture
def world(world: World) -> World:
    world.render_preview = render
    return world


def pictures(result: CallToolResult) -> list[bytes]:
    """The pictures in the result, which are its last contents."""
    kinds = [content.type for content in result.content]
    assert kinds == sorted(kinds, key=["text", "resource_link", "image"].index)
    return [
        base64.b64decode(content.data)
        for content in result.content
        if isinstance(content, ImageContent)
    ]


def is_told(result: CallToolResult, sentence: str) -> bool:
    """Whether both forms say so; one alone never does."""
    in_text, in_structure = sentence in text(result), sentence in structured(result)["next_step"]
    assert in_text == in_structure
    return in_text


async def test_a_finished_task_comes_with_its_contact_sheet(world: World) -> None:
    async with world.client() as client:
        started = await call(client, "generate_video", prompt="a fox")
        task_id = structured(started)["task_id"]
        done = await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
        plain = await call(client, "get_video_task", task_id=task_id, view="none")

    assert pictures(started) == []
    assert pictures(done) == [JPEG]
    assert is_told(done, ATTACHED)
    assert pictures(plain) == []
    assert not is_told(plain, "attached")
    assert is_told(plain, "call view_video")


@pytest.mark.parametrize("tool", ["generate_video", "generate_image"])
async def test_a_request_that_waited_comes_with_its_picture(world: World, tool: str) -> None:
    async with world.client() as client:
        done = await call(client, tool, **{"prompt": "a fox", "async": False})

    assert structured(done)["task_status"] == "succeed"
    assert pictures(done) == [JPEG]
    assert is_told(done, "The attached ")


async def test_a_picture_is_waited_for_unless_the_caller_says_otherwise(world: World) -> None:
    async with world.client() as client:
        waited = await call(client, "generate_image", prompt="a fox")
        at_once = await call(client, "generate_image", **{"prompt": "a hare", "async": True})

    assert structured(waited)["task_status"] == "succeed"
    assert pictures(waited) == [JPEG]
    assert structured(at_once)["task_status"] == "pending"


@pytest.mark.parametrize("name", ["@cline/core", "continue-cli-client"])
async def test_a_client_that_would_pass_on_base64_gets_no_picture(world: World, name: str) -> None:
    async with Client(
        build_server(world.app), mode=world.era, client_info=Implementation(name=name, version="1")
    ) as client:
        done = await call(client, "generate_video", **{"prompt": "a fox", "async": False})

    assert structured(done)["task_status"] == "succeed"
    assert pictures(done) == []
    assert not is_told(done, "attached")


async def test_a_picture_that_cannot_be_made_keeps_nobody_from_the_task(world: World) -> None:
    async def fail(request: PreviewRequest) -> RenderedPreview:
        raise RuntimeError(request.kind)

    world.render_preview = fail
    async with world.client() as client:
        done = await call(client, "generate_video", **{"prompt": "a fox", "async": False})

    assert Path(structured(done)["file"]).exists()
    assert pictures(done) == []
    assert not is_told(done, "attached")


async def test_a_slow_picture_does_not_hold_a_request_that_does_not_wait(world: World) -> None:
    async def render_for_ever(request: PreviewRequest) -> RenderedPreview:
        await anyio.sleep_forever()
        return await render(request)

    world.render_preview = render_for_ever
    async with world.client() as client:
        first = structured(await call(client, "generate_video", prompt="a fox"))
        await anyio.sleep(60)
        began = anyio.current_time()
        again = await call(client, "generate_video", prompt="a fox")
        took = anyio.current_time() - began

    assert structured(again)["task_id"] == first["task_id"]
    assert structured(again)["deduplicated"]
    assert took < 20
    assert pictures(again) == []


async def test_no_picture_is_in_an_error(world: World) -> None:
    world.service.error = {"code": "E7", "message": "no such animal"}
    async with world.client() as client:
        failed = await call(client, "generate_video", **{"prompt": "a fox", "async": False})

    assert failed.is_error
    assert pictures(failed) == []
    assert "attached" not in text(failed)


async def test_a_subscriber_of_the_tasks_extension_gets_the_picture_as_well(world: World) -> None:
    world.era, tasks = "auto", Tasks()
    async with world.client(extensions=[tasks]) as client:
        task_id = (await create_task(client, "generate_video", prompt="a fox", retries=1))["taskId"]
        async with listening(client, task_id):
            await anyio.sleep(60)

    working, last = tasks.received[0], tasks.received[-1]
    kinds = [content["type"] for content in last["result"]["content"]]
    assert kinds == ["text", "resource_link", "image"]
    warning = "retries lets GeekAI attempt a failed generation again, which may cost more"
    assert warning[1:] in working["statusMessage"]
    assert warning[1:] in last["result"]["content"][0]["text"]
    assert last["result"]["structuredContent"]["warnings"] == [warning]
