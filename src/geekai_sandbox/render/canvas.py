"""A frame being painted: Y, U and V as floats, with chroma at half size (4:2:0).

Painting directly into 4:2:0 has half the samples of RGB and needs no conversion.
Values are BT.709 video levels, rounded only at the end after adding a dither:
rounding a slow gradient without one would show as bands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from geekai_sandbox.render.colour import U8, Floats

STAMP_REACH: Final = 3.0
"""Radius of a soft dot in standard deviations; beyond it, the dot is under one level."""


class Planes(NamedTuple):
    """A finished frame: Y, U and V, eight bits each; may be views of a codec's memory."""

    y: U8
    u: U8
    v: U8

    def copy(self) -> Planes:
        return Planes(self.y.copy(), self.u.copy(), self.v.copy())


@dataclass(frozen=True, slots=True)
class Dots:
    """Many small marks: positions and half sizes in pixels, `alpha` from 0 to 1."""

    x: Floats
    y: Floats
    half_width: Floats
    half_height: Floats
    alpha: Floats


def draw_soft_dots(plane: Floats, dots: Dots, level: float) -> None:
    """Draw Gaussian dots on *plane*; half sizes are standard deviations."""
    reach = int(STAMP_REACH * max(float(dots.half_width.max(initial=0)), 0.34)) + 1
    rise = int(STAMP_REACH * max(float(dots.half_height.max(initial=0)), 0.34)) + 1

    def cover(away: Floats, half: Floats) -> Floats:
        return np.exp(-0.5 * np.square(away / half))

    _stamp_dots(plane, dots, level, (reach, rise), cover)


def draw_panes(plane: Floats, dots: Dots, level: float) -> None:
    """Draw upright rectangles on *plane*, antialiased over one pixel."""
    reach = int(float(dots.half_width.max(initial=0))) + 2
    rise = int(float(dots.half_height.max(initial=0))) + 2

    def cover(away: Floats, half: Floats) -> Floats:
        return np.clip(half - np.abs(away) + 0.5, 0, np.minimum(1, 2 * half))

    _stamp_dots(plane, dots, level, (reach, rise), cover)


def _stamp_dots(
    plane: Floats, dots: Dots, level: float, reach: tuple[int, int], cover: Cover
) -> None:
    across = np.floor(dots.x)[:, None] + np.arange(-reach[0], reach[0] + 1, dtype=np.float32)
    down = np.floor(dots.y)[:, None] + np.arange(-reach[1], reach[1] + 1, dtype=np.float32)
    wide = cover(across + 0.5 - dots.x[:, None], dots.half_width[:, None])
    tall = cover(down + 0.5 - dots.y[:, None], dots.half_height[:, None])
    height, width = plane.shape
    wide = np.where((across >= 0) & (across < width), wide, 0)
    tall = np.where((down >= 0) & (down < height), tall, 0)
    alpha = (tall * dots.alpha[:, None])[:, :, None] * wide[:, None, :]
    columns = np.clip(across, 0, width - 1).astype(np.int32)[:, None, :]
    rows = np.clip(down, 0, height - 1).astype(np.int32)[:, :, None]
    index = (rows * width + columns).ravel()
    weights = alpha.ravel()
    visible = weights > 0.002  # below half a level; most of a stamp is empty corners
    index, weights = index[visible], weights[visible]
    flat = plane.reshape(-1)
    # Where two marks overlap, the later one is used: a sum would be too bright.
    flat[index] += weights * (level - flat[index])


@dataclass(slots=True)
class Canvas:
    """Three float planes to draw on; width and height are even."""

    y: Floats
    u: Floats
    v: Floats

    def copy(self) -> Canvas:
        return Canvas(self.y.copy(), self.u.copy(), self.v.copy())

    @property
    def width(self) -> int:
        return self.y.shape[1]

    @property
    def height(self) -> int:
        return self.y.shape[0]

    def blend(self, mask: Floats, colour: Floats, *, top: int, left: int) -> None:
        """Blend *colour* by *mask*; position and size are even and inside the canvas."""
        height, width = mask.shape
        part = self.y[top : top + height, left : left + width]
        part += mask * (colour[0] - part)
        half = halve(mask)
        for plane, level in ((self.u, colour[1]), (self.v, colour[2])):
            part = plane[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2]
            part += half * (level - part)

    def draw_disc(self, colour: Floats, *, x: float, y: float, radius: float, alpha: float) -> None:
        """Draw a disc, antialiased over one pixel."""
        top, left = max(0, int(y - radius - 2)) & ~1, max(0, int(x - radius - 2)) & ~1
        low = min(self.height, (int(y + radius) + 4) & ~1)
        right = min(self.width, (int(x + radius) + 4) & ~1)
        if top >= low or left >= right:
            return
        down = np.arange(top, low, dtype=np.float32)[:, None] + (0.5 - y)
        across = np.arange(left, right, dtype=np.float32)[None] + (0.5 - x)
        cover = np.clip(radius - np.hypot(across, down) + 0.5, 0, 1) * alpha
        self.blend(cover.astype(np.float32), colour, top=top, left=left)

    def draw_dots(self, dots: Dots, colour: Floats, *, stamp: Stamp) -> None:
        """Draw marks in all three planes."""
        half = Dots(dots.x / 2, dots.y / 2, dots.half_width / 2, dots.half_height / 2, dots.alpha)
        stamp(self.y, dots, float(colour[0]))
        stamp(self.u, half, float(colour[1]))
        stamp(self.v, half, float(colour[2]))


def halve(mask: Floats) -> Floats:
    """Return *mask* at chroma size: the mean of each two by two."""
    rows = mask[0::2] + mask[1::2]
    return (rows[:, 0::2] + rows[:, 1::2]) * 0.25


Cover = Callable[[Floats, Floats], Floats]
Stamp = Callable[[Floats, Dots, float], None]
