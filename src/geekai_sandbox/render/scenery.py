"""Details of a landscape: a road, lit windows, glitter, birds, particles.

Each depends only on the time, so a frame can be painted without the one before it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from geekai_sandbox.render.canvas import Canvas, Dots, draw_panes, draw_soft_dots
from geekai_sandbox.render.colour import Floats, mix, rgb, yuv
from geekai_sandbox.render.moods import Mood
from geekai_sandbox.render.noise import Noise
from geekai_sandbox.render.sky import View

TAU: Final = 2 * math.pi


@dataclass(frozen=True, slots=True)
class Projection:
    """The projection of a layer to the frame: x = (u - offset - shift) / aspect * zoom + 0.5."""

    near: float
    zoom: float
    shift: float
    rise: float
    """How far the camera's turn and crane move it down, in frame heights."""
    heights: Floats
    """The layer's upper edge in pixels from the top, for each column."""


def draw_windows(
    canvas: Canvas, mood: Mood, parts: Noise, projection: Projection, *, offset: float
) -> None:
    """Draw lit windows on a layer of towers, well inside its outline."""
    width, height = canvas.width, canvas.height
    aspect, near, zoom = width / height, projection.near, projection.zoom
    pitch = 0.0080 + 0.0062 * near
    storey = pitch * 1.32
    reach = aspect / 2 / zoom
    first = math.floor((offset + projection.shift - reach) / pitch)
    bays = np.arange(first, first + int(2 * reach / pitch) + 2, dtype=np.int32)[None]
    top, bottom = (
        (end - 0.5 - projection.rise) / zoom / storey
        for end in (float(projection.heights.min()) / height, 1.0)
    )
    storeys = np.arange(math.floor(top), math.floor(bottom) + 1, dtype=np.int32)[:, None]
    glow = np.clip((parts.sample(bays * 131 + storeys * 57) - 0.62) * 4, 0, 1)
    lit = np.nonzero(glow > 0.05)
    u = (bays[0, lit[1]] + 0.5) * pitch - offset - projection.shift
    x = (u / aspect * zoom + 0.5) * width
    y = ((storeys[lit[0], 0] + 0.5) * storey * zoom + 0.5 + projection.rise) * height
    half_width = 0.26 * pitch * height * zoom
    shown = _inside_outline(x, y, projection.heights, margin=half_width * 2.2, drop=0.012 * height)
    size = np.full(int(shown.sum()), half_width, np.float32)
    alpha = glow[lit][shown] * (0.30 + 0.50 * near)
    dots = Dots(_as_float32(x[shown]), _as_float32(y[shown]), size, size * 1.25, _as_float32(alpha))
    canvas.draw_dots(dots, yuv(rgb(mood.particle)), stamp=draw_panes)


def _inside_outline(
    x: Floats, y: Floats, heights: Floats, *, margin: float, drop: float
) -> npt.NDArray[np.bool_]:
    last = len(heights) - 1
    inside = (x > 0) & (x < last)
    for step in (-margin, 0.0, margin):
        column = np.clip(x + step, 0, last).astype(np.int32)
        inside &= y > heights[column] + drop
    return inside


