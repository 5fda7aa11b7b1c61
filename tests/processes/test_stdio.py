"""The whole product as a host runs it: a process, two pipes, no key, no network."""

import base64
import io
import json
import signal
import sqlite3
import time
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from mcp_types import CallToolResult
from PIL import Image

from support.mp4 import probe
from support.process import SMALL, descendants_naming, running_server, stdio
from support.sampling import sample
from support.world import Era, call, structured, text


@pytest.mark.parametrize("era", sample(["auto", "legacy"], every=2))
async def test_a_prompt_becomes_a_playable_video_without_a_key(tmp_path: Path, era: Era) -> None:
    async with stdio(tmp_path, era=era) as client:
        started = structured(
            await call(
                client,
                "generate_video",
                prompt="彼得兔开小汽车",
                size="480x270",
                duration=2,
                fps=24,
                with_audio=True,
            )
        )
        done = await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=45)

    film = probe(Path(structured(done)["file"]))
    assert (film.codec, film.width, film.height, film.fps) == ("h264", 480, 270, 24)
    assert film.seconds == pytest.approx(2, abs=0.05)
    assert film.audio == "aac"
    assert film.boxes.index("moov") < film.boxes.index("mdat")
    assert structured(done)["sandbox"] is True
    assert "preview" in text(done)
    (picture,) = [block for block in done.content if block.type == "image"]
    assert picture.mime_type == "image/jpeg"
    assert base64.b64decode(picture.data).startswith(b"\xff\xd8")
    assert len(picture.data) < 100_000


@pytest.mark.exhaustive
async def test_a_picture_is_drawn_saved_and_shown_without_a_key(tmp_path: Path) -> None:
    async with stdio(tmp_path) as client:
        started = structured(
            await call(client, "generate_image", prompt="雪中的狐狸", size="480x270")
        )
        done = await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=45)

    with Image.open(structured(done)["file"]) as picture:
        assert (picture.format, picture.size) == ("PNG", (480, 270))
    assert structured(done)["sandbox"] is True
    (shown,) = [block for block in done.content if block.type == "image"]
    with Image.open(io.BytesIO(base64.b64decode(shown.data))) as small:
        assert (small.format, small.size) == ("JPEG", (480, 270))


@pytest.mark.exhaustive
async def test_a_usual_preview_is_on_disk_and_shown_within_seconds(tmp_path: Path) -> None:
    """About 4 s on two quiet cores; the bound leaves room for a machine that is not quiet."""
    async with stdio(tmp_path) as client:
        began = time.monotonic()
        started = await call(client, "generate_video", prompt="a fox in the snow", duration=5)
        accepted = time.monotonic() - began
        done = await call(
            client,
            "get_video_task",
            task_id=structured(started)["task_id"],
            wait_seconds=45,
            view="none",
        )
        took = time.monotonic() - began

    assert structured(done)["task_status"] == "succeed"
    assert accepted < 3
    assert took < 15


