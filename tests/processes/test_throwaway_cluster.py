"""The cluster that `scripts/test` starts ends with it, however that ends."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pytest

from support import postgres
from support.missing import skip_test

SCRIPT = Path(postgres.__file__)
COMMAND = "import os, time; print(os.getpid(), os.environ['TEST_DATABASE_URL'], flush=True)"


@pytest.fixture
def temporary() -> Generator[Path]:
    """A folder for clusters alone, which the user `postgres` may enter."""
    if postgres.find_binaries() is None:
        skip_test("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="clusters-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start(temporary: Path | None, code: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "TMPDIR": str(temporary)}
    if temporary is None:
        del environment["TMPDIR"]
    environment.pop(postgres.VARIABLE, None)
    return subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-P", str(SCRIPT), sys.executable, "-c", code],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


def servers_in(folder: Path) -> list[str]:
    """The command lines of processes that name the folder."""
    found = list[str]()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if f"-D {folder}" in words:
                found.append(words)
    return found


def test_the_status_of_the_command_is_the_status_of_all(temporary: Path) -> None:
    process = start(temporary, f"{COMMAND}; raise SystemExit(3)")
    out, _ = process.communicate(timeout=50)

    assert process.returncode == 3
    assert re.search(r"postgresql://postgres:\w+@127\.0\.0\.1:\d+/postgres", out)
    assert list(temporary.iterdir()) == []
    assert servers_in(temporary) == []


def test_temporary_files_are_in_memory_and_end_with_the_command() -> None:
    code = "import os, tempfile; print(tempfile.mkdtemp(), os.environ.get('TMPDIR'), flush=True)"
    process = start(None, f"{code}; raise SystemExit(3)")
    out, _ = process.communicate(timeout=50)

    assert process.returncode == 3
    made, folder = map(Path, out.split())
    if folder.parent != postgres.MEMORY:
        shutil.rmtree(made)
        skip_test("there is not enough memory for files, or none to run programs from")
    assert made.parent == folder
    assert not folder.exists()


@pytest.mark.parametrize(
    ("whom", "number"),
    [
        ("all", signal.SIGTERM),
        ("all", signal.SIGINT),
        ("all", signal.SIGHUP),
        ("command", signal.SIGTERM),
        ("command", signal.SIGINT),
        ("command", signal.SIGKILL),
    ],
)
def test_a_signal_leaves_no_cluster(
    temporary: Path, whom: Literal["all", "command"], number: signal.Signals
) -> None:
    process = start(temporary, f"{COMMAND}; time.sleep(60)")
    assert process.stdout is not None
    own_id = int(process.stdout.readline().split()[0])
    before = servers_in(temporary)
    os.kill(process.pid if whom == "all" else own_id, number)
    process.communicate(timeout=50)

    assert before
    # An interrupted Python ends with 1 where it prints the traceback, and otherwise by the signal.
    assert process.returncode in {128 + number, 1}
    assert list(temporary.iterdir()) == []
    assert servers_in(temporary) == []
    with pytest.raises(ProcessLookupError):
        os.kill(own_id, 0)
