"""Text and graphics over a video: masks and scrims, blended into eight-bit planes.

What does not change is prepared once as integers, so that without a fade a frame takes a
multiplication and an addition for each covered pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from geekai_sandbox.render.camera import ease_out, smootherstep
from geekai_sandbox.render.canvas import Planes, halve
from geekai_sandbox.render.colour import U8, Floats, rgb, yuv
from geekai_sandbox.render.typesetter import Mask

INVISIBLE: Final = 0.004
"""An opacity below one level of 255."""

U16 = npt.NDArray[np.uint16]


class FadeInterval(NamedTuple):
    """When an element is visible: fading in from `start`, fading out from `end`; in seconds."""

    start: float = 0.0
    fade_in: float = 0.0
    end: float = math.inf
    fade_out: float = 0.0

    def opacity(self, time: float) -> float:
        appeared = (
            ease_out((time - self.start) / self.fade_in)
            if self.fade_in
            else float(time >= self.start)
        )
        if time <= self.end:
            return appeared
        disappeared = smootherstep((time - self.end) / self.fade_out) if self.fade_out else 1.0
        return appeared * (1 - disappeared)


def _blend_level(part: U8, alpha: Floats, level: float) -> None:
    # With a Python float the arrays would become float64.
    part[:] = part + alpha * (np.float32(level) - part) + np.float32(0.5)


class TextSprite:
    """A mask in one colour, with even position and size, that may rise while it fades in."""

    def __init__(
        self,
        mask: Mask,
        *,
        x: float,
        y: float,
        colour: str,
        opacity: float,
        fade: FadeInterval,
        rise: float,
    ) -> None:
        left, top = round(x) - mask.left, round(y) - mask.baseline
        inset_x, inset_y = left % 2, top % 2
        height, width = mask.alpha.shape
        # One more pair of rows: a rising mask ends a fraction of a row below its final position.
        alpha = np.zeros(((height + inset_y + 3) & ~1, (width + inset_x + 1) & ~1), np.float32)
        alpha[inset_y : inset_y + height, inset_x : inset_x + width] = mask.alpha * opacity
        self._left, self._top = left - inset_x, top - inset_y
        self._alpha = alpha
        self._colour = yuv(rgb(colour))
        self._fade, self._rise = fade, rise
        self._settled = self._to_planes(alpha)

    def draw(self, planes: Planes, time: float) -> None:
        opacity = self._fade.opacity(time)
        if opacity < INVISIBLE:
            return
        appeared = (
            ease_out((time - self._fade.start) / self._fade.fade_in) if self._fade.fade_in else 1.0
        )
        drop = self._rise * (1 - appeared)
        alphas = self._settled if drop < 0.02 else self._to_planes(_shift_down(self._alpha, drop))
        for i, (plane, alpha) in enumerate(zip(planes, alphas, strict=True)):
            share = alpha if opacity >= 1 else alpha * np.float32(opacity)
            part = _visible_part(plane, self._top >> (i > 0), self._left >> (i > 0), share)
            _blend_level(part[0], part[1], float(self._colour[i]))

    def bounding_box(self) -> tuple[int, int, int, int]:
        """Return top, left, bottom and right of its visible pixels after the fade; may be empty."""
        rows, columns = np.nonzero(self._alpha > INVISIBLE)
        if not len(rows):
            return self._top, self._left, self._top, self._left
        return (
            self._top + int(rows.min()),
            self._left + int(columns.min()),
            self._top + int(rows.max()) + 1,
            self._left + int(columns.max()) + 1,
        )

    def _to_planes(self, alpha: Floats) -> tuple[Floats, Floats, Floats]:
        half = halve(alpha)
        return alpha, half, half


def _shift_down(alpha: Floats, drop: float) -> Floats:
    """Return *alpha* moved down by *drop* pixels, a fraction allowed, in a taller array."""
    whole, part = int(drop), drop - int(drop)
    height = (alpha.shape[0] + whole + 2) & ~1
    shifted = np.zeros((height, alpha.shape[1]), np.float32)
    shifted[whole : whole + alpha.shape[0]] = alpha * (1 - part)
    shifted[whole + 1 : whole + 1 + alpha.shape[0]] += (alpha * part)[: height - whole - 1]
    return shifted


def _visible_part(plane: U8, top: int, left: int, alpha: Floats) -> tuple[U8, Floats]:
    """Return the part of *plane* under *alpha*, and the part of *alpha* over the plane."""
    height, width = plane.shape
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(height, top + alpha.shape[0]), min(width, left + alpha.shape[1])
    y1, x1 = max(y0, y1), max(x0, x1)
    return plane[y0:y1, x0:x1], alpha[y0 - top : y1 - top, x0 - left : x1 - left]


@dataclass(frozen=True, slots=True)
class ScrimShape:
    """A gradient from transparent at row `clear` to `strength` at row `full`.

    `far_edge` is the share of the strength at the frame's far edge: the text is on one
    side, and the picture should be visible on the other.
    """

    clear: int
    full: int
    strength: float
    far_edge: float = 1.0
    mirrored: bool = False

    def alpha(self, width: int, height: int) -> Floats:
        rows = np.arange(height, dtype=np.float32)[:, None]
        down = np.clip((rows - self.clear) / (self.full - self.clear), 0, 1)
        across = np.clip((np.arange(width, dtype=np.float32) / width - 0.30) / 0.60, 0, 1)
        across = 1 - (1 - self.far_edge) * across * across * (3 - 2 * across)
        if self.mirrored:
            across = across[::-1]
        return (down * down * (3 - 2 * down) * (across * self.strength)).astype(np.float32)


class Scrim:
    """A gradient in a dark tint of the scene, under light text."""

    def __init__(
        self, shape: ScrimShape, *, size: tuple[int, int], tint: Floats, fade: FadeInterval
    ) -> None:
        alpha = shape.alpha(*size)
        inked = np.nonzero(alpha.max(axis=1) > INVISIBLE)[0]
        self._top = int(inked[0]) & ~1 if len(inked) else 0
        low = (int(inked[-1]) + 2) & ~1 if len(inked) else 0
        # Copied, so that the alpha of the whole frame is not kept in memory.
        luma = alpha[self._top : min(low, size[1])].copy()
        self._alphas = (luma, halve(luma))
        self._gains = tuple(_to_256ths(alpha) for alpha in self._alphas)
        self._levels = [np.uint16(round(level)) for level in tint.tolist()]
        self._fade = fade

    def draw(self, planes: Planes, time: float) -> None:
        opacity = self._fade.opacity(time)
        if opacity < INVISIBLE:
            return
        gains = (
            self._gains
            if opacity >= 1
            else [_to_256ths(a * np.float32(opacity)) for a in self._alphas]
        )
        for i, plane in enumerate(planes):
            gain = gains[i > 0]
            top = self._top >> (i > 0)
            part = plane[top : top + len(gain)]
            # At most 256 * 255 + 128, which is why sixteen bits are enough.
            mixed: U16 = part * (np.uint16(256) - gain)
            mixed += gain * self._levels[i]
            mixed += np.uint16(128)
            mixed >>= 8
            part[:] = mixed


def _to_256ths(alpha: Floats) -> U16:
    return (alpha * 256 + 0.5).astype(np.uint16)


class ProgressLine:
    """The progress line: faint over its whole length, bright up to the current time."""

    def __init__(
        self, *, left: int, right: int, y: int, thickness: int, fade: FadeInterval
    ) -> None:
        self._left, self._right, self._y, self._thick = left, right, y, thickness
        self._fade = fade

    def draw(self, planes: Planes, time: float, progress: float) -> None:
        opacity = self._fade.opacity(time)
        if opacity < INVISIBLE:
            return
        reached = self._left + (self._right - self._left) * min(1.0, progress)
        self._draw_stroke(planes, self._right, 0.30 * opacity)
        self._draw_stroke(planes, int(reached), 0.92 * opacity)

    def _draw_stroke(self, planes: Planes, right: int, opacity: float) -> None:
        low = self._y + self._thick
        luma = planes.y[self._y : low, self._left : right]
        luma[:] = luma + opacity * (234.0 - luma) + 0.5
        for plane in (planes.u, planes.v):
            part = plane[self._y // 2 : (low + 1) // 2, self._left // 2 : right // 2]
            part[:] = part + opacity * (128.0 - part) + 0.5


class Timecode:
    """Seconds and frames, from digits rasterised once; monospaced, so that nothing shifts."""

    def __init__(
        self,
        digits: dict[str, Mask],
        *,
        advance: float,
        x: float,
        baseline: int,
        fps: int,
        fade: FadeInterval,
    ) -> None:
        self._digits, self._advance = digits, advance
        self._x, self._baseline = x, baseline
        self._fps, self._fade = fps, fade

    def draw(self, planes: Planes, time: float) -> None:
        opacity = self._fade.opacity(time)
        if opacity < INVISIBLE:
            return
        frame = round(time * self._fps)
        text = f"{frame // self._fps:02d}:{frame % self._fps:02d}"
        for place, character in enumerate(text):
            mask = self._digits[character]
            left = round(self._x + place * self._advance) - mask.left
            part, alpha = _visible_part(planes.y, self._baseline - mask.baseline, left, mask.alpha)
            _blend_level(part, alpha * np.float32(opacity), 234.0)