def _as_float32(values: npt.NDArray[np.floating]) -> Floats:
    return values.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Road:
    """A two-lane road from the near hill to the far one, on the side without the title."""

    mood: Mood
    top: float
    """Fraction of the height where it goes over the hill."""

    def paint(
        self, canvas: Canvas, *, time: float, far: Projection, near: Projection, sway: float
    ) -> None:
        """Draw it from the hill that *far* shows to the one that *near* shows."""
        width, height = canvas.width, canvas.height
        zoom = near.zoom
        top = (self.top - 0.5) * far.zoom + 0.5 + far.rise
        bottom = 0.5 * zoom + 0.5 + near.rise
        first = max(0, int(top * height)) & ~1
        if first >= height or bottom <= top:
            return
        rows = np.arange(first, height, dtype=np.float32)[:, None] / height
        down = np.clip((rows - top) / (bottom - top), 0, 1)
        near_x, far_x = (0.80, 0.76) if width >= height else (0.70, 0.60)
        near_x, far_x = (
            (x - 0.5 - projection.shift * height / width) * projection.zoom + 0.5
            for x, projection in ((near_x, near), (far_x, far))
        )
        bend = 0.085 * np.sin(down * 6.4 + 2.2) * (1 - down) ** 0.6 * zoom
        centre = far_x + (near_x - far_x) * down + bend
        half = (0.0030 + 0.165 * down**1.7) * zoom * 1.5 / max(1.0, width / height)
        left = max(0, int((centre - half).min() * width) - 2) & ~1
        right = min(width, (int((centre + half).max() * width) + 4) & ~1)
        if left >= right:
            return
        x = (np.arange(left, right, dtype=np.float32)[None] + 0.5) / width
        away = np.abs(x - centre)
        self._draw_surface(
            canvas,
            away=away * width,
            half=half * width,
            down=down,
            time=time * sway,
            at=(first, left),
        )

    def _draw_surface(
        self,
        canvas: Canvas,
        away: Floats,
        half: Floats,
        down: Floats,
        *,
        time: float,
        at: tuple[int, int],
    ) -> None:
        layer_colours, haze = self.mood.layer_colours, rgb(self.mood.haze)
        asphalt = yuv(mix(mix(rgb(layer_colours[3]), rgb(layer_colours[4]), 0.55), haze, 0.20))
        paint = yuv(rgb(self.mood.light))
        top, left = at
        surface = np.clip(half - away + 0.5, 0, 1) * np.clip(down * 7, 0, 1) * 0.96
        canvas.blend(_as_float32(surface), asphalt, top=top, left=left)
        dashes = np.clip(np.sin(6.2 / (down + 0.09) + time * 5.2) * 3 + 0.6, 0, 1)
        middle = np.clip(half * 0.040 - away + 0.5, 0, 1) * np.clip(half * 0.08, 0, 1) * dashes
        edges = np.clip(half * 0.026 - np.abs(away - half * 0.86) + 0.5, 0, 1) * 0.7
        lines = (middle + edges * np.clip(half * 0.06, 0, 1)) * np.clip(down * 4, 0, 1) * 0.85
        canvas.blend(_as_float32(np.clip(lines, 0, 1)), paint, top=top, left=left)


class Glitter:
    """The reflection of a low sun on water."""

    COUNT: Final = 90

    def __init__(self, rng: np.random.Generator) -> None:
        self._aside = rng.standard_normal(self.COUNT).astype(np.float32)
        self._depth = rng.random(self.COUNT, np.float32) ** 0.8
        self._phase = rng.random(self.COUNT, np.float32) * TAU

    def paint(
        self,
        canvas: Canvas,
        *,
        time: float,
        sun_x: float,
        horizon: float,
        level: float,
        dusk: float,
    ) -> None:
        """*dusk* is how far the sun has set, 0 to 1."""
        width, height = canvas.width, canvas.height
        depth = self._depth
        drift = 0.006 * np.sin(time * 0.9 + self._phase)
        x = sun_x * width + (self._aside * (0.022 + 0.075 * depth) + drift) * height
        y = (horizon + 0.02 + depth * max(0.05, 0.80 - horizon)) * height
        twinkle = np.clip(np.sin(time * (1.4 + 1.2 * (1 - depth)) + self._phase * 3), 0, 1)
        long = height * (0.004 + 0.014 * depth)
        alpha = twinkle * (0.55 - 0.25 * depth) * (1 - dusk)
        dots = Dots(
            _as_float32(x),
            _as_float32(y),
            _as_float32(long),
            _as_float32(np.maximum(0.6, long * 0.13)),
            _as_float32(alpha),
        )
        draw_soft_dots(canvas.y, dots, level)


