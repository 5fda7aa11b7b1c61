"""What a finished file is: its facts, and whether it can be decoded, found out in a child process.

Call `inspect_file` after a transfer, with the path of a video or a picture. It never raises for a
bad file, and it blocks no caller: what is not determined in time is `unknown`.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, cast

import anyio

from geekai_video_mcp.media.child_process import RunWorker, WorkerSlots, run_worker

INSPECTION_DEADLINE: Final = 5.0
"""Seconds from the call, waiting in line included; a normal clip takes a third of one."""
MAX_CONCURRENT: Final = 2
"""Inspections at the same time in one process; each child may take 768 MB, and takes 100."""


class Verdict(StrEnum):
    """Whether the file can be decoded."""

    DECODABLE = "decodable"
    """Its first frame was decoded, or the whole of a picture; `end_decoded` speaks of the end."""
    UNDECODABLE = "undecodable"
    """Nobody will see anything of it: `reason` says why."""
    UNKNOWN = "unknown"
    """It may be good: it was not found out, for lack of time, of memory or of a codec."""


class Reason(StrEnum):
    """Why a file is not decodable, or why that is not known."""

    EMPTY = "empty"
    INDEX = "index"
    """It begins like a video, and the rest is missing or damaged."""
    NO_VIDEO = "no_video"
    """There is no video stream in it."""
    FRAME = "frame"
    """Not even the first frame can be decoded."""
    DAMAGED = "damaged"
    """The picture cannot be decoded to its end."""

    TOO_LARGE = "too_large"
    """More pixels than are decoded here."""
    MEMORY = "memory"
    """Decoding it needs more memory than a child may take."""
    CODEC = "codec"
    """There is no decoder for it here."""
    FORMAT = "format"
    """It is no video or picture of a kind known here."""
    UNREADABLE = "unreadable"
    """The file cannot be opened."""
    NO_ANSWER = "no_answer"
    """The child ended without an answer: time ran out, or the decoder crashed."""
    BUSY = "busy"
    """No child was started: too many others were asked for at the same time."""


REASONS: Final = {
    Reason.EMPTY: "the file is empty",
    Reason.INDEX: "the file begins like a video, but the rest is missing or damaged",
    Reason.NO_VIDEO: "the file contains no video",
    Reason.FRAME: "not one frame of the video can be decoded",
    Reason.DAMAGED: "the picture is damaged",
    Reason.TOO_LARGE: "it has more pixels than this server decodes",
    Reason.MEMORY: "decoding it needs more memory than this server allows",
    Reason.CODEC: "this server has no decoder for its codec",
    Reason.FORMAT: "its format is not known to this server",
    Reason.UNREADABLE: "the file cannot be opened",
    Reason.NO_ANSWER: "its decoder did not finish",
    Reason.BUSY: "too many others are being decoded",
}
"""What each reason is in words that complete a sentence."""


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """What is known of a file; every fact is None where it is not known."""

    verdict: Verdict
    reason: Reason | None = None
    """Not None unless the verdict is `decodable`."""
    container: str | None = None
    """mp4, mov, webm, mkv, png, jpeg, webp, or libav's word for another."""
    codec: str | None = None
    width: int | None = None
    """Of the upright picture, in pixels: a phone's rotation is applied."""
    height: int | None = None
    seconds: float | None = None
    fps: float | None = None
    has_sound: bool | None = None
    frame_decoded: bool = False
    end_decoded: bool | None = None
    """Whether the end can be decoded too: False for a video that breaks off."""

    @property
    def sentence(self) -> str | None:
        """The reason in words, such as "the file is empty"."""
        return REASONS[self.reason] if self.reason else None


_SLOTS: Final = WorkerSlots(MAX_CONCURRENT, "inspections at the same time")


async def inspect_file(
    path: Path, *, max_seconds: float = INSPECTION_DEADLINE, run_worker: RunWorker = run_worker
) -> FileFacts:
    """The facts of the video or picture at *path*, within *max_seconds*. Raises for no file.

    The file is opened and its streams are read, its first frame is decoded, and then a frame near
    its end, as far as that takes a moment. So a file that begins like an MP4 and cannot be decoded
    is distinguished from a valid one. The file itself is never changed.
    """
    try:
        with anyio.move_on_after(max_seconds):
            async with _SLOTS.of_process():
                done = await run_worker(["inspect", str(path)], b"")
            return _read_facts(done.stdout)
    except OSError:  # no process could be started
        pass
    return FileFacts(verdict=Verdict.UNKNOWN, reason=Reason.NO_ANSWER)


def _read_facts(output: bytes) -> FileFacts:
    """The child's answer; a child that was killed by its limits has none."""
    if not output:
        return FileFacts(verdict=Verdict.UNKNOWN, reason=Reason.NO_ANSWER)
    fields = cast("dict[str, Any]", json.loads(output))
    reason = fields.pop("reason", None)
    return FileFacts(
        verdict=Verdict(fields.pop("verdict")), reason=Reason(reason) if reason else None, **fields
    )
