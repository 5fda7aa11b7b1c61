"""Resources, prompts, completions, listening and waiting over real transports, in both eras."""

import base64
import io
import json
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import av
import pytest
from mcp import Client, MCPError
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated, ServerEvent
from mcp_types import (
    BlobResourceContents,
    PromptReference,
    ResourceLink,
    ResourceTemplateReference,
    TextContent,
)
from PIL import Image, ImageChops, ImageStat

from geekai_video_mcp.media.preview import PreviewRenderer, PreviewRequest
from support.process import (
    SMALL,
    http_client,
    http_server,
    new_server,
    running_server,
    stdio,
    token_header,
)
from support.provider import HELD_PREFIX, running_provider
from support.sampling import sample
from support.world import Era, call, structured

PATHS = {"stdio": "", "sse": "/sse", "streamable-http": "/mcp"}
EVERYWHERE = [(transport, era) for transport in PATHS for era in ("auto", "legacy")]


@asynccontextmanager
async def served(folder: Path, transport: str, era: Era, **settings: str) -> AsyncGenerator[Client]:
    """The SDK's client of a new server process, over this transport."""
    if transport == "stdio":
        async with stdio(folder, era=era, settings=settings) as client:
            yield client
        return
    serve = ("serve", "--transport", transport, "--port", "0")
    async with http_server(folder, *serve, **settings) as origin:
        url = origin + PATHS[transport]
        async with http_client(url, headers=token_header(folder), era=era) as client:
            yield client


async def finished_task(client: Client, tool: str = "generate_video") -> dict[str, Any]:
    arguments = {"prompt": "a fox"} | (SMALL if tool == "generate_video" else {})
    started = structured(await call(client, tool, **arguments))
    done = await call(
        client, "get_video_task", task_id=started["task_id"], wait_seconds=45, view="none"
    )
    return structured(done)


async def last_frame_of(path: Path) -> bytes | None:
    return (await PreviewRenderer().render(PreviewRequest(paths=(path,), kind="last"))).picture


async def picture(client: Client, uri: str) -> tuple[Image.Image, str | None]:
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, BlobResourceContents)
    return Image.open(io.BytesIO(base64.b64decode(content.blob))), content.mime_type


@pytest.mark.exhaustive
@pytest.mark.parametrize(("transport", "era"), sample(EVERYWHERE, every=3))
async def test_everything_beside_the_tools_is_reached_over_every_transport(
    tmp_path: Path, transport: str, era: Era
) -> None:
    template = ResourceTemplateReference(uri="video://tasks/{task_id}")
    async with served(tmp_path, transport, era) as client:
        task = await finished_task(client)
        uri = f"video://tasks/{task['task_id']}"
        (one,) = (await client.read_resource(uri)).contents
        (film,) = (await client.read_resource(f"{uri}/video")).contents
        cover = await picture(client, f"{uri}/cover")
        frames = await picture(client, f"{uri}/frames")
        last = await picture(client, f"{uri}/last-frame")
        listed = [each.uri for each in (await client.list_resources()).resources]
        completed = await client.complete(template, {"name": "task_id", "value": ""})
        models = await client.complete(
            PromptReference(name="storyboard"), {"name": "model", "value": "cog"}
        )
        prompt = await client.get_prompt("storyboard", {"topic": "a kite"})
        codes: list[int] = []
        for wrong in ("video://tasks/zz", "video://tasks/..%2f..%2fetc%2fpasswd/video", "x://y"):
            with pytest.raises(MCPError) as error:
                await client.read_resource(wrong)
            codes.append(error.value.code)

    assert json.loads(getattr(one, "text", "")) == task
    assert isinstance(film, BlobResourceContents)
    assert base64.b64decode(film.blob) == Path(task["file"]).read_bytes()
    assert (cover[1], cover[0].format, cover[0].size) == ("image/jpeg", "JPEG", (320, 180))
    assert (frames[1], frames[0].format) == ("image/jpeg", "JPEG")
    assert frames[0].width > frames[0].height > 180
    assert (last[1], last[0].format, last[0].size) == ("image/png", "PNG", (320, 180))
    assert listed == [uri, f"{uri}/video"]
    assert completed.completion.values == [task["task_id"]]
    assert "cogvideox-flash" in models.completion.values
    assert isinstance(prompt.messages[0].content, TextContent)
    assert "free preview" in prompt.messages[0].content.text
    assert codes == [-32602] * 3


