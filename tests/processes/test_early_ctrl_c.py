"""Ctrl-C in the first moments of a command, while its modules are imported."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.process import MODULE, environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signal to one")

INTERRUPT_IN_A_STRING = """
import sys

class Finder:
    def find_spec(self, name, path, target=None):
        if name == "geekai_video_mcp.cli.logs":
            exec("raise KeyboardInterrupt")

sys.meta_path.insert(0, Finder())
"""
"""Interrupts a command, once it has begun, as a signal does in the source of a dataclass."""


def interrupt_once_imported(folder: Path, module: str, *command: str) -> tuple[int, str]:
    """Send SIGINT as soon as *module* is imported; returns (exit status, what it then said)."""
    with (
        subprocess.Popen(  # noqa: S603 - our own program
            [MODULE[0], "-X", "importtime", *MODULE[1:], *command],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=environment(folder),
        ) as process
    ):
        assert process.stderr is not None
        for line in process.stderr:
            if line.rstrip().endswith(f" {module}"):
                process.send_signal(signal.SIGINT)
                break
        said = process.stderr.read()
        status = process.wait(timeout=30)
    return status, "".join(
        line for line in said.splitlines(keepends=True) if "import time:" not in line
    )


@pytest.mark.parametrize("module", ["argparse", "anyio", "pydantic_core"])
def test_it_says_at_once_that_nothing_was_charged(tmp_path: Path, module: str) -> None:
    status, said = interrupt_once_imported(tmp_path, module, "generate", "a fox")

    assert (status, said.strip()) == (130, "Stopped. Nothing was sent. Nothing was charged.")
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("command", ["tasks", "models", "serve"])
def test_a_command_that_pays_nothing_ends_without_a_word(tmp_path: Path, command: str) -> None:
    assert interrupt_once_imported(tmp_path, "argparse", command) == (130, "")


def test_it_ends_with_a_status_and_not_by_the_signal(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPT_IN_A_STRING, "utf-8")
    paths = f"{tmp_path}:{environment(tmp_path).get('PYTHONPATH', '')}"
    done = subprocess.run(  # noqa: S603 - our own program
        [*MODULE, "tasks"],
        capture_output=True,
        env=environment(tmp_path, PYTHONPATH=paths),
        check=False,
        timeout=30,
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
