"""The sky behind the layers: glow, clouds, stars, aurora. Painted once for a whole video.

The sun or moon itself moves, so the landscape draws it in each frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from geekai_sandbox.render.canvas import Canvas, Dots, draw_soft_dots
from geekai_sandbox.render.colour import Floats, mix, ramp, rgb, yuv
from geekai_sandbox.render.moods import Mood
from geekai_sandbox.render.noise import Noise, Noise2

_COARSE: Final = 3
"""Glow and clouds are smooth, so one pixel is computed for this many of the frame."""

_STARS_PER_SQUARE: Final = 300
"""Stars in a sky as wide as it is high."""


@dataclass(frozen=True, slots=True)
class Light:
    """Position of the sun or moon in fractions of the width and height; radius of the height."""

    x: float
    y: float
    radius: float


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


def _enlarge(levels: Floats, width: int, height: int, size: tuple[int, int]) -> Floats:
    source = (0, 0, width / _COARSE, height / _COARSE)
    picture = Image.fromarray(levels).resize(size, Image.Resampling.BICUBIC, box=source)
    return np.array(picture, np.float32)


def _draw_stars(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    width, height = canvas.width, canvas.height
    count = int(_STARS_PER_SQUARE * max(0.6, width / height))
    bright = rng.random(count, np.float32) ** 3
    size = max(0.5, height / 1100) * (0.42 + 0.55 * bright)
    x = rng.random(count, np.float32) * width
    y = rng.random(count, np.float32) ** 1.2 * (height * horizon)
    draw_soft_dots(canvas.y, Dots(x, y, size, size, 0.28 + 0.60 * bright), 228.0)


def paint_sky(
    mood: Mood, rng: np.random.Generator, *, size: tuple[int, int], horizon: float, light: Light
) -> Canvas:
    """Return the sky of a video; *horizon* is the fraction of the height where the land starts."""
    width, height = size
    columns, rows = -(-width // _COARSE), -(-height // _COARSE)
    x = (np.arange(columns, dtype=np.float32)[None] + 0.5) * _COARSE
    y = (np.arange(rows, dtype=np.float32)[:, None] + 0.5) * _COARSE
    colours = [rgb(code) for code in mood.sky]
    ground = horizon + 0.10  # below the lowest valley between two far peaks
    places = np.linspace(0.0, ground, len(colours)).tolist()
    column = ramp([*zip(places, colours, strict=True), (1.0, colours[-1])], y.shape[0])
    sun = rgb(mood.light)
    image = _tint(column[:, None, :], _glow(mood, light, x, y, size), sun)
    strength = 0.0 if mood.terrain == "backdrop" else 0.18 if mood.night else 0.42
    cloud = _clouds(rng, x, y, height, horizon) * strength
    image = _tint(image, cloud, sun * 0.8 + colours[-1] * 0.2)
    if mood.aurora:
        image = _tint(image, _aurora(rng, x, y, height, horizon), mix(rgb("#4CF0A8"), sun, 0.25))
    levels = yuv(image)
    canvas = Canvas(
        _enlarge(levels[..., 0], width, height, (width, height)),
        _enlarge(levels[..., 1], width, height, (width // 2, height // 2)),
        _enlarge(levels[..., 2], width, height, (width // 2, height // 2)),
    )
    if mood.night and mood.sun:
        _draw_stars(canvas, rng, horizon)
    return canvas
