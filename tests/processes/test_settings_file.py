"""The settings file, as a host and a terminal meet it: one file for both, and mistakes in words."""

import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from support.process import new_server, run_cli, running_server
from support.terminal import terminal

KEY = "sk-canary-0123456789"
posix = pytest.mark.skipif(sys.platform == "win32", reason="permissions and pipes are POSIX's")


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "settings.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o600)
    return path


async def refusal(folder: Path, path: Path | str, *command: str, **settings: str) -> str:
    """What is said of settings that cannot be used, by a server or a command."""
    status, out, err = await run_cli(
        folder, *command, **{"GEEKAI_SETTINGS_FILE": str(path), **settings}
    )
    assert (status, out) == (2, ""), err
    assert "Traceback" not in err
    assert "canary" not in err
    return err


async def test_a_placeholder_in_the_place_of_a_key_is_said_in_every_answer(tmp_path: Path) -> None:
    async with running_server(tmp_path, GEEKAI_API_KEY="${user_config.key}") as server:
        made = await server.call("generate_image", prompt="a fox")
        calls = [
            made,
            await server.call("get_video_task", task_id=made["structuredContent"]["task_id"]),
            await server.call("generate_video", prompt="a fox", dry_run=True),
            await server.call("list_video_tasks"),
            await server.call("list_video_models"),
            await server.call("view_video", task_id=made["structuredContent"]["task_id"]),
            await server.call("get_video_task", task_id="0123456789abcdef"),
        ]
        assert await server.close() == 0

    for result in calls:
        assert "because GEEKAI_API_KEY refers to another variable" in result["content"][0]["text"]
        structure = result.get("structuredContent")
        if structure is not None:
            assert "geekai-video-mcp setup" in structure["warnings"][-1]
            assert list(structure)[-1] == "next_step"
    assert [result.get("isError", False) for result in calls] == [False] * 6 + [True]
    err = (tmp_path / "stderr.log").read_text("utf-8")
    assert err.count("WARNING") == 1
    assert "The sandbox is used" in err


async def test_the_sandbox_that_was_asked_for_says_nothing_of_a_placeholder(tmp_path: Path) -> None:
    async with running_server(
        tmp_path, GEEKAI_API_KEY="${KEY}", GEEKAI_BASE_URL="sandbox"
    ) as server:
        listed = await server.call("list_video_tasks")
        assert await server.close() == 0

    assert "warnings" not in listed["structuredContent"]
    assert "API_KEY" not in listed["content"][0]["text"]


async def test_the_file_is_found_in_the_folder_for_configuration(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "geekai-video-mcp"
    folder.mkdir(parents=True)
    write(folder, 'GEEKAI_LOG_LEVEL = "LOUD"\n')
    status, _, err = await run_cli(
        tmp_path, GEEKAI_SETTINGS_FILE="", XDG_CONFIG_HOME=str(tmp_path / "config")
    )

    assert status == 2
    assert f'GEEKAI_LOG_LEVEL in "{folder / "settings.toml"}": must be one of' in err


@posix
async def test_a_key_that_others_may_read_is_a_warning_with_the_command(tmp_path: Path) -> None:
    path = write(tmp_path, f'GEEKAI_API_KEY = "{KEY}"\n')
    path.chmod(0o644)
    async with new_server(tmp_path, GEEKAI_SETTINGS_FILE=str(path)) as server:
        await server.initialize()
        assert await server.close() == 0
    err = (tmp_path / "stderr.log").read_text("utf-8")

    assert f'chmod 600 "{path}"' in err
    assert KEY not in err


@asynccontextmanager
async def service_that_breaks_off() -> AsyncGenerator[str]:
    """A service that hangs up on every request for a video, and knows a task job1."""
    answer = json.dumps({"task_id": "job1", "task_status": "running", "estimated_seconds": 9})

    async def serve(stream: SocketStream) -> None:
        async with stream:
            head = await BufferedByteReceiveStream(stream).receive_until(b"\r\n\r\n", 10_000)
            if not head.startswith(b"POST"):
                start = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n"
                kind = "Content-Type: application/json\r\nConnection: close\r\n\r\n"
                await stream.send(f"{start}{kind}{answer}".encode())

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - a socket's
        async with anyio.create_task_group() as serving:
            serving.start_soon(listener.serve, serve)
            yield f"http://127.0.0.1:{port}/api/v1"
            serving.cancel_scope.cancel()


@posix
async def test_what_a_host_left_unknown_is_decided_in_a_terminal(tmp_path: Path) -> None:
    """Neither the host nor the terminal has a key: both read the settings file."""
    nothing_else = {"GEEKAI_OUTPUT_DIR": "", "GEEKAI_STATE_DIR": ""}
    async with service_that_breaks_off() as base:
        path = write(
            tmp_path,
            f'GEEKAI_API_KEY = "{KEY}"\nGEEKAI_BASE_URL = "{base}"\n'
            f'GEEKAI_STATE_DIR = "{tmp_path / "state"}"\n'
            f'GEEKAI_OUTPUT_DIR = "{tmp_path / "videos"}"\n',
        )
        both = {**nothing_else, "GEEKAI_SETTINGS_FILE": str(path)}
        async with running_server(tmp_path, **both) as server:
            made = await server.call("generate_video", prompt="a fox")
            assert await server.close() == 0
        task_id = made["structuredContent"]["task_id"]
        async with terminal(
            tmp_path, "tasks", "resolve", task_id, "--attach", "job1", settings=both
        ) as shown:
            await shown.answer("Type yes to continue: ", "yes")
            status = await shown.end()

    assert made["structuredContent"]["task_status"] == "unknown"
    assert status == 0
    assert "Attached: GeekAI's task " in shown.shown


async def test_what_is_no_toml_is_named_by_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, f"# mine\nGEEKAI_API_KEY = {KEY}\n")
    err = await refusal(tmp_path, path)

    assert f'The settings file "{path}": line 2 is not TOML' in err
    assert "quotes" in err


@pytest.mark.parametrize("name", ["here.toml", os.curdir])
async def test_a_file_that_is_named_by_no_absolute_path_is_refused(
    tmp_path: Path, name: str
) -> None:
    assert "GEEKAI_SETTINGS_FILE: must be an absolute path" in await refusal(tmp_path, name)


async def test_a_file_that_is_named_has_to_exist(tmp_path: Path) -> None:
    assert "does not exist; GEEKAI_SETTINGS_FILE" in await refusal(tmp_path, tmp_path / "none")
