"""Rendering of a video request: scene, overlay, grain, sound, encoding, files, report.

Files appear in the folder only when complete. report.json is written last, and means that
all other files exist.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

from geekai_sandbox.render.background import decode_background
from geekai_sandbox.render.camera import camera_pose, choose_camera
from geekai_sandbox.render.clean_overlay import VideoOverlay
from geekai_sandbox.render.colour import U8, Floats
from geekai_sandbox.render.encoder import SAMPLE_RATE, VideoEncoder
from geekai_sandbox.render.fitted_image import FittedImage, margin_of
from geekai_sandbox.render.frames import enlarge_frame, frame_planes, frame_to_image, make_frame
from geekai_sandbox.render.image_scene import (
    CROSS_FADE,
    Shot,
    edge_tints,
    load_image,
    mix_planes,
    tail_share,
)
from geekai_sandbox.render.landscape import Landscape
from geekai_sandbox.render.layout import Backdrop
from geekai_sandbox.render.mood_words import choose_mood
from geekai_sandbox.render.noise import make_generator
from geekai_sandbox.render.plan import FULL_HD_PIXELS, Plan
from geekai_sandbox.render.sound import make_ambience
from geekai_sandbox.render.workspace import Workspace

PAINTED_PIXELS: Final = 1280 * 720
"""Largest landscape painted at full size; larger ones are enlarged, as they are soft anyway."""

COVER_QUALITY: Final = 88

PNG_LEVEL: Final = 1
"""Compression level: a tenth larger and five times faster than the default."""

GRAIN: Final = 1.15
"""Standard deviation of the film grain, in levels: enough to hide the remaining banding."""

GRAIN_REACH: Final = 4
"""Limit of the grain, in levels."""

GRAIN_FADE_SECONDS: Final = 0.6
"""Seconds before the last frame over which the grain fades out, at normal pace: the next shot may
begin with that frame, and its grain would stand still there."""

GRAIN_STEPS: Final = 6
"""Strengths of the grain while it fades out."""

GRAIN_SLACK: Final = 96
"""Pixels by which the grain's tile exceeds the frame; each frame uses a random part of it."""

PAINTERS: Final = 2
"""Threads that paint frames; NumPy releases the interpreter's lock for most of the work."""

COVER_POSITION: Final = 0.52
"""Just after the middle, so that the cover of a cross-fade shows both images."""


class Scene(Protocol):
    """The moving picture below the overlay."""

    backdrop: Backdrop

    def paint_frame(self, *, time: float, progress: float) -> VideoFrame: ...


class LandscapeScene:
    """A landscape, painted small and enlarged when the video is large."""

    def __init__(self, plan: Plan, mood: str) -> None:
        self._plan, self._camera = plan, choose_camera(plan)
        shrink = min(1.0, (PAINTED_PIXELS / (plan.width * plan.height)) ** 0.5)
        self._size = (
            (plan.width, plan.height)
            if shrink == 1.0
            else (round(plan.width * shrink) & ~1, round(plan.height * shrink) & ~1)
        )
        width, height = self._size
        self._landscape = Landscape(
            plan.seed,
            mood,
            width=width,
            height=height,
            sway=plan.movement,
            end=camera_pose(self._camera, movement=plan.movement, progress=1.0),
            seconds=plan.duration,
        )
        self._enlarged = shrink < 1.0
        self.backdrop = Backdrop.for_landscape(mood)

    def paint_frame(self, *, time: float, progress: float) -> VideoFrame:
        frame = make_frame(*self._size)
        now = camera_pose(self._camera, movement=self._plan.movement, progress=progress)
        self._landscape.paint(frame_planes(frame), time=time, pose=now)
        return (
            enlarge_frame(frame, self._plan.width, self._plan.height) if self._enlarged else frame
        )