@pytest.mark.exhaustive
async def test_the_last_frame_is_the_last_that_a_player_shows(tmp_path: Path) -> None:
    async with stdio(tmp_path) as client:
        task = await finished_task(client)
        last, _ = await picture(client, f"video://tasks/{task['task_id']}/last-frame")
    with av.open(str(task["file"])) as container:
        *_, before, final = container.decode(video=0)
    # libav cuts off where it should round, by default; one frame earlier differs by far more.
    apart, further = (
        max(ImageStat.Stat(ImageChops.difference(last, shown)).rms)
        for shown in (
            Image.fromarray(frame.to_ndarray(format="rgb24")) for frame in (final, before)
        )
    )

    assert apart < 3 < further


@pytest.mark.exhaustive
async def test_a_last_frame_too_large_for_a_blob_is_named_by_task_and_path(tmp_path: Path) -> None:
    async with stdio(tmp_path) as client:
        task = await finished_task(client, "generate_image")
        noise = Image.frombytes("RGB", (2400, 1600), os.urandom(2400 * 1600 * 3))
        noise.save(task["file"], "PNG", compress_level=1)
        with pytest.raises(MCPError) as refused:
            await client.read_resource(f"video://tasks/{task['task_id']}/last-frame")
        cover, _ = await picture(client, f"video://tasks/{task['task_id']}/cover")

    message = str(refused.value)
    assert message.startswith("The last frame as PNG is 11.")
    assert "above the 8 MB blob limit" in message
    assert f"task:{task['task_id']} as a call's image" in message
    assert task["file"] in message
    assert cover.format == "JPEG"


@pytest.mark.exhaustive
async def test_of_a_made_picture_the_last_frame_is_the_picture_itself(tmp_path: Path) -> None:
    async with stdio(tmp_path) as client:
        task = await finished_task(client, "generate_image")
        uri = f"video://tasks/{task['task_id']}"
        whole, _ = await picture(client, f"{uri}/last-frame")
        small = [await picture(client, f"{uri}/{part}") for part in ("cover", "frames")]
    original = Image.open(task["file"]).convert("RGB")

    assert (whole.size, whole.tobytes()) == (original.size, original.tobytes())
    assert {each.format for each, _ in small} == {"JPEG"}
    assert [max(each.size) for each, _ in small] == [640, min(1200, max(original.size))]


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
async def test_a_picture_of_every_kind_is_given_in_every_pixel(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"picture.{ending}"
    Image.effect_mandelbrot((160, 90), (-2, -1, 1, 1), 40).convert("RGB").save(path)
    png = await last_frame_of(path)

    assert png is not None
    given, original = Image.open(io.BytesIO(png)), Image.open(path).convert("RGB")
    assert given.format == "PNG"
    assert (given.size, given.tobytes()) == (original.size, original.tobytes())


@pytest.mark.exhaustive
@pytest.mark.parametrize("kept", [0.0, 0.7])
async def test_a_damaged_video_gives_what_can_be_seen_of_it_or_none(
    tmp_path: Path, kept: float
) -> None:
    async with stdio(tmp_path) as client:
        task = await finished_task(client)
    content = Path(task["file"]).read_bytes()
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(content[: int(len(content) * kept)])
    png = await last_frame_of(damaged)

    assert (png is None) == (kept == 0.0)
    assert png is None or Image.open(io.BytesIO(png)).size == (320, 180)


@pytest.mark.exhaustive
@pytest.mark.parametrize("transport", PATHS)
async def test_a_subscriber_is_notified_of_a_task_to_its_file(
    tmp_path: Path, transport: str
) -> None:
    events: list[ServerEvent] = []
    async with served(tmp_path, transport, "auto") as client:
        started = structured(await call(client, "generate_video", prompt="a fox", **SMALL))
        uri = f"video://tasks/{started['task_id']}"
        with anyio.fail_after(40):
            async with client.listen(
                resources_list_changed=True, resource_subscriptions=[f"{uri}/video"]
            ) as subscription:
                async for event in subscription:
                    events.append(event)
                    if ResourceUpdated(uri=f"{uri}/video") in events and (
                        ResourcesListChanged() in events
                    ):
                        break
        (film,) = (await client.read_resource(f"{uri}/video")).contents

    assert isinstance(film, BlobResourceContents)


@pytest.mark.exhaustive
async def test_a_subscriber_is_notified_of_changes_by_another_server(tmp_path: Path) -> None:
    """Two hosts on one machine share the ledger, and neither knows of the other."""
    async with (
        stdio(tmp_path) as listener,
        stdio(tmp_path) as worker,
        listener.listen(resources_list_changed=True) as subscription,
    ):
        await call(worker, "generate_video", prompt="a fox", **SMALL)
        with anyio.fail_after(10):
            async for event in subscription:
                assert event == ResourcesListChanged()
                break
        entries = (await listener.list_resources()).resources

    assert entries[0].name.startswith("a fox · preview video task · ")


@pytest.mark.exhaustive
@pytest.mark.parametrize(("transport", "era"), sample(EVERYWHERE, every=3))
async def test_a_wait_shows_signs_of_life_and_ends_alone_when_cancelled(
    tmp_path: Path, transport: str, era: Era
) -> None:
    events: list[tuple[float, float, float | None, str | None]] = []

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        events.append((time.monotonic(), progress, total, message))

    async with (
        running_provider() as service,
        served(tmp_path, transport, era, **service.settings) as client,
    ):
        task_id = structured(await call(client, "generate_video", prompt=f"{HELD_PREFIX} a fox"))[
            "task_id"
        ]
        with anyio.move_on_after(7.5) as waiting:
            await client.call_tool(
                "get_video_task",
                {"task_id": task_id, "wait_seconds": 45},
                progress_callback=listen,
            )
        after = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=0))

    assert waiting.cancelled_caught
    assert after["task_status"] in {"pending", "running"}
    times = [at for at, *_ in events]
    grown = [progress for _, progress, *_ in events]
    assert len(events) >= 3
    assert max(later - sooner for sooner, later in pairwise(times)) <= 5
    assert all(sooner < later for sooner, later in pairwise(grown))
    assert {total for *_, total, _ in events} == {None}, "a percentage would be made up"
    assert all(message and len(message) <= 40 for *_, message in events)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("revision", "links"),
    [
        ("2024-11-05", False),
        ("2025-03-26", False),
        ("2025-06-18", True),
        ("2025-11-25", True),
    ],
)
async def test_links_are_left_out_for_revisions_that_have_none(
    tmp_path: Path, revision: str, *, links: bool
) -> None:
    async with new_server(tmp_path) as server:
        hello = await server.request(
            "initialize",
            protocolVersion=revision,
            capabilities={},
            clientInfo={"name": "line", "version": "1"},
        )
        await server.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
        started = await server.call("generate_video", prompt="a fox", **SMALL)
        task_id = started["structuredContent"]["task_id"]
        uri = f"video://tasks/{task_id}"
        read = await server.request("resources/read", uri=uri)

    assert hello["result"]["protocolVersion"] == revision
    expected = ["text", "resource_link"] if links else ["text"]
    assert [block["type"] for block in started["content"]] == expected
    assert started["structuredContent"]["task_id"] in read["result"]["contents"][0]["text"]


