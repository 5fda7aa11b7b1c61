"""Preview images of a result, small enough for a conversation.

Decoding happens in child processes: the codecs are large, and the file is not trusted. At
most `MAX_CONCURRENT` run at once, for all callers.
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
MAX_CONCURRENT: Final = 2
"""Previews at the same time: each may take much memory and both cores of a machine."""
KEPT_BYTES: Final = 4_000_000
"""Bytes of previews that are kept: about sixty contact sheets."""

Preview = Literal["cover", "frames", "picture", "last"]


@dataclass(frozen=True)
class _PreviewKey:
    """One picture of one state of a file."""

    path: str
    kind: Preview
    size: int
    modified_ns: int


@dataclass
class _PendingPreview:
    """A preview in the making, which every caller who needs the same one waits for."""

    done: anyio.Event = field(default_factory=anyio.Event)
    rendered: bool = False
    picture: bytes | None = None


class PreviewRenderer:
    """Makes previews for all callers of a process: two at once, and equal ones only once."""

    def __init__(self, *, run_worker: RunWorker = run_worker) -> None:
        self._run_worker = run_worker
        self._slots = anyio.Semaphore(MAX_CONCURRENT)
        self._pending: dict[_PreviewKey, _PendingPreview] = {}
        self._kept: OrderedDict[_PreviewKey, bytes | None] = OrderedDict()

    async def render(self, path: Path, kind: Preview) -> bytes | None:
        """A JPEG, or for `last` a PNG; None if no frame can be decoded, or not in time."""
        with suppress(OSError), anyio.move_on_after(PREVIEW_DEADLINE):
            status = await to_thread.run_sync(path.stat)
            return await self._find_or_make(
                _PreviewKey(str(path), kind, status.st_size, status.st_mtime_ns)
            )
        return None

    async def _find_or_make(self, key: _PreviewKey) -> bytes | None:
        """Make the picture, or wait for the caller who makes it, and take over if it gives up."""
        while key not in self._kept:
            pending = self._pending.get(key)
            if pending is None:
                return await self._make_preview(key)
            await pending.done.wait()
            if pending.rendered:
                return pending.picture
        self._kept.move_to_end(key)
        return self._kept[key]

    async def _make_preview(self, key: _PreviewKey) -> bytes | None:
        pending = self._pending[key] = _PendingPreview()
        try:
            async with self._slots:
                child = await self._run_worker(["preview", key.path, key.kind], b"")
            pending.rendered, pending.picture = True, child.stdout or None
            # A child that was killed may have more time, or more memory, at the next call.
            if child.returncode >= 0:
                self._keep_preview(key, pending.picture)
            return pending.picture
        finally:
            del self._pending[key]
            pending.done.set()

    def _keep_preview(self, key: _PreviewKey, picture: bytes | None) -> None:
        self._kept[key] = picture
        while sum(len(kept or b"") + 200 for kept in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)
