"""Runs a host's own command, and says in its words why it failed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from geekai_video_mcp.errors import HostError
from geekai_video_mcp.quoting import quote

MAX_SECONDS: Final = 60
"""For a host's command; on two busy cores the slowest takes three."""
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_BACKTRACE: Final = re.compile(r"\n\s*Stack backtrace:.*", re.DOTALL)
_WARNING: Final = re.compile(r"^WARNING: .*\n", re.MULTILINE)
_BATCH_WORDS: Final = frozenset('"%&|<>^!')
"""What cmd.exe would not pass on to a batch file as it is."""


def find_program(title: str, program: str, arguments: Sequence[str]) -> str:
    """The path of the host's program.

    Raises:
        HostError: it is not on PATH; what to run where it is.
    """
    found = shutil.which(program)
    if found is None:
        msg = f"{title} was not found: there is no {program} on PATH"
        remedy = (
            f"Install it and try again, or run this where it is:\n  {spell(program, arguments)}"
        )
        raise HostError(msg, remedy=remedy)
    return found


def run_program(title: str, program: str, arguments: Sequence[str]) -> str:
    """Run the host's command to its end; returns what it said.

    Raises:
        HostError: it failed.
    """
    command = [program, *arguments]
    _check_batch_words(program, arguments)
    with tempfile.TemporaryFile() as output:
        try:
            child = subprocess.Popen(  # noqa: S603 - the host that the person named
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as exc:
            msg = f"{quote(program)} could not be started: {quote(str(exc))}"
            raise HostError(msg) from exc
        try:
            status = child.wait(MAX_SECONDS)
        except subprocess.TimeoutExpired:
            _end_group(child)
            msg = f"{title}'s own command did not end within {MAX_SECONDS} seconds"
            raise HostError(msg) from None
        output.seek(0)
        said = output.read().decode("utf-8", "replace")
    said = _WARNING.sub("", _BACKTRACE.sub("", _COLOUR.sub("", said))).strip()
    if status:
        msg = f"{title}'s own command failed, with status {status}: {quote(said)}"
        raise HostError(msg, remedy=f"It was:\n  {spell(program, arguments)}")
    return said


def spell(program: str, arguments: Sequence[str]) -> str:
    """The command as a person can type it in a shell of this system."""
    if sys.platform == "win32":
        return subprocess.list2cmdline([program, *arguments])
    import shlex

    return shlex.join([program, *arguments])


def _check_batch_words(program: str, arguments: Sequence[str]) -> None:
    batch = program.lower().endswith((".cmd", ".bat"))
    if batch and any(set(each) & _BATCH_WORDS for each in arguments):
        msg = f"{quote(program)} is a batch file, to which a path with such characters cannot be"
        raise HostError(f"{msg} passed", remedy="Paste the configuration instead.")


def _end_group(child: "subprocess.Popen[bytes]") -> None:
    """Kill the command, and on POSIX what it has started."""
    with suppress(OSError):
        if sys.platform == "win32":
            child.kill()
        else:
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()
