"""Whoever reads a command's output may stop: there is no traceback, and no work is cut short."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import new_task
from support.ledgers import record_tasks
from support.process import MODULE, environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")

ID = "abcdef" + "1" * 26
PRINTING = [
    ["--help"],
    ["--version"],
    ["serve", "--help"],
    ["tasks", "show", "--help"],
    ["install"],
    ["install", "--print", "cursor"],
    ["doctor"],
    ["doctor", "--json"],
    ["tokens", "list"],
    ["models"],
    ["models", "--json"],
    ["models", "cogvideox-3"],
    ["models", "cogvideox-3", "--json"],
    ["spent"],
    ["spent", "--by", "model", "--json"],
    ["tasks"],
    ["tasks", "--json"],
    ["tasks", "--search", "nothing like it"],
    ["tasks", "show", ID],
    ["tasks", "show", ID, "--json"],
    ["tasks", "export"],
    ["tasks", "purge"],
    ["tasks", "resolve", ID, "--abandon"],
    ["completion", "bash"],
]
"""Commands that print their result, and change nothing before they have printed it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("closed")
    made = new_task(
        request={"model": "m", "prompt": "a fox"}, account="s", owner="gone", at=time.time() - 9e5
    )
    one = replace(made, id=ID, status=Status.UNKNOWN, attempt=1, error_code="no_answer")
    anyio.run(record_tasks, folder / "state", one)
    anyio.run(run_quietly, folder, "tokens", "add", "alice")
    return folder


async def run_quietly(folder: Path, *command: str) -> None:
    await anyio.run_process([*MODULE, *command], env=environment(folder))


def run(folder: Path, *command: str, closed: str) -> tuple[int, bytes, bytes]:
    """Run a command, of whose streams nobody reads *closed*: stdout, stderr or both."""
    env = environment(folder)
    env.pop("PYTHONUNBUFFERED", None)  # with which argparse hides the error itself
    with subprocess.Popen(  # noqa: S603 - our own command, and pipes to break
        [*MODULE, *command],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
            assert stream is not None
            if name in closed:
                stream.close()
        assert process.stdout is not None
        assert process.stderr is not None
        out = b"" if process.stdout.closed else process.stdout.read()
        err = b"" if process.stderr.closed else process.stderr.read()
        return process.wait(timeout=50), out, err


@pytest.mark.parametrize("command", PRINTING, ids=" ".join)
def test_a_reader_that_has_gone_away_is_no_traceback(folder: Path, command: list[str]) -> None:
    status, _, err = run(folder, *command, closed="stdout")

    assert status == 141
    assert b"Traceback" not in err
    assert b"Exception" not in err


def test_a_token_that_nobody_has_read_is_an_error_in_a_sentence(folder: Path) -> None:
    status, _, err = run(folder, "token", closed="stdout")

    assert status == 1
    assert err == b"The output could not be written: Broken pipe.\n"


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["tasks", "show", "beefbeef"], 1),
        (["tasks", "--limit", "0"], 2),
        (["models", "no-such-model"], 1),
        (["tasks", "show", ID], 0),
    ],
)
def test_without_a_reader_of_errors_the_status_still_says_what_happened(
    folder: Path, command: list[str], status: int
) -> None:
    ended, out, _ = run(folder, *command, closed="stderr")

    assert ended == status
    assert bool(out) == (status == 0)


@pytest.mark.parametrize("command", [["tasks"], ["--help"], ["tasks", "show", "beefbeef"]])
@pytest.mark.parametrize(
    "closed",
    [
        *(pytest.param(one, marks=pytest.mark.exhaustive) for one in (">&-", "2>&-", ">&- 2>&-")),
        "<&- >&- 2>&-",
    ],
)
def test_a_stream_that_was_closed_from_the_start_is_empty(
    folder: Path, command: list[str], closed: str
) -> None:
    script = f'exec "$@" {closed}'
    done = subprocess.run(  # noqa: S603 - a shell, to close descriptors as people do
        ["/bin/sh", "-c", script, "sh", *MODULE, *command],
        env=environment(folder),
        capture_output=True,
        timeout=50,
        check=False,
    )

    assert done.returncode == (1 if "show" in command else 0)
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


def test_nothing_but_a_notice_is_lost_where_nobody_reads_errors(folder: Path) -> None:
    """A command that changes something does it to its end."""
    other = replace(
        new_task(request={"model": "m"}, account="s", owner="gone", at=time.time()),
        status=Status.UNKNOWN,
        attempt=1,
        error_code="no_answer",
    )
    anyio.run(record_tasks, folder / "state", other)

    status, out, _ = run(
        folder, "tasks", "resolve", other.id, "--abandon", "--yes", closed="stderr"
    )

    assert status == 0
    assert out.endswith(b"Marked as abandoned.\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("command", PRINTING, ids=" ".join)
def test_an_output_that_cannot_be_written_is_said_in_a_sentence(
    folder: Path, command: list[str]
) -> None:
    env = environment(folder)
    env.pop("PYTHONUNBUFFERED", None)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(  # noqa: S603 - our own command
            [*MODULE, *command],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
            timeout=60,
        )

    assert done.returncode == 1
    assert "The output could not be written: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
