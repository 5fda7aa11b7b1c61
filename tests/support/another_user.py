"""This server as another user of the machine runs it, which only root can try."""

import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import anyio

from support.missing import skip_test
from support.process import MODULE

USER: Final = ("--reuid", "12345", "--regid", "12345", "--clear-groups")
"""A user of no name and no home, as a container's `USER 12345` is."""
CANNOT_RUN: Final = (b"setpriv: failed", b"ModuleNotFoundError", b"loading shared libraries")
"""What is said where this Python, or this clone, lies in a folder that is root's alone."""


@contextmanager
def making_open_folder() -> Generator[Path]:
    """A folder that every user may enter; pytest's own are root's alone."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


async def run_as_another_user(command: Sequence[str], env: Mapping[str, str]) -> tuple[int, str]:
    """Run the command line as that user; returns its exit status, and what it said on stderr."""
    setpriv = shutil.which("setpriv")
    if sys.platform == "win32" or os.geteuid() != 0 or setpriv is None:
        skip_test("only root may become another user, and only Linux has setpriv")
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    with anyio.fail_after(60):
        done = await anyio.run_process(
            [setpriv, *USER, "--", *MODULE, *command],
            env={**kept, **env},
            check=False,
            input=b"",
            cwd="/",
        )
    if any(words in done.stderr for words in CANNOT_RUN):
        skip_test("that user may not run this Python: its folder is root's alone")
    return done.returncode, done.stderr.decode()
