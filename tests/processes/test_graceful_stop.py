"""A server over HTTP that is told to stop: what it has begun is finished, and nothing is lost."""

import signal
import sqlite3
import sys
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from anyio.abc import Process

from support.handshake import HELLO
from support.process import SERVE, http_client, http_process, http_server, token_header
from support.provider import HELD_PREFIX, Provider, running_provider
from support.world import call, structured, text

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals")


def rows(folder: Path) -> list[tuple[str, str]]:
    """The prompt and status of every task."""
    with closing(sqlite3.connect(folder / "state" / "ledger.sqlite3")) as ledger:
        found = ledger.execute("SELECT request ->> 'prompt', status FROM task ORDER BY created_at")
        return found.fetchall()


async def wait_until_posted(service: Provider, number: int) -> None:
    with anyio.fail_after(20):
        while len(service.prompts) < number:
            await anyio.lowlevel.checkpoint()


async def wait_until_stopping(origin: str) -> httpx.Response:
    """The first answer of /ready that is not 200."""
    async with httpx.AsyncClient() as probe:
        answer = await probe.get(f"{origin}/ready")
        with anyio.fail_after(5):
            while answer.status_code == 200:
                answer = await probe.get(f"{origin}/ready")
    return answer


def stop(process: Process) -> float:
    """Send SIGTERM; returns when."""
    process.send_signal(signal.SIGTERM)
    return anyio.current_time()


@pytest.mark.parametrize("path", ["/mcp", "/sse"])
async def test_calls_under_way_are_answered_and_new_ones_that_spend_are_refused(
    tmp_path: Path, path: str
) -> None:
    answers: dict[str, Any] = {}
    async with (
        running_provider() as service,
        http_process(tmp_path, *SERVE, **service.settings) as (origin, process),
    ):
        headers = token_header(tmp_path)
        async with (
            http_client(origin + path, headers=headers) as client,
            http_client(origin + path, headers=headers) as other,
        ):
            held = structured(await call(client, "generate_video", prompt=HELD_PREFIX + "owl"))
            service.answers_posts = anyio.Event()

            async def submit() -> None:
                answers["paid"] = await call(client, "generate_video", prompt="a fox")

            async def wait() -> None:
                answers["waited"] = await call(
                    other, "get_video_task", task_id=held["task_id"], wait_seconds=45
                )

            async with anyio.create_task_group() as calls:
                calls.start_soon(submit)
                calls.start_soon(wait)
                await wait_until_posted(service, 2)
                answers["stopped_at"] = stop(process)
                answers["ready"] = await wait_until_stopping(origin)
                answers["refused"] = await call(other, "generate_video", prompt="a crane")
                answers["read"] = await call(other, "list_video_tasks")
                service.answers_posts.set()
            took = anyio.current_time() - answers["stopped_at"]
        status = await process.wait()

    assert answers["ready"].json() == {
        "error": "not_ready",
        "error_description": "The server is stopping.",
    }
    assert structured(answers["paid"])["task_status"] == "pending"
    assert structured(answers["waited"])["task_status"] in {"pending", "running"}
    assert answers["refused"].is_error
    assert "is stopping and takes no new request. Nothing was charged." in text(answers["refused"])
    assert not answers["read"].is_error
    assert took < 8
    assert status == -signal.SIGTERM
    assert service.prompts == ["held:owl", "a fox"]
    assert {state for _, state in rows(tmp_path)} <= {"pending", "running", "succeed"}
    assert "Traceback" not in (tmp_path / "stderr.log").read_text("utf-8")


