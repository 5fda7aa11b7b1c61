"""Pictures of results, small enough for a conversation: contact sheets, covers, single frames.

Decoding happens in child processes: the codecs are large, and the file is not trusted. At most
`MAX_CONCURRENT` run at once in a process, for all callers. Of several files each is decoded in a
process of its own, so that one that cannot be decoded does not take the others with it.
"""

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import anyio
from anyio import to_thread

from geekai_video_mcp.media.child_process import RunWorker, WorkerSlots, run_worker
from geekai_video_mcp.media.inspection import Reason

PREVIEW_DEADLINE: Final = 8.0
"""Seconds from the call, waiting in line included; a file that needs longer gets no preview."""
SEVERAL_DEADLINE: Final = 12.0
"""The same for several files, of which those that are decoded by then are shown."""
COMPOSING_SECONDS: Final = 3.0
"""Seconds of it that are left for putting them together."""
MAX_CONCURRENT: Final = 2
"""Previews at the same time: each may take much memory and both cores of a machine."""
MAX_QUEUED: Final = 16
"""Files that wait for their turn, for each tenant: the others come no later for a flood of one."""
PASSING_REASONS: Final = frozenset({Reason.NO_ANSWER, Reason.BUSY})
"""A file that is not shown for one of them may be by the next call."""
KEPT_BYTES: Final = 4_000_000
"""Bytes of previews that are kept: about sixty contact sheets."""
FRAMES_OF_SEVERAL: Final = {2: 6, 3: 4, 4: 4}
"""Frames of each of so many videos side by side; of more, three."""
FEWEST_FRAMES: Final = 3

Preview = Literal["cover", "frames", "last"]


@dataclass(frozen=True, kw_only=True)
class PreviewRequest:
    """A picture of one file or of several side by side."""

    paths: tuple[Path, ...]
    titles: tuple[str, ...] = ()
    """What is written beside each of several."""
    kind: Preview = "frames"
    """`last` is for one file alone."""
    at: tuple[float, ...] = ()
    """Seconds; the frames that are shown then replace *kind*."""


@dataclass(frozen=True, kw_only=True)
class ShownFile:
    """What is known of one of the files of a picture; a fact is None where it is not known."""

    reason: Reason | None = None
    """Why it is not shown; None if it is."""
    labels: tuple[str, ...] | None = None
    """When the frames that are shown appear in it, as it is written on them; None for a picture."""
    seconds: float | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    has_sound: bool | None = None


@dataclass(frozen=True, kw_only=True)
class RenderedPreview:
    """A picture, and what is known of its files, in order."""

    picture: bytes | None
    """A JPEG, or for `last` a PNG; None if no file can be shown."""
    files: tuple[ShownFile, ...]


@dataclass(frozen=True)
class _WorkKey:
    """One run of a child program, on files of these sizes and times."""

    arguments: tuple[str, ...]
    states: tuple[tuple[int, int], ...]
    content: str = ""


@dataclass
class _PendingWork:
    """A run in progress, which every caller who needs the same one waits for."""

    done: anyio.Event = field(default_factory=anyio.Event)
    ended: bool = False
    output: bytes = b""


_SLOTS: Final = WorkerSlots(MAX_CONCURRENT, "previews at the same time")
"""Of the process, because every tenant has a renderer of its own."""


class _QueueFull(Exception):
    """As many files as may wait for their turn."""