class ArrivalScene:
    """A landscape that dissolves into the input image of the last frame."""

    def __init__(self, plan: Plan, mood: str, folder: Path, image_tail: str) -> None:
        self._plan, self._camera = plan, choose_camera(plan)
        self._departure = LandscapeScene(plan, mood)
        self._tail = FittedImage(_load_tail(folder / image_tail), plan.width, plan.height)
        under, tints = self._departure.backdrop, edge_tints([self._tail])
        self.backdrop = Backdrop(
            top_tint=(under.top_tint + tints[0]) / 2,
            bottom_tint=(under.bottom_tint + tints[1]) / 2,
            over_image=True,
        )

    def paint_frame(self, *, time: float, progress: float) -> VideoFrame:
        share, movement = tail_share(progress), self._plan.movement
        frame = (
            self._departure.paint_frame(time=time, progress=progress)
            if share < 1
            else make_frame(self._plan.width, self._plan.height)
        )
        if share > 0:
            pose = camera_pose(self._camera, movement=movement, progress=progress - 1)
            mix_planes(frame_planes(frame), self._tail.render_view(pose), share)
        return frame


class StillScene:
    """A camera over the input image in the folder."""

    def __init__(self, plan: Plan, folder: Path, image: str) -> None:
        self._plan, self._camera = plan, choose_camera(plan)
        first = load_image(folder / image, field="image")
        tail = _load_tail(folder / plan.image_tail) if plan.image_tail else None
        background = decode_background(folder / image)
        self._shot = Shot(
            first,
            tail,
            width=plan.width,
            height=plan.height,
            margin=margin_of(self._camera),
            background=background,
        )
        top, bottom = self._shot.edge_tints()
        self.backdrop = Backdrop(top_tint=top, bottom_tint=bottom, over_image=True)

    def paint_frame(self, *, time: float, progress: float) -> VideoFrame:
        frame = make_frame(self._plan.width, self._plan.height)
        movement = self._plan.movement
        self._shot.paint(
            frame_planes(frame),
            progress=progress,
            seconds=time / self._plan.pace,
            pose=camera_pose(self._camera, movement=movement, progress=progress),
            approach=camera_pose(self._camera, movement=movement, progress=progress - 1),
        )
        return frame


def _load_tail(path: Path) -> Image.Image:
    """Return the image of the last frame, which bears no text if it is a poster of ours."""
    image = load_image(path, field="image_tail")
    return decode_background(path) or image


class Grain:
    """Film grain: a random part of one tile of noise for each frame.

    Only for landscapes; an input image is not changed.
    """

    def __init__(self, plan: Plan) -> None:
        self._rng = make_generator(plan.seed, "grain")
        height, width = plan.height + GRAIN_SLACK, plan.width + GRAIN_SLACK
        noise = self._rng.standard_normal((height, width), np.float32) * np.float32(GRAIN)
        self._tile: U8 = (np.clip(np.rint(noise), -GRAIN_REACH, GRAIN_REACH) + GRAIN_REACH).astype(
            np.uint8
        )
        last = plan.frames - 1
        self._end = int(last * CROSS_FADE[1]) if plan.image_tail else last
        self._fade_out = GRAIN_FADE_SECONDS * plan.pace * plan.fps

    def apply(self, luma: U8, *, index: int) -> None:
        """Add the grain to the frame at *index*."""
        step = math.ceil(GRAIN_STEPS * min(1.0, (self._end - index) / self._fade_out))
        if step <= 0:
            return
        height, width = luma.shape
        y, x = (int(place) for place in self._rng.integers(0, GRAIN_SLACK, 2))
        grain = self._tile[y : y + height, x : x + width]
        if step < GRAIN_STEPS:
            levels = np.arange(-GRAIN_REACH, GRAIN_REACH + 1) * (step / GRAIN_STEPS)
            grain = (np.rint(levels) + GRAIN_REACH).astype(np.uint8)[grain]
        # Levels are within 16..235, so adding or subtracting four cannot overflow.
        luma += grain
        luma -= np.uint8(GRAIN_REACH)


@dataclass(frozen=True, slots=True)
class KeptFrames:
    """The frames that are kept as images, already encoded: a decoded one is large at 4K."""

    cover: bytes
    last: bytes | None