async def test_a_request_without_an_answer_is_recorded_and_told_before_the_server_ends(
    tmp_path: Path,
) -> None:
    answers: dict[str, Any] = {}
    async with running_provider() as service:
        service.answers_posts = anyio.Event()
        async with http_process(tmp_path, *SERVE, **service.settings) as (origin, process):
            async with http_client(f"{origin}/mcp", headers=token_header(tmp_path)) as client:

                async def submit() -> None:
                    answers["paid"] = await call(client, "generate_video", prompt="a fox")

                async with anyio.create_task_group() as calls:
                    calls.start_soon(submit)
                    await wait_until_posted(service, 1)
                    answers["stopped_at"] = stop(process)
            await process.wait()
            took = anyio.current_time() - answers["stopped_at"]
        service.answers_posts.set()
        async with (
            http_server(tmp_path, *SERVE, **service.settings) as origin,
            http_client(f"{origin}/mcp", headers=token_header(tmp_path)) as client,
        ):
            with anyio.fail_after(20):
                while rows(tmp_path) != [("a fox", "unknown")]:
                    await anyio.lowlevel.checkpoint()
            task_id = structured(answers["paid"])["task_id"]
            after = structured(await call(client, "get_video_task", task_id=task_id))

    assert structured(answers["paid"])["task_status"] == "submitting"
    assert after["task_status"] == "unknown"
    assert service.prompts == ["a fox"]
    assert took < 15


async def test_idle_streams_do_not_keep_a_server_from_ending(tmp_path: Path) -> None:
    async with http_process(tmp_path, *SERVE) as (origin, process), httpx.AsyncClient() as client:
        async with (
            client.stream("GET", f"{origin}/sse") as one,
            client.stream("GET", f"{origin}/sse") as other,
        ):
            stopped_at = stop(process)
            with anyio.fail_after(10):
                ended = [await stream.aread() for stream in (one, other)]
        await process.wait()
        took = anyio.current_time() - stopped_at

    assert all(b"event: endpoint" in stream for stream in ended)
    assert took < 5


async def submit_until_cut(origin: str, token: Mapping[str, str]) -> None:
    """Ask for a video, and mind nothing of what becomes of the connection."""
    headers = {"Accept": "application/json, text/event-stream", **token}
    async with httpx.AsyncClient(base_url=origin, headers=headers, timeout=30) as client:
        opened = await client.post("/mcp", json=HELLO)
        client.headers["Mcp-Session-Id"] = opened.headers["Mcp-Session-Id"]
        params = {"name": "generate_video", "arguments": {"prompt": "a fox"}}
        request = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
        with suppress(httpx.TransportError):
            await client.post("/mcp", json=request)


async def test_new_streams_at_a_stopping_server_are_refused_in_a_form_that_clients_show(
    tmp_path: Path,
) -> None:
    """The SDK's client shows the message of a JSON-RPC error alone; a GET may be a browser's."""
    answers: dict[str, httpx.Response] = {}
    listen: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "subscriptions/listen",
        "params": {},
    }
    async with (
        running_provider() as service,
        http_process(tmp_path, *SERVE, **service.settings) as (origin, process),
        httpx.AsyncClient(base_url=origin) as client,
    ):
        service.answers_posts = anyio.Event()
        async with anyio.create_task_group() as calls:
            calls.start_soon(submit_until_cut, origin, token_header(tmp_path))
            await wait_until_posted(service, 1)
            stop(process)
            await wait_until_stopping(origin)
            answers["subscribed"] = await client.post(
                "/mcp", json=listen, headers={"Mcp-Method": listen["method"]}
            )
            answers["connected"] = await client.get("/sse")
            service.answers_posts.set()

    subscribed, connected = answers["subscribed"], answers["connected"]
    message = (
        "This server is stopping. Connect again in 15 seconds: it may have been started again by"
        " then."
    )
    assert (subscribed.status_code, connected.status_code) == (503, 503)
    assert subscribed.json()["error"]["message"] == message
    assert connected.json() == {"error": "stopping", "error_description": message}
    assert subscribed.headers["Retry-After"] == connected.headers["Retry-After"] == "15"


async def test_a_second_signal_ends_the_server_at_once(tmp_path: Path) -> None:
    async with (
        running_provider() as service,
        http_process(tmp_path, *SERVE, **service.settings) as (origin, process),
    ):
        service.answers_posts = anyio.Event()
        async with anyio.create_task_group() as calls:
            calls.start_soon(submit_until_cut, origin, token_header(tmp_path))
            await wait_until_posted(service, 1)
            stop(process)
            await wait_until_stopping(origin)
            stop(process)
            with anyio.fail_after(2):
                await process.wait()
        service.answers_posts.set()

    assert process.returncode == 128 + signal.SIGTERM
    assert rows(tmp_path) == [("a fox", "submitting")]
