"""Scaling of any part of a picture, to a fraction of a pixel, by libav.

libav scales ten times as fast as Pillow, and only whole pixels to whole pixels. So a part that
begins and ends within a pixel is cut from a larger one that does not: of all whole windows around
it, scaled to all whole sizes, the one in which its pixels stand where they should. `Window` is one
axis of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from av.video.frame import VideoFrame

from geekai_sandbox.render.colour import U8
from geekai_sandbox.render.frames import frame_plane

REACH: Final = 64
"""Pixels beyond the part at which a window may begin and end: 4,000 windows."""

TAPS: Final = 4
"""Pixels beyond the part that the interpolation needs."""

SLACK: Final = REACH + TAPS
"""Pixels that a source should have around every part."""

ROUNDED_BICUBIC: Final = 0x40004
"""SWS_BICUBIC and SWS_ACCURATE_RND, without which libav cuts off where it should round."""

_STEPS: Final = 1 << 16
"""Into how many libav divides a pixel of the source when it walks over it."""


@dataclass(frozen=True, slots=True)
class Window:
    """Pixels `begin` to `end` of a source, scaled to `size`, of which the part is a stretch."""

    begin: int
    end: int
    size: int
    first: int
    """The pixel of the scaled window with which the part begins."""
    error: float
    """How far any pixel of the part is from its place, in pixels of the source."""


def find_window(first: float, step: float, *, count: int, size: int) -> Window:
    """Find the window for *count* pixels that lie *step* apart in a source of *size* pixels.

    *first* is the place of the first one's centre; the centre of the source's first pixel is 0.5.
    """
    last = first + step * (count - 1)
    begins = np.arange(max(0, int(first) - SLACK), max(0, int(first) - TAPS) + 1)[:, None]
    ends = np.arange(min(size, int(last) + TAPS + 1), min(size, int(last) + SLACK) + 1)[None]
    sizes = np.rint((ends - begins) / step).astype(np.int64)
    # As libav computes it.
    steps = ((ends - begins) * _STEPS + sizes // 2) // sizes / _STEPS
    firsts = np.rint((first - begins) / steps - 0.5).astype(np.int64)
    firsts = np.clip(firsts, 0, sizes - count)
    off = begins + (firsts + 0.5) * steps - first
    errors = np.maximum(np.abs(off), np.abs(off + (count - 1) * (steps - step)))
    errors[sizes < count] = np.inf
    row, column = np.unravel_index(errors.argmin(), errors.shape)
    return Window(
        begin=int(begins[row, 0]),
        end=int(ends[0, column]),
        size=int(sizes[row, column]),
        first=int(firsts[row, column]),
        error=float(errors[row, column]),
    )


def scale_windows(plane: U8, rows: Window, columns: Window, *, size: tuple[int, int]) -> U8:
    """Return the part of *plane* within both windows, in *size*: its width and height."""
    source = plane[rows.begin : rows.end, columns.begin : columns.end]
    scaled = VideoFrame.from_numpy_buffer(source, format="gray").reformat(
        columns.size, rows.size, interpolation=ROUNDED_BICUBIC, threads=1
    )
    width, height = size
    part = frame_plane(scaled, 0)[rows.first : rows.first + height]
    return part[:, columns.first : columns.first + width]