class Birds:
    """A small flock of distant birds crossing the sky."""

    def __init__(self, rng: np.random.Generator) -> None:
        count = int(rng.integers(3, 7))
        self._x = rng.standard_normal(count) * 0.06 + rng.uniform(0.15, 0.55)
        self._y = rng.standard_normal(count) * 0.030 + rng.uniform(0.20, 0.30)
        self._size = rng.uniform(0.6, 1.0, count)
        self._phase = rng.random(count) * TAU
        self._speed = rng.uniform(0.010, 0.016)

    def paint(self, canvas: Canvas, *, time: float, level: float, view: View) -> None:
        width, height = canvas.width, canvas.height
        for x, y, size, phase in zip(self._x, self._y, self._size, self._phase, strict=True):
            flap = math.sin(time * 5.0 * (1.2 - 0.4 * size) + phase)
            at = view.place(x + time * self._speed, y + 0.004 * math.sin(time + phase))
            place, span = (at[0] * width, at[1] * height), height * 0.016 * size * view.zoom
            _draw_bird(canvas.y, place, span=span, lift=0.28 + 0.30 * flap, level=level)


def _draw_bird(
    plane: Floats, place: tuple[float, float], *, span: float, lift: float, level: float
) -> None:
    """Draw two arched wings, antialiased by the distance of each pixel to the curve."""
    x, y = place
    reach = int(span) + 3
    left, top = int(x) - reach, int(y) - reach
    height, width = plane.shape
    if left < 0 or top < 0 or left + 2 * reach >= width or top + 2 * reach >= height:
        return
    across = np.arange(left, left + 2 * reach, dtype=np.float32)[None] + 0.5 - x
    down = np.arange(top, top + 2 * reach, dtype=np.float32)[:, None] + 0.5 - y
    out = np.abs(across) / span
    wing = -lift * span * np.sin(np.clip(out, 0, 1) * 2.2)
    thick = np.maximum(0.35, span * 0.075 * (1 - out))
    ink = np.clip(thick - np.abs(down - wing) + 0.5, 0, 1) * np.clip((1 - out) * span, 0, 1)
    part = plane[top : top + 2 * reach, left : left + 2 * reach]
    part += ink * 0.62 * (level - part)


class Particles:
    """Particles in the air at several distances: dust, snow or fireflies."""

    COUNTS: Final = {"motes": 46, "snow": 150, "fireflies": 38}

    def __init__(self, rng: np.random.Generator, mood: Mood) -> None:
        self._weather = mood.weather
        count = self.COUNTS[mood.weather]
        self._x, self._y = rng.random(count, np.float32), rng.random(count, np.float32)
        self._near = 0.35 + 0.65 * rng.random(count, np.float32) ** 1.6
        self._phase = rng.random(count, np.float32) * TAU
        self._side = 1.0 if rng.random() < 0.5 else -1.0

    def paint(self, canvas: Canvas, *, time: float, level: float, sway: float) -> None:
        x, y, alpha, size = (
            self._snow_particles(time)
            if self._weather == "snow"
            else self._mote_particles(time * sway)
        )
        width, height = canvas.width, canvas.height
        radius = _as_float32(np.maximum(0.45, size * height))
        draw_soft_dots(
            canvas.y,
            Dots(
                _as_float32(x * width), _as_float32(y * height), radius, radius, _as_float32(alpha)
            ),
            level,
        )

    def _snow_particles(self, time: float) -> tuple[Floats, Floats, Floats, Floats]:
        near = self._near
        x = (self._x + 0.03 * np.sin(time * 1.1 + self._phase) + time * 0.02) % 1.06 - 0.03
        y = (self._y + time * (0.06 + 0.10 * near)) % 1.08 - 0.04
        return x, y, 0.15 + 0.55 * near, 0.0010 + 0.0022 * near

    def _mote_particles(self, time: float) -> tuple[Floats, Floats, Floats, Floats]:
        near, phase = self._near, self._phase
        firefly = self._weather == "fireflies"
        wander = 0.014 * np.sin(time * 0.7 + phase)
        x = (self._x + self._side * time * 0.012 * near + wander) % 1.04 - 0.02
        low = 0.56 if firefly else 0.30
        y = low + (0.96 - low) * self._y + 0.012 * np.sin(time * 0.9 + phase * 2) - time * 0.006
        pulse = 0.5 + 0.5 * np.sin(time * 1.3 + phase * 3)
        strong = 0.75 if firefly else 0.40
        return x, y, strong * near * pulse, 0.0009 + 0.0019 * near