async def test_a_server_killed_in_mid_generation_loses_nothing(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        started = (await server.call("generate_video", prompt="a fox"))["structuredContent"]
        with anyio.fail_after(20):
            while not any(
                "geekai_sandbox.render" in words for words in descendants_naming(str(tmp_path))
            ):
                await anyio.lowlevel.checkpoint()
        await server.kill()
    async with stdio(tmp_path) as client:
        done = await call(
            client,
            "get_video_task",
            task_id=started["task_id"],
            wait_seconds=45,
            view="none",
        )

    assert structured(done)["task_status"] == "succeed"
    assert probe(Path(structured(done)["file"])).codec == "h264"
    (report,) = (tmp_path / "state" / "sandbox" / "tasks").glob("*/report.json")
    assert json.loads(report.read_text("utf-8"))["frames"] == 150
    assert len(list((tmp_path / "videos").glob("*.mp4"))) == 1


@pytest.mark.exhaustive
async def test_a_host_that_goes_leaves_no_process_behind(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        await server.call("generate_video", prompt="a fox", size="1920x1080", duration=10)
        status = await server.close()

    assert status == 0
    with anyio.fail_after(10):
        while descendants_naming(str(tmp_path)):
            await anyio.lowlevel.checkpoint()


@pytest.mark.exhaustive
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_server_asked_to_go_goes_though_its_input_stays_open(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with running_server(tmp_path) as server:
        await server.call("generate_video", prompt="a fox")
        server.process.send_signal(number)
        with anyio.fail_after(10):
            status = await server.process.wait()

    assert status == 128 + number
    assert (tmp_path / "stderr.log").read_text("utf-8") == ""
    assert not list((tmp_path / "state" / "procs").iterdir())


async def test_nothing_heavy_is_loaded_to_answer_a_host(tmp_path: Path) -> None:
    async with running_server(tmp_path, "-X", "importtime") as server:
        await server.request("tools/list")
        await server.close()

    log = (tmp_path / "stderr.log").read_text("utf-8")
    loaded = {row.rsplit("|", 1)[-1].strip() for row in log.splitlines() if "|" in row}
    assert "mcp" in loaded
    assert not loaded & {"httpx", "av", "numpy", "PIL", "asyncpg"}


@pytest.mark.exhaustive
async def test_a_video_is_made_and_shown_without_codecs_or_numpy_in_the_server(
    tmp_path: Path,
) -> None:
    async with running_server(tmp_path, "-X", "importtime") as server:
        started = await server.call("generate_video", prompt="a fox", **SMALL)
        task_id = started["structuredContent"]["task_id"]
        done = await server.call("get_video_task", task_id=task_id, wait_seconds=45)
        await server.close()

    log = (tmp_path / "stderr.log").read_text("utf-8")
    loaded = {row.rsplit("|", 1)[-1].strip() for row in log.splitlines() if "|" in row}
    assert "image" in {block["type"] for block in done["content"]}
    assert "httpx" in loaded
    assert not loaded & {"av", "numpy", "PIL"}


async def test_stdout_holds_the_protocol_and_stderr_neither_prompt_nor_warning(
    tmp_path: Path,
) -> None:
    secret = "a fox called Canary-7731"
    async with running_server(tmp_path) as server:
        started = (await server.call("generate_video", prompt=secret, **SMALL))["structuredContent"]
        await server.call("get_video_task", task_id=started["task_id"], wait_seconds=45)
        await server.close()
        rest = b"".join([chunk async for chunk in server.reader])

    assert rest == b""
    assert all(stray.get("jsonrpc") == "2.0" for stray in server.other_messages)
    assert (tmp_path / "stderr.log").read_text("utf-8") == ""


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b'{"jsonrpc": "2.0", "id": 99, "method": "tools/call"', id="cut off"),
        pytest.param(b"\xff\xfe\x00 not UTF-8", id="not UTF-8"),
        pytest.param(b"[" * 100_000, id="nested without end"),
    ],
)
async def test_the_server_outlives_a_line_that_is_no_message(tmp_path: Path, bad: bytes) -> None:
    async with running_server(tmp_path) as server:
        await server.send(bad)
        alive = await server.request("tools/list")
        refused = await server.call("generate_video", prompt="a\0b")

    assert len(alive["result"]["tools"]) == 7
    assert refused["isError"]
    assert not list((tmp_path / "state" / "sandbox").glob("tasks/*"))