class PreviewRenderer:
    """Makes previews for all callers of a tenant: two at once, and equal ones only once."""

    def __init__(self, *, run_worker: RunWorker = run_worker) -> None:
        self._run_worker = run_worker
        # No tenant stands in line with more than it can have at once: they take turns.
        self._turns = anyio.Semaphore(MAX_CONCURRENT)
        self._queued = 0
        self._pending: dict[_WorkKey, _PendingWork] = {}
        self._kept: OrderedDict[_WorkKey, bytes] = OrderedDict()

    async def render(self, request: PreviewRequest) -> RenderedPreview:
        """The picture, or for each file the reason why there is none."""
        path, *others = request.paths
        if others:
            return await self._render_several(request)
        file, picture = _NO_ANSWER, b""
        with anyio.move_on_after(PREVIEW_DEADLINE):
            kind = "at" if request.at else request.kind
            arguments = (kind, *map(str, request.at))
            file, picture = await self._decode_file(path, arguments)
        return RenderedPreview(picture=picture or None, files=(file,))

    async def _render_several(self, request: PreviewRequest) -> RenderedPreview:
        count = FRAMES_OF_SEVERAL.get(len(request.paths), FEWEST_FRAMES)
        arguments = ("strip", str(1 if request.kind == "cover" else count), *map(str, request.at))
        decoded = [(_NO_ANSWER, b"")] * len(request.paths)

        async def decode(number: int) -> None:
            decoded[number] = await self._decode_file(request.paths[number], arguments)

        picture: bytes | None = None
        with anyio.move_on_after(SEVERAL_DEADLINE):
            with anyio.move_on_after(SEVERAL_DEADLINE - COMPOSING_SECONDS):
                async with anyio.create_task_group() as group:
                    for number in range(len(request.paths)):
                        group.start_soon(decode, number)
            picture = await self._compose(request, decoded)
        files = tuple(file for file, _ in decoded)
        if picture is None:  # those that were decoded are not shown either
            files = tuple(file if file.reason else _NO_ANSWER for file in files)
        return RenderedPreview(picture=picture, files=files)

    async def _decode_file(self, path: Path, arguments: tuple[str, ...]) -> tuple[ShownFile, bytes]:
        """What is known of the file, and its picture; empty if there is none."""
        try:
            status = await to_thread.run_sync(path.stat)
        except OSError:
            return ShownFile(reason=Reason.UNREADABLE), b""
        state = (status.st_size, status.st_mtime_ns)
        output = b""
        try:
            output = await self._find_or_run(
                _WorkKey(("preview", str(path), *arguments), (state,)), b""
            )
        except _QueueFull:
            return ShownFile(reason=Reason.BUSY), b""
        except OSError:  # no process could be started
            pass
        if "last" in arguments:
            return (ShownFile(), output) if output else (ShownFile(reason=Reason.FRAME), b"")
        line, _, picture = output.partition(b"\n")
        if not line:
            return _NO_ANSWER, b""
        return read_facts(json.loads(line)), picture

    async def _compose(
        self, request: PreviewRequest, decoded: Sequence[tuple[ShownFile, bytes]]
    ) -> bytes | None:
        cover = request.kind == "cover" and not request.at
        strips = [
            (
                {
                    "title": title,
                    "labels": [""] if cover else file.labels or [""],
                    "bytes": len(png),
                },
                png,
            )
            for title, (file, png) in zip(request.titles, decoded, strict=True)
            if png
        ]
        if not strips:
            return None
        content = b"".join(png for _, png in strips)
        arguments = ("compose", json.dumps([head for head, _ in strips]))
        key = _WorkKey(arguments, (), hashlib.sha256(content).hexdigest())
        with suppress(OSError, _QueueFull):
            return await self._find_or_run(key, content) or None
        return None

    async def _find_or_run(self, key: _WorkKey, content: bytes) -> bytes:
        """The output, made now or kept, or by the caller who makes it, and who may give up.

        Raises:
            _QueueFull: too many others wait for their turn.
        """
        while key not in self._kept:
            pending = self._pending.get(key)
            if pending is None:
                return await self._run(key, content)
            await pending.done.wait()
            if pending.ended:
                return pending.output
        self._kept.move_to_end(key)
        return self._kept[key]

    async def _run(self, key: _WorkKey, content: bytes) -> bytes:
        if self._queued >= MAX_QUEUED:
            raise _QueueFull
        pending = self._pending[key] = _PendingWork()
        self._queued += 1
        try:
            async with self._turns, _SLOTS.of_process():
                child = await self._run_worker(list(key.arguments), content)
            pending.ended, pending.output = True, child.stdout
            # A child that was killed may have more time, or more memory, at the next call.
            if child.returncode >= 0:
                self._keep_output(key, child.stdout)
            return child.stdout
        finally:
            self._queued -= 1
            del self._pending[key]
            pending.done.set()

    def _keep_output(self, key: _WorkKey, output: bytes) -> None:
        self._kept[key] = output
        while sum(len(kept) + 200 for kept in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)


_NO_ANSWER: Final = ShownFile(reason=Reason.NO_ANSWER)


def read_facts(facts: Mapping[str, Any]) -> ShownFile:
    """The facts that a child program has written, or that were saved with a picture.

    Raises:
        ValueError, TypeError: something else stands in their place.
    """
    reason, labels = facts.get("reason"), facts.get("labels")
    if labels is not None and not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(labels)
    seconds, width, height = facts.get("seconds"), facts.get("width"), facts.get("height")
    fps, sound = facts.get("fps"), facts.get("has_sound")
    return ShownFile(
        reason=Reason(reason) if reason else None,
        labels=tuple(labels) if labels is not None else None,
        seconds=None if seconds is None else float(seconds),
        width=None if width is None else int(width),
        height=None if height is None else int(height),
        fps=None if fps is None else float(fps),
        has_sound=None if sound is None else bool(sound),
    )


_LABEL: Final = re.compile(r"\d+\.\d+ s")
