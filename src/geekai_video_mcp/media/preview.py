"""Preview images of a result, small enough for a conversation.

Decoding happens in child processes: the codecs are large, and the file is not trusted. There are
at most two at once, whoever asks, because each may take much memory and both cores of a machine.
"""

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import anyio
from anyio import to_thread

from geekai_video_mcp.media.child_process import RunWorker, run_worker

PREVIEW_DEADLINE: Final = 8.0
"""Seconds from the call, waiting in line included; a file that needs longer gets no preview."""
AT_ONCE: Final = 2
KEPT_BYTES: Final = 4_000_000
"""Bytes of previews that are kept: about sixty contact sheets."""

Preview = Literal["cover", "frames", "picture", "last"]


@dataclass(frozen=True)
class _Question:
    """One picture of one state of a file."""

    path: str
    kind: Preview
    size: int
    modified_ns: int


@dataclass
class _Answer:
    """What those wait for who ask the same at the same time."""

    known: anyio.Event = field(default_factory=anyio.Event)
    given: bool = False
    picture: bytes | None = None


class PreviewRenderer:
    """Makes previews for all callers of a process: two at once, and equal ones only once."""

    def __init__(self, *, run_worker: RunWorker = run_worker) -> None:
        self._run_worker = run_worker
        self._slots = anyio.Semaphore(AT_ONCE)
        self._pending: dict[_Question, _Answer] = {}
        self._kept: OrderedDict[_Question, bytes | None] = OrderedDict()

    async def render(self, path: Path, kind: Preview) -> bytes | None:
        """A JPEG, or for `last` a PNG; None if no frame can be decoded, or not in time."""
        with suppress(OSError), anyio.move_on_after(PREVIEW_DEADLINE):
            status = await to_thread.run_sync(path.stat)
            return await self._answer(
                _Question(str(path), kind, status.st_size, status.st_mtime_ns)
            )
        return None

    async def _answer(self, question: _Question) -> bytes | None:
        """Make the picture, or wait for the one who makes it; whoever gives up is succeeded."""
        while question not in self._kept:
            answer = self._pending.get(question)
            if answer is None:
                return await self._make(question)
            await answer.known.wait()
            if answer.given:
                return answer.picture
        self._kept.move_to_end(question)
        return self._kept[question]

    async def _make(self, question: _Question) -> bytes | None:
        answer = self._pending[question] = _Answer()
        try:
            async with self._slots:
                done = await self._run_worker(["preview", question.path, question.kind], b"")
            answer.given, answer.picture = True, done.stdout or None
            # A child that was killed may have more time, or more memory, when it is asked again.
            if done.returncode >= 0:
                self._keep(question, answer.picture)
            return answer.picture
        finally:
            del self._pending[question]
            answer.known.set()

    def _keep(self, question: _Question, picture: bytes | None) -> None:
        self._kept[question] = picture
        while sum(len(kept or b"") + 200 for kept in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)
