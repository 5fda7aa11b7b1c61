"""The token over HTTP, from the first start to a host that has it."""

import json
import os
import stat
import sys
from pathlib import Path

import anyio
import httpx
import pytest

from support.process import (
    MODULE,
    SERVE,
    environment,
    http_client,
    http_server,
    run_cli,
    token_header,
)
from support.provider import running_provider
from support.sampling import sample
from support.world import Era, call, structured

KEY = {"GEEKAI_API_KEY": "sk-any", "GEEKAI_BASE_URL": "http://127.0.0.1:9/api/v1"}


@pytest.mark.parametrize("era", sample(["auto", "legacy"], every=2))
@pytest.mark.parametrize("path", sample(["/mcp", "/sse"], every=2))
async def test_a_client_with_the_token_makes_a_video(tmp_path: Path, path: str, era: Era) -> None:
    async with (
        running_provider() as service,
        http_server(tmp_path, *SERVE, **service.settings) as origin,
        http_client(origin + path, headers=token_header(tmp_path), era=era) as client,
    ):
        started = structured(await call(client, "generate_video", prompt="a fox"))

    assert started["task_id"]


@pytest.mark.exhaustive
async def test_the_printed_configuration_is_what_a_host_needs(tmp_path: Path) -> None:
    async with http_server(tmp_path, *SERVE, **KEY) as origin:
        port = origin.rpartition(":")[2]
        status, out, err = await run_cli(tmp_path, "token", "--port", port, **KEY)
        _, raw, _ = await run_cli(tmp_path, "token", "--raw", **KEY)
        host = json.loads(out)["mcpServers"]["geekai-video"]
        async with http_client(host["url"], headers=host["headers"]) as client:
            tools = await client.list_tools()
    _, sse, _ = await run_cli(tmp_path, "token", "--transport", "sse", **KEY)
    log = (tmp_path / "stderr.log").read_text("utf-8")

    assert (status, err) == (0, "")
    assert host["type"] == "http"
    assert tools.tools
    assert host["headers"] == {"Authorization": f"Bearer {raw.strip()}"}
    assert json.loads(sse)["mcpServers"]["geekai-video"]["url"] == "http://127.0.0.1:8765/sse"
    assert str(tmp_path / "state" / "http-token") in log
    assert raw.strip() not in log


@pytest.mark.exhaustive
async def test_a_token_made_before_the_first_start_is_the_servers(tmp_path: Path) -> None:
    _, before, _ = await run_cli(tmp_path, "token", "--raw", **KEY)
    for _ in range(2):
        async with http_server(tmp_path, *SERVE, **KEY):
            assert token_header(tmp_path) == {"Authorization": f"Bearer {before.strip()}"}

    assert stat.S_IMODE((tmp_path / "state" / "http-token").stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
async def test_a_terminal_is_shown_the_configuration_itself(tmp_path: Path) -> None:
    import pty  # noqa: PLC0415 - not on Windows

    ours, theirs = pty.openpty()
    shown = ""
    async with await anyio.open_process(
        [*MODULE, *SERVE], env=environment(tmp_path, **KEY), stderr=theirs
    ) as process:
        os.close(theirs)
        with anyio.fail_after(30):
            while "\n}" not in shown:
                shown += (await anyio.to_thread.run_sync(os.read, ours, 4096)).decode()
        process.terminate()
        with anyio.fail_after(20):
            await process.wait()
    os.close(ours)
    configuration = json.loads(shown[shown.index("{") : shown.index("\n}") + 2].replace("\r", ""))

    assert configuration["mcpServers"]["geekai-video"]["headers"] == token_header(tmp_path)


async def test_no_token_says_what_it_means(tmp_path: Path) -> None:
    async with (
        http_server(tmp_path, *SERVE, "--no-token", **KEY) as origin,
        http_client(f"{origin}/mcp", headers={}) as client,
    ):
        assert (await client.list_tools()).tools

    log = (tmp_path / "stderr.log").read_text("utf-8")
    assert "every user and every program of this machine can spend the money of the key" in log
    assert not (tmp_path / "state" / "http-token").exists()


@pytest.mark.exhaustive
async def test_the_keyless_sandbox_asks_for_no_token(tmp_path: Path) -> None:
    async with (
        http_server(tmp_path, *SERVE) as origin,
        http_client(f"{origin}/mcp", headers={}) as client,
    ):
        assert (await client.list_tools()).tools
    status, out, err = await run_cli(tmp_path, "token")

    assert status == 0
    assert json.loads(out)
    assert "requires no token" in err


async def test_an_output_that_nobody_reads_is_no_traceback(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = await anyio.run_process(
        [*MODULE, "token"], env=environment(tmp_path, **KEY), stdout=writer, check=False
    )
    os.close(writer)

    assert done.returncode == 1
    assert done.stderr.decode() == "The output could not be written: Broken pipe.\n"


@pytest.mark.exhaustive
async def test_an_unsafe_token_file_stops_the_start_in_a_clear_line(tmp_path: Path) -> None:
    await run_cli(tmp_path, "token", **KEY)
    (tmp_path / "state" / "http-token").chmod(0o644)
    for command in (SERVE, ("token",)):
        status, out, err = await run_cli(tmp_path, *command, **KEY)

        assert (status, out) == (2, "")
        assert err.startswith(
            f'The token file "{tmp_path}/state/http-token" could not be read: its'
        )
        assert "Traceback" not in err


async def test_an_address_in_this_machines_network_may_be_named_as_host(tmp_path: Path) -> None:
    options = (*SERVE, "--host", "127.0.0.2")
    async with http_server(tmp_path, *options) as origin, httpx.AsyncClient() as client:
        answer = await client.get(f"{origin}/health")

    assert origin.startswith("http://127.0.0.2:")
    assert answer.status_code == 200


CANARY = "a fox called Canary-4471"


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", ["/mcp", "/sse"])
@pytest.mark.parametrize("era", sample(["auto", "legacy"], every=2))
async def test_a_debug_log_holds_no_prompt_no_key_and_no_token(
    tmp_path: Path, path: str, era: Era
) -> None:
    """At this level the SDK logs each message, and the HTTP client each link of a result."""
    async with running_provider() as service:
        settings = {
            **service.settings,
            "GEEKAI_API_KEY": "sk-canary-55512",
            "GEEKAI_LOG_LEVEL": "DEBUG",
        }
        async with (
            http_server(tmp_path, *SERVE, **settings) as origin,
            http_client(origin + path, headers=token_header(tmp_path), era=era) as client,
        ):
            token = token_header(tmp_path)["Authorization"].removeprefix("Bearer ")
            started = structured(await call(client, "generate_video", prompt=CANARY))
            await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=1)

    log = (tmp_path / "stderr.log").read_text("utf-8")
    assert started["task_id"]
    assert "Canary" not in log
    assert "sk-canary" not in log
    assert token not in log
    assert "/files/" not in log
