"""The sky behind the layers: glow, clouds, stars, aurora. Painted once, as far as the camera goes.

Each frame cuts its part out, so that all of it moves together. A sun that sets or rises has a sky
painted for every few seconds, which are mixed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from geekai_sandbox.render.canvas import Canvas, Dots, draw_soft_dots
from geekai_sandbox.render.colour import Floats, mix, ramp, rgb, yuv
from geekai_sandbox.render.moods import Mood
from geekai_sandbox.render.noise import Noise, Noise2

Length = TypeVar("Length", float, Floats)

_COARSE: Final = 3
"""Glow and clouds are smooth, so one pixel is computed for this many of the frame."""

_STARS_PER_SQUARE: Final = 300
"""Stars in a sky as wide as it is high."""


LOWEST_VALLEY: Final = 0.10
"""Frame heights below the horizon at which no far peaks let the sky through."""

KEY_SECONDS: Final = 10.0
"""Seconds between two paintings of a sky whose sun moves; between them, they are mixed."""

SINK: Final = 0.6
"""How far each colour of the sky sinks to the one below it when the sun has set."""

DARKEN: Final = 0.15
"""Share of the light that the sky loses meanwhile."""

Planes32 = tuple[Floats, Floats, Floats]


@dataclass(frozen=True, slots=True)
class View:
    """The part of the sky that a frame shows; lengths in fractions of the frame."""

    right: float = 0.0
    up: float = 0.0
    zoom: float = 1.0

    def edges(self) -> tuple[float, float, float, float]:
        """Return where the left, right, top and bottom of the frame are in the sky."""
        reach = 0.5 / self.zoom
        x, y = 0.5 + self.right, 0.5 - self.up / self.zoom
        return x - reach, x + reach, y - reach, y + reach

    def place(self, x: Length, y: Length) -> tuple[Length, Length]:
        """Return where a point of the sky is in the frame."""
        return (x - 0.5 - self.right) * self.zoom + 0.5, (y - 0.5) * self.zoom + 0.5 + self.up


@dataclass(frozen=True, slots=True)
class Light:
    """Position of the sun or moon in fractions of the width and height; radius of the height."""

    x: float
    y: float
    radius: float
    dusk: float = 0.0
    """0 while the sun is well above the horizon, 1 when it has set."""


def _glow(mood: Mood, light: Light, x: Floats, y: Floats, size: tuple[int, int]) -> Floats:
    width, height = size
    away = np.hypot(x - light.x * width, y - light.y * height) / height
    near, far = np.exp(-((away / 0.15) ** 1.1)), np.exp(-((away / 0.48) ** 1.3))
    # Without a sun only the wide part is left, as behind clouds.
    strength = 0.46 if mood.night else 1.0
    return (((0.46 * near if mood.sun else 0.0) + 0.24 * far) * strength).astype(np.float32)


def _clouds(rng: np.random.Generator, x: Floats, y: Floats, height: int, horizon: float) -> Floats:
    """Return thin strata, densest half way up the sky."""
    noise = Noise2(rng)
    u, v = x / height * 1.15, y / height * 8.5
    v = v + 0.35 * np.sin(u * 2.1)
    body = noise(u, v) * 0.6 + noise(u * 2.3, v * 2.1 + 7) * 0.28 + noise(u * 5.1, v * 4 + 3) * 0.12
    band = np.exp(-(((y / height - horizon * 0.55) / (0.32 * horizon)) ** 2))
    return (np.clip(body * 1.6 - 0.02, 0, 1) ** 1.5 * band).astype(np.float32)


def _aurora(rng: np.random.Generator, x: Floats, y: Floats, height: int, horizon: float) -> Floats:
    """Return two curtains of light: sharp at the lower edge, fading upward, with folds."""
    u, down = x / height, y / height
    veil = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)
    for share in (1.0, 0.6):
        fold = Noise(rng)
        hem = horizon * (0.46 + 0.16 * share) + 0.10 * fold(u * 1.3) + 0.03 * fold(u * 3.7 + 9)
        above = hem - down
        reach = 0.20 + 0.12 * fold(u * 2.1 + 40)
        pleats = 0.62 + 0.38 * fold(u * 26 + 5) * fold(u * 7 + 3)
        fall = np.exp(-np.maximum(above, 0) / reach) * np.clip(above / 0.035 + 1, 0, 1)
        veil += (share * pleats * fall).astype(np.float32)
    return np.clip(veil * 0.62, 0, 0.80)


def _tint(base: Floats, share: Floats, tint: Floats) -> Floats:
    """Return *base* mixed with *tint* by *share*, in gamma space."""
    return base + share[..., None] * (tint - base)


def _enlarge(levels: Floats, size: tuple[int, int]) -> Floats:
    return np.array(Image.fromarray(levels).resize(size, Image.Resampling.BICUBIC), np.float32)


class _Stars:
    """The stars over one frame of sky, repeated beyond it."""

    def __init__(self, rng: np.random.Generator, size: tuple[int, int], horizon: float) -> None:
        width, height = size
        count = int(_STARS_PER_SQUARE * max(0.6, width / height))
        bright = rng.random(count, np.float32) ** 3
        self._horizon = horizon
        self._size = max(0.5, height / 1100) * (0.42 + 0.55 * bright)
        self._alpha = 0.28 + 0.60 * bright
        self._x = rng.random(count, np.float32)
        self._y = rng.random(count, np.float32) ** 1.2 * np.float32(horizon)

    def paint(self, canvas: Canvas, view: View) -> None:
        left, right, top, _ = view.edges()
        for column in range(math.floor(left), math.floor(right) + 1):
            for row in range(math.floor(top / self._horizon), 1):
                x, y = view.place(self._x + column, self._y + row * self._horizon)
                seen = (np.abs(x - 0.5) < 0.51) & (np.abs(y - 0.5) < 0.51)
                places = x[seen] * canvas.width, y[seen] * canvas.height
                size = self._size[seen]
                draw_soft_dots(canvas.y, Dots(*places, size, size, self._alpha[seen]), 228.0)


class Sky:
    """The sky of a video, as far as *views* reach; *lights* are the sun at each key time.

    *horizon* is the fraction of the height where the land starts.
    """

    def __init__(
        self,
        mood: Mood,
        rng: np.random.Generator,
        *,
        size: tuple[int, int],
        horizon: float,
        lights: Sequence[Light],
        views: Sequence[View],
    ) -> None:
        self._size = size
        edges = [view.edges() for view in views]
        # In whole steps, so that the frame's pixels are the same ones however far it reaches.
        step = 2 * _COARSE
        first, last, top = (
            step * math.floor(edge * length / step)
            for edge, length in (
                (min(edge[0] for edge in edges), size[0]),
                (max(edge[1] for edge in edges), size[0]),
                (min(edge[2] for edge in edges), size[1]),
            )
        )
        self._start = (first, top)
        columns, rows = (last - first) // _COARSE + 2, -(-(size[1] - top) // step) * 2
        x = (np.arange(columns, dtype=np.float32)[None] + 0.5) * _COARSE + first
        y = (np.arange(rows, dtype=np.float32)[:, None] + 0.5) * _COARSE + top
        self._keys = _paint_keys(mood, rng, x, y, size=size, horizon=horizon, lights=lights)
        self._stars = _Stars(rng, size, horizon) if mood.night and mood.sun else None

    def paint(self, view: View, *, time: float, rows: int) -> Canvas:
        """Return a canvas with the top *rows*, an even number, of the sky; the rest is black."""
        width, height = self._size
        canvas = Canvas(
            np.zeros((height, width), np.float32),
            *(np.zeros((height // 2, width // 2), np.float32) for _ in "uv"),
        )
        key = min(time / KEY_SECONDS, len(self._keys) - 1)
        early, late, share = int(key), math.ceil(key), np.float32(key % 1)
        for index, plane in enumerate((canvas.y, canvas.u, canvas.v)):
            part = plane[: rows // (1 + (index > 0))]
            self._cut(self._keys[early][index], view, out=part)
            if share:
                change = np.empty_like(part)
                self._cut(self._keys[late][index], view, out=change)
                change -= part
                change *= share
                part += change
        if self._stars is not None:
            self._stars.paint(canvas, view)
        return canvas

    def _cut(self, plane: Floats, view: View, *, out: Floats) -> None:
        """Cut what *view* shows out of a plane. To whole pixels: it is too soft to show steps."""
        height, width = out.shape
        step = self._size[0] // width
        left, _, top, _ = view.edges()

        def find_pixels(count: int, first: float, limit: int) -> npt.NDArray[np.intp]:
            places = (np.arange(count) + 0.5) / view.zoom + first / step
            return np.floor(places).astype(np.intp).clip(0, limit - 1)

        down = find_pixels(height, top * self._size[1] - self._start[1], plane.shape[0])
        across = find_pixels(width, left * self._size[0] - self._start[0], plane.shape[1])
        if across[-1] - across[0] == width - 1:
            out[:] = plane[down, across[0] : across[-1] + 1]
        else:
            # Four times as fast as plane[down[:, None], across].
            np.take(plane[down], across, axis=1, out=out, mode="clip")


def _paint_keys(
    mood: Mood,
    rng: np.random.Generator,
    x: Floats,
    y: Floats,
    *,
    size: tuple[int, int],
    horizon: float,
    lights: Sequence[Light],
) -> list[Planes32]:
    """Return Y, U and V of the sky at *x* and *y*, in pixels of the frame, for each light."""
    height = size[1]
    strength = 0.0 if mood.terrain == "backdrop" else 0.18 if mood.night else 0.42
    cloud = _clouds(rng, x, y, height, horizon) * strength
    aurora = _aurora(rng, x, y, height, horizon) if mood.aurora else None
    ground = horizon + LOWEST_VALLEY
    whole = -(-height // _COARSE)
    row = np.clip(y[:, 0] / _COARSE, 0, whole - 1).astype(np.intp)
    painted: list[Planes32] = []
    for light in lights:
        left = np.float32(1 - DARKEN * light.dusk)
        stops = [rgb(code) for code in mood.sky]
        colours = [
            mix(stop, above, SINK * light.dusk) * left
            for stop, above in zip(stops, [stops[0], *stops], strict=False)
        ]
        sun = rgb(mood.light) * left
        places = np.linspace(0.0, ground, len(colours)).tolist()
        column = ramp([*zip(places, colours, strict=True), (1.0, colours[-1])], whole)[row]
        glow = _glow(mood, light, x, y, size) * np.float32(1 - 0.7 * light.dusk)
        image = _tint(column[:, None, :], glow, sun)
        image = _tint(
            image, cloud, sun * (0.8 * (1 - light.dusk)) + colours[-1] * (0.2 + 0.8 * light.dusk)
        )
        if aurora is not None:
            image = _tint(image, aurora, mix(rgb("#4CF0A8"), sun, 0.25))
        levels = yuv(image)
        across, down = _COARSE * x.shape[1], _COARSE * y.shape[0]
        painted.append(
            (
                _enlarge(levels[..., 0], (across, down)),
                _enlarge(levels[..., 1], (across // 2, down // 2)),
                _enlarge(levels[..., 2], (across // 2, down // 2)),
            )
        )
    return painted