def render_video(
    plan: Plan, workspace: Workspace, progress: Callable[[float], None]
) -> dict[str, Any]:
    """Render all files of the plan into the workspace's folder; return the report.

    Raises:
        InvalidImageError: an input image cannot be used.
    """
    started = time.perf_counter()
    mood = choose_mood(plan.prompt)
    with ThreadPoolExecutor(_painter_count(plan)) as painters:
        sound = painters.submit(_make_sound, plan, mood)
        production = _Production.build(plan, workspace.folder, mood)
        part = workspace.create_part("video.mp4")
        with VideoEncoder(part, plan) as encoder:
            frames = production.paint_frames(painters)
            kept = _render_frames(frames, sound.result(), encoder, plan=plan, progress=progress)
            workspace.write_file("cover.jpg", kept.cover)
            if kept.last is not None:
                workspace.write_file("last-frame.png", kept.last)
    report = _make_report(plan, part) | {
        "codec": encoder.codec,
        "mood": mood,
        "typeset": production.overlay.typeset,
        "render_seconds": round(time.perf_counter() - started, 3),
    }
    workspace.publish_part("video.mp4")
    workspace.write_file("report.json", json.dumps(report).encode())
    return report


def _painter_count(plan: Plan) -> int:
    """Return how many threads paint: unfinished frames take most of the memory of a 4K render."""
    return PAINTERS if plan.width * plan.height <= FULL_HD_PIXELS else 1


def _make_report(plan: Plan, video: Path) -> dict[str, Any]:
    with video.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    return {
        "width": plan.width,
        "height": plan.height,
        "fps": plan.fps,
        "seconds": plan.duration,
        "frames": plan.frames,
        "audio": plan.audio,
        "bytes": size,
        "sha256": digest,
    }


@dataclass(frozen=True, slots=True)
class _Production:
    """A plan with its scene and overlay; any thread can paint any frame at any time."""

    plan: Plan
    scene: Scene
    overlay: VideoOverlay

    @classmethod
    def build(cls, plan: Plan, folder: Path, mood: str) -> Self:
        scene = _build_scene(plan, folder, mood)
        return cls(plan, scene, VideoOverlay(plan, scene.backdrop))

    def paint_frames(self, painters: ThreadPoolExecutor) -> Iterator[VideoFrame]:
        """Yield every frame in order, painting a few ahead."""
        ahead: deque[Future[VideoFrame]] = deque()
        for index in range(self.plan.frames):
            ahead.append(painters.submit(self.paint_frame, index))
            if len(ahead) > _painter_count(self.plan):
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    def paint_frame(self, index: int) -> VideoFrame:
        plan, now = self.plan, index / self.plan.fps
        frame = self.scene.paint_frame(time=now, progress=index / max(1, plan.frames - 1))
        self.overlay.draw(frame_planes(frame), time=now, progress=(index + 1) / plan.frames)
        return frame


def _build_scene(plan: Plan, folder: Path, mood: str) -> Scene:
    if plan.image is not None:
        return StillScene(plan, folder, plan.image)
    if plan.image_tail is not None:
        return ArrivalScene(plan, mood, folder, plan.image_tail)
    return LandscapeScene(plan, mood)


def _render_frames(
    frames: Iterator[VideoFrame],
    sound: Floats | None,
    encoder: VideoEncoder,
    *,
    plan: Plan,
    progress: Callable[[float], None],
) -> KeptFrames:
    grain = Grain(plan) if plan.image is None else None
    cover_index = min(plan.frames - 1, int(plan.frames * COVER_POSITION))
    cover: bytes | None = None
    last: bytes | None = None
    for index, frame in enumerate(frames):
        if index == cover_index:
            cover = _encode_frame(frame, "JPEG", quality=COVER_QUALITY)
        if plan.last_frame and index == plan.frames - 1:
            last = _encode_frame(frame, "PNG", compress_level=PNG_LEVEL)
        if grain is not None:
            grain.apply(frame_planes(frame).y, index=index)
        encoder.add_frame(frame)
        if sound is not None:
            encoder.add_sound(sound, until=_sample_count(plan, index + 1))
        progress((index + 1) / plan.frames)
    assert cover is not None  # noqa: S101  a plan has at least one frame
    return KeptFrames(cover, last)


def _sample_count(plan: Plan, frames: int) -> int:
    """Return the number of audio samples in *frames* frames."""
    return round(frames * SAMPLE_RATE / plan.fps)


def _make_sound(plan: Plan, mood: str) -> Floats | None:
    return (
        make_ambience(plan.seed, mood, samples=_sample_count(plan, plan.frames))
        if plan.audio
        else None
    )


def _encode_frame(frame: VideoFrame, file_format: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    frame_to_image(frame).save(buffer, file_format, **options)
    return buffer.getvalue()