async def test_a_server_killed_in_mid_payment_shows_it_as_unknown_and_pays_no_more(
    tmp_path: Path,
) -> None:
    lines: list[bytes] = []
    results: list[CallToolResult] = []

    async def silent(stream: SocketStream) -> None:
        async with stream:
            lines.append(await stream.receive())
            await anyio.sleep_forever()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no database is near
    settings = {"GEEKAI_BASE_URL": f"http://127.0.0.1:{port}/api/v1", "GEEKAI_API_KEY": "sk-any"}
    call_it = {"name": "generate_video", "arguments": {"prompt": "a fox"}}
    async with listener, anyio.create_task_group() as service:
        service.start_soon(listener.serve, silent)
        async with running_server(tmp_path, **settings) as server:
            message = {"jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": call_it}
            await server.send(json.dumps(message).encode())
            with anyio.fail_after(20):
                while not lines:
                    await anyio.lowlevel.checkpoint()
            await server.kill()
        with sqlite3.connect(tmp_path / "state" / "ledger.sqlite3") as ledger:
            ((task_id,),) = ledger.execute("SELECT id FROM task").fetchall()
        ledger.close()
        async with stdio(tmp_path, settings=settings) as client:
            shown = await call(client, "get_video_task", task_id=task_id, wait_seconds=2)
        service.cancel_scope.cancel()
        results.append(shown)

    (shown,) = results
    assert [request.split(b" ", 1)[0] for request in lines] == [b"POST"]
    assert shown.is_error
    assert structured(shown)["task_status"] == "unknown"
    assert "It may have been charged." in text(shown)


UNUSABLE = {"ALL_PROXY": "nonsense://127.0.0.1:1"}
"""httpx refuses it with a ValueError, and a SOCKS proxy with an ImportError."""


@pytest.mark.exhaustive
async def test_a_proxy_that_cannot_be_used_is_said_and_charges_nothing(tmp_path: Path) -> None:
    async with stdio(tmp_path, settings={"GEEKAI_API_KEY": "sk-any", **UNUSABLE}) as client:
        refused = await call(client, "generate_video", prompt="a fox")

    assert refused.is_error
    assert structured(refused)["task_status"] == "failed"
    assert "Nothing was charged." in text(refused)
    assert "ALL_PROXY" in text(refused)


@pytest.mark.exhaustive
async def test_the_sandbox_needs_no_proxy_and_minds_none(tmp_path: Path) -> None:
    async with stdio(tmp_path, settings=UNUSABLE) as client:
        started = structured(await call(client, "generate_video", prompt="a fox", **SMALL))
        done = structured(
            await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=45)
        )

    assert done["task_status"] == "succeed"
    assert "file" in done


@pytest.mark.exhaustive
@pytest.mark.parametrize("prompt", ["a\ud800b", "a\udc00\ud83db", "\\\ud800"])
async def test_half_a_surrogate_pair_is_answered_and_named(tmp_path: Path, prompt: str) -> None:
    """The SDK alone would drop the line, and the host would wait for ever."""
    async with running_server(tmp_path) as server:
        refused = await server.call("generate_video", prompt=prompt)

    (block,) = refused["content"]
    assert refused["isError"]
    assert block["text"].startswith("prompt: contains an unpaired surrogate")
    assert "Nothing was charged." in block["text"]


async def test_whole_pairs_and_every_other_escape_arrive_as_they_were_sent(tmp_path: Path) -> None:
    prompt = 'a 🐈 says "\\ud800" \\ and \t\u4e2d'
    async with running_server(tmp_path) as server:
        task = (await server.call("generate_video", prompt=prompt, **SMALL))["structuredContent"]
    with sqlite3.connect(tmp_path / "state" / "ledger.sqlite3") as ledger:
        ((request,),) = ledger.execute("SELECT request FROM task").fetchall()
    ledger.close()

    assert task["sandbox"]
    assert json.loads(request)["prompt"] == prompt


async def test_what_the_sandbox_refuses_is_not_said_of_geekai(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        video = await server.call("generate_video", prompt="a fox", aspect_ratio="99:1")
        image = await server.call("generate_image", prompt="a fox", aspect_ratio="99:1")
        described = await server.call("list_video_models", model="sandbox")

    for refused in (video, image):
        message = refused["content"][0]["text"]
        assert refused["isError"]
        assert "The sandbox refused the request with HTTP 400" in message
        assert "GeekAI" not in message
        assert "closest" not in message
    assert not described.get("isError")
    assert "a preview on this computer, free" in described["content"][0]["text"]
