"""Encoding of a video: H.264 and AAC in an MP4 with the index at the start.

Frames are encoded in a worker thread behind a short queue while the next ones are drawn:
libav releases the interpreter's lock. Sound uses the same queue, so that the muxer does
not have to buffer one track for the other.
"""

from __future__ import annotations

import os
import queue
import threading
from fractions import Fraction
from pathlib import Path
from typing import Final, Self, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.codec import codecs_available
from av.codec.context import ThreadType
from av.container.output import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from geekai_sandbox.render.colour import Floats
from geekai_sandbox.render.frames import BT709, LIMITED
from geekai_sandbox.render.plan import Plan

# PyAV does not declare the type parameter of its Packet, so every method that takes or
# returns one is partially unknown; this module is the only one that calls them.
# pyright: reportUnknownMemberType=false

CODECS: Final = ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf", "libvpx-vp9", "mpeg4")
"""Encoders in order of preference: those for H.264, then others that MP4 supports."""

SAMPLE_RATE: Final = 48_000
AUDIO_CHUNK: Final = 1024
"""Samples of an AAC frame; only the last chunk of a track may be shorter."""

AUDIO_BITS: Final = 128_000
KEYFRAME_SECONDS: Final = 2
MAX_THREADS: Final = 6
"""x264's own choice on four cores; each further one would keep two more frames in memory."""
QUEUED_FRAMES: Final = 3
"""Enough to even out slow frames; each takes 1.5 bytes per pixel."""

NOTICE: Final = "Sandbox preview, made on this machine. Not a generated video."

# x264 ignores a zone over the first frame in its fastest preset, and this ratio in others.
_SPEED: Final = {"preset": "ultrafast", "crf": "19", "x264-params": "ipratio=6"}
# aq-mode 3 gives more bits to dark flat areas, where a sky shows banding first.
_QUALITY: Final = {
    "preset": "veryfast",
    "crf": "18",
    "profile": "high",
    "x264-params": "aq-mode=3:aq-strength=1.1",
}

SEAM_QUANTIZER: Final = 2
"""x264's quantizer of the first and the last frame, by which shots join: nearly lossless."""


class NoEncoderError(Exception):
    """This build of libav cannot write a video."""


def choose_codec() -> str:
    codec = next((name for name in CODECS if name in codecs_available), None)
    if codec is None:
        msg = "No video encoder in this build of PyAV; install av from PyPI."
        raise NoEncoderError(msg)
    return codec


class VideoEncoder:
    """Writes an MP4; a context manager. Leaving it without an error completes the file."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self._plan = plan
        self._codec = choose_codec()
        # The name ends in .part, so the format must be given.
        options = {"movflags": "+faststart"}
        self._container = av.open(str(path), "w", format="mp4", options=options)
        # The muxer cannot write an unpaired surrogate or a NUL.
        prompt = plan.prompt.encode("utf-8", "replace").decode().replace("\0", " ")
        self._container.metadata.update(
            {"title": prompt[:120], "description": prompt, "comment": f"{NOTICE} Prompt: {prompt}"}
        )
        self._video = self._add_video_stream(plan)
        self._audio = self._add_audio_stream() if plan.audio else None
        self._queue: queue.Queue[VideoFrame | AudioFrame | None] = queue.Queue(QUEUED_FRAMES)
        self._failure: Exception | None = None
        self._worker = threading.Thread(target=self._run_encoder, daemon=True)
        self._frames = 0
        self._samples = 0

    def __enter__(self) -> Self:
        self._worker.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        self._queue.put(None)
        self._worker.join()
        if kind is None and self._failure is None:
            self._container.mux(self._video.encode(None))
            if self._audio is not None:
                self._container.mux(self._audio.encode(None))
        self._container.close()
        if kind is None and self._failure is not None:
            raise self._failure

    @property
    def codec(self) -> str:
        return self._codec

    def add_frame(self, frame: VideoFrame) -> None:
        """Encode the next frame; blocks while the queue is full. Do not change it afterwards."""
        frame.pts = self._frames
        frame.time_base = Fraction(1, self._plan.fps)
        self._frames += 1
        self._enqueue(frame)

    def add_sound(self, sound: Floats, *, until: int) -> None:
        """Encode stereo samples from the end of the last call up to *until*, in whole chunks."""
        last = until >= sound.shape[1]
        while until - self._samples >= AUDIO_CHUNK or (last and self._samples < until):
            chunk = sound[:, self._samples : min(until, self._samples + AUDIO_CHUNK)]
            frame = AudioFrame.from_ndarray(
                np.ascontiguousarray(chunk), format="fltp", layout="stereo"
            )
            frame.sample_rate = SAMPLE_RATE
            frame.pts = self._samples
            frame.time_base = Fraction(1, SAMPLE_RATE)
            self._samples += chunk.shape[1]
            self._enqueue(frame)

    def _enqueue(self, frame: VideoFrame | AudioFrame) -> None:
        if self._failure is not None:
            raise self._failure
        self._queue.put(frame)

    def _run_encoder(self) -> None:
        while (frame := self._queue.get()) is not None:
            if self._failure is not None:
                continue  # empty the queue, or add_frame would block forever
            try:
                if isinstance(frame, VideoFrame):
                    self._container.mux(self._video.encode(frame))
                elif self._audio is not None:
                    self._container.mux(self._audio.encode(frame))
            except Exception as exc:  # noqa: BLE001  raised again in the thread that adds frames
                self._failure = exc

    def _add_video_stream(self, plan: Plan) -> VideoStream:
        options = _x264_options(plan) if self._codec == "libx264" else {}
        output: OutputContainer = self._container
        stream = cast(
            "VideoStream", output.add_stream(self._codec, rate=Fraction(plan.fps), options=options)
        )
        stream.width, stream.height, stream.pix_fmt = plan.width, plan.height, "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, plan.fps)
        context.gop_size = max(1, plan.fps * KEYFRAME_SECONDS)
        # PyAV's default, slices, leaves a core idle in x264.
        context.thread_type = ThreadType.AUTO
        context.thread_count = min(MAX_THREADS, 3 * (os.cpu_count() or 1) // 2 or 1)
        context.color_range = LIMITED
        context.colorspace = context.color_primaries = context.color_trc = BT709
        return stream

    def _add_audio_stream(self) -> AudioStream:
        stream = self._container.add_stream("aac", rate=SAMPLE_RATE)
        stream.bit_rate = AUDIO_BITS
        stream.layout = "stereo"
        return stream


def _x264_options(plan: Plan) -> dict[str, str]:
    options, last = _SPEED if plan.uses_fast_preset else _QUALITY, plan.frames - 1
    zones = "/".join(f"{start},{end},q={SEAM_QUANTIZER}" for start, end in ((0, 1), (last, last)))
    return {**options, "x264-params": f"{options['x264-params']}:zones={zones}"}
