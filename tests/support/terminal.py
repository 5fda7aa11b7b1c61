"""A command at a terminal of its own: what it shows, and a person who types."""

import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
from anyio.abc import Process

from support.process import MODULE, environment

CTRL_C, CTRL_D = "\x03", "\x04"
SECONDS: Final = 30
"""For the next question; one takes milliseconds."""
_TAKE_TERMINAL: Final = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    " os.execv(sys.argv[1], sys.argv[1:])"
)
"""Makes the terminal that of the session, so that Ctrl-C is a signal and /dev/tty is there."""


@dataclass
class Terminal:
    process: Process
    descriptor: int
    shown: str = ""
    """All that was shown, what was typed included where the terminal echoes it."""
    seen: int = 0
    """How much of it was expected already."""

    async def expect(self, words: str) -> str:
        """Wait until *words* are shown; returns all that was shown since the last ones."""
        with anyio.fail_after(SECONDS):
            while (end := self.shown.find(words, self.seen)) < 0:
                assert await self._read(), f"ended without {words!r}:\n{self.shown}"
        before, self.seen = self.shown[self.seen : end + len(words)], end + len(words)
        return before

    def type(self, words: str) -> None:
        os.write(self.descriptor, words.encode())

    async def answer(self, question: str, words: str = "") -> str:
        """Wait for *question*, and type *words* and Enter."""
        before = await self.expect(question)
        self.type(f"{words}\n")
        return before

    async def interrupt(self) -> int:
        """Press Ctrl-C until the command ends; returns the exit status.

        C's `fgets`, which `input` calls, does not see one that comes just before it.
        """
        with anyio.fail_after(SECONDS):
            while self.process.returncode is None:
                self.type(CTRL_C)
                with anyio.move_on_after(1):
                    return await self.end()
            return await self.end()

    async def end(self) -> int:
        """Wait for the end; returns the exit status."""
        with anyio.fail_after(SECONDS):
            while await self._read():
                pass
            return await self.process.wait()

    async def _read(self) -> bool:
        """Read what is shown next; false at the end."""
        await anyio.wait_readable(self.descriptor)
        try:
            chunk = os.read(self.descriptor, 65536)
        except OSError:  # Linux's way to say that nobody holds the other end
            return False
        self.shown += chunk.decode().replace("\r\n", "\n")
        return bool(chunk)


@asynccontextmanager
async def terminal(
    folder: Path, *command: str, settings: Mapping[str, str], columns: int = 80
) -> AsyncGenerator[Terminal]:
    """Run a command of ours at a new terminal."""
    import pty  # noqa: PLC0415 - POSIX's
    import termios  # noqa: PLC0415

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, columns))
    quiet = {"COLUMNS": "", "PYTHONWARNDEFAULTENCODING": ""}  # getpass itself opens without one
    env = {**environment(folder, **settings), **quiet}
    start = [sys.executable, "-SEc", _TAKE_TERMINAL, *MODULE, *command]
    try:
        async with await anyio.open_process(
            start, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
        ) as process:
            os.close(theirs)
            try:
                yield Terminal(process, ours)
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
    finally:
        os.close(ours)
