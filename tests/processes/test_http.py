"""Each transport, with the SDK's own client and over a real socket."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp.client.sse import sse_client

from support.handshake import HELLO
from support.mp4 import probe
from support.process import SERVE, SMALL, http_server, run_cli
from support.sampling import sample
from support.world import Era, call, structured


@pytest.mark.parametrize("era", sample(["auto", "legacy"], every=2))
@pytest.mark.parametrize(
    ("transport", "path"),
    sample(
        [("http", "/sse"), ("sse", "/sse"), ("http", "/mcp"), ("streamable-http", "/mcp")], every=2
    ),
)
async def test_a_video_is_made_over_http(
    tmp_path: Path, transport: str, path: str, era: Era
) -> None:
    authorizations: list[str | None] = []

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        del progress, total
        authorizations.append(message)

    async with http_server(tmp_path, "serve", "--transport", transport, "--port", "0") as origin:
        target: str | AbstractAsyncContextManager[Any] = origin + path
        if path == "/sse":
            target = sse_client(origin + path)
        async with Client(target, mode=era) as client:
            started = structured(await call(client, "generate_video", prompt="a fox", **SMALL))
            done = await client.call_tool(
                "get_video_task",
                {"task_id": started["task_id"], "wait_seconds": 45},
                progress_callback=listen,
            )

    assert structured(done)["task_status"] == "succeed"
    assert probe(Path(structured(done)["file"])).codec == "h264"
    assert authorizations


@pytest.mark.exhaustive
async def test_one_engine_serves_every_connection(tmp_path: Path) -> None:
    async with http_server(tmp_path, *SERVE) as origin:
        async with Client(sse_client(f"{origin}/sse")) as one:
            started = structured(await call(one, "generate_video", prompt="a fox", **SMALL))
        async with Client(f"{origin}/mcp") as other:
            done = structured(
                await call(other, "get_video_task", task_id=started["task_id"], wait_seconds=45)
            )
        owners = list((tmp_path / "state" / "procs").glob("*.lock"))

    assert done["task_status"] == "succeed"
    assert len(owners) == 1


VISITS: list[tuple[dict[str, str], int]] = [
    ({"Host": "evil.test"}, 421),
    ({"Origin": "http://evil.test"}, 403),
    ({"Origin": "null"}, 403),
    ({}, 200),
    ({"Host": "localhost"}, 200),
    ({"Origin": "http://localhost:5173"}, 200),
]


@pytest.mark.exhaustive
@pytest.mark.parametrize(("headers", "status"), sample(VISITS, every=2))
async def test_a_web_page_cannot_reach_a_local_server(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    accept = {"Accept": "application/json, text/event-stream"}
    async with (
        http_server(tmp_path, *SERVE) as origin,
        httpx.AsyncClient() as browser,
    ):
        answer = await browser.post(f"{origin}/mcp", json=HELLO, headers={**accept, **headers})
        statuses = [answer.status_code]
        if status != 200:
            refused = await browser.get(f"{origin}/sse", headers={**accept, **headers})
            statuses.append(refused.status_code)

    assert set(statuses) == {status}


@pytest.mark.exhaustive
@pytest.mark.parametrize("host", sample(["0.0.0.0", "::", "192.0.2.7", "example.com"], every=4))  # noqa: S104
async def test_the_sandbox_itself_listens_on_loopback_alone(tmp_path: Path, host: str) -> None:
    status, out, err = await run_cli(tmp_path, "sandbox", "--host", host, "--port", "0")

    assert status == 2
    assert out == ""
    assert f"--host {host}" in err
    assert "loopback" in err