async def test_the_newest_revision_has_links_too(tmp_path: Path) -> None:
    async with stdio(tmp_path, era="2026-07-28") as client:
        started = await call(client, "generate_video", prompt="a fox", **SMALL)

    assert any(isinstance(block, ResourceLink) for block in started.content)


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("prompts/get", {"name": "storyboard", "arguments": {"topic": {}}}),
    ("prompts/get", {"name": "storyboard", "arguments": ["topic"]}),
    ("prompts/get", {"name": ["storyboard"]}),
    ("prompts/get", {"name": "Canary-prompt"}),
    ("prompts/get", {"name": "storyboard", "arguments": {"topic": "Canary", "shots": ["x"]}}),
    ("prompts/get", {}),
    ("resources/list", {"cursor": "Canary"}),
    ("resources/list", {"cursor": 7}),
    ("resources/read", {}),
    ("resources/read", {"uri": "video://tasks/Canary"}),
    ("resources/read", {"uri": "video://tasks/" + "9" * 100_000}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "storyboard"}}),
    ("completion/complete", {"ref": "storyboard", "argument": {"name": "x", "value": ""}}),
]


async def test_a_wrong_request_is_an_error_of_the_callers_and_leaves_no_trace(
    tmp_path: Path,
) -> None:
    async with running_server(tmp_path) as server:
        for method, params in WRONG:
            answer = await server.request(method, **params)

            assert answer["error"]["code"] == -32602, (method, params)
            assert "Traceback" not in json.dumps(answer)
        alive = await server.request("ping")
        await server.close()

    assert alive["result"] == {}
    assert (tmp_path / "stderr.log").read_text("utf-8") == ""
