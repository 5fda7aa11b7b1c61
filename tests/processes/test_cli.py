"""The command line, as a person or a host meets it."""

import subprocess
import sys
from pathlib import Path

import pytest

from geekai_video_mcp import __version__
from support.process import run_cli


async def test_every_mistake_in_the_environment_is_reported_at_once(tmp_path: Path) -> None:
    status, out, err = await run_cli(
        tmp_path,
        GEEKAI_API_KEY="sk canary\t1",
        GEEKAI_BASE_URL="http://gateway.example/v1",
        GEEKAI_OUTPUT_DIR="videos",
        GEEKAI_LOG_LEVEL="LOUD",
    )

    assert status == 2
    assert out == ""
    assert "Traceback" not in err
    assert "canary" not in err
    for name in ("API_KEY", "BASE_URL", "OUTPUT_DIR", "LOG_LEVEL"):
        assert f"GEEKAI_{name}: " in err


async def test_a_state_folder_that_cannot_be_used_is_an_error_and_not_a_traceback(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    status, _, err = await run_cli(tmp_path, GEEKAI_STATE_DIR=str(tmp_path / "file" / "state"))

    assert status == 2
    assert "state folder" in err
    assert "Traceback" not in err


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "command",
    [
        [],
        ["serve"],
        ["sandbox"],
        ["token"],
        ["spent"],
        ["doctor"],
        ["setup"],
        ["tasks"],
        ["tasks", "list"],
        ["tasks", "show"],
        ["tasks", "export"],
        ["tasks", "resolve"],
    ],
)
async def test_every_command_has_help(tmp_path: Path, command: list[str]) -> None:
    status, out, _ = await run_cli(tmp_path, *command, "--help")

    assert status == 0
    assert "usage: geekai-video-mcp" in out


async def test_an_unknown_command_is_refused(tmp_path: Path) -> None:
    status, out, err = await run_cli(tmp_path, "frobnicate")

    assert (status, out) == (2, "")
    assert "frobnicate" in err


@pytest.mark.parametrize("port", ["70000", "-1", "http", "²"])
async def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    status, out, err = await run_cli(tmp_path, "serve", "--transport", "http", f"--port={port}")

    assert (status, out) == (2, "")
    assert "0 to 65535" in err
    assert "Traceback" not in err


def test_the_console_script_is_installed() -> None:
    script = Path(sys.executable).with_name("geekai-video-mcp")
    command = subprocess.run([script, "--version"], capture_output=True, check=True, timeout=30)  # noqa: S603

    assert command.stdout.decode().strip() == __version__
