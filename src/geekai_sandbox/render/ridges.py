"""The outlines of landscape layers: the height at each position, for each terrain.

Heights are fractions of the frame, positive up, before scaling by the layer's amplitude.
`u` is the position in frame heights, so that a shape keeps its proportions at any aspect
ratio. A new terrain needs a function and its line in OUTLINES.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from geekai_sandbox.render.colour import Floats
from geekai_sandbox.render.moods import Terrain
from geekai_sandbox.render.noise import Noise


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer; `near` is 0 for the farthest and 1 for the nearest."""

    index: int
    near: float
    hills: Noise
    parts: Noise
    blades: Noise
    sway: float
    """Gain of all movement except the camera's."""


Outline = Callable[[Layer, Floats, float], Floats]


def _hills(layer: Layer, u: Floats, _time: float) -> Floats:
    scale = 1.35 - 0.15 * layer.near
    noise = layer.hills
    broad = noise(u * scale) * 0.80 + noise(u * (scale * 2.2) + 17) * 0.30
    return broad + noise(u * (scale * 5) + 3) * 0.07


def _mountains(layer: Layer, u: Floats, _time: float) -> Floats:
    scale = 2.1 - 0.2 * layer.near
    noise = layer.hills
    peaks, crags = 1 - np.abs(noise(u * scale)), 1 - np.abs(noise(u * (scale * 2.3) + 31))
    detail = noise(u * (scale * 6.1) + 9) * 0.13 + noise(u * (scale * 15) + 4) * 0.05
    return (peaks * peaks * 1.2 + crags * 0.5 + detail - 1.0) * 0.9


def _waves(layer: Layer, u: Floats, time: float) -> Floats:
    near = layer.near
    t = time * (0.55 + 0.75 * near) * layer.sway
    v = u * (3.2 + 9 * (1 - near) ** 1.2)
    k = float(layer.index)
    swell = 0.50 * np.sin(v * 1.7 + (t * 1.1 + k)) + 0.30 * np.sin(v * 3.1 - (t * 1.5 - 2 * k))
    chop = 0.35 * layer.hills(v * 0.9 + t * 0.35) + 0.10 * np.sin(v * 6.3 + t * 2.1)
    return ((swell + chop) * (0.16 + 0.62 * near)).astype(np.float32)


def _dunes(layer: Layer, u: Floats, _time: float) -> Floats:
    v = u * 1.25
    noise = layer.hills
    # The absolute value gives a dune its sharp crest.
    return noise(v) * 0.9 + 0.42 * np.abs(noise(v * 1.7 + 5)) + noise(v * 9) * 0.03


def _firs(layer: Layer, u: Floats, _time: float) -> Floats:
    ground = _hills(layer, u, 0.0)
    if layer.index == 0:
        return ground
    v = u * (26 - 12 * layer.near)
    cell = np.floor(v).astype(np.int32)
    crowns = np.zeros_like(u)
    for step in (-1, 0, 1):
        i = cell + step
        away = np.abs(v - (i + 0.5 + 0.35 * layer.blades.sample(i)))
        # The cosine cuts branches into the outline.
        fir = (
            (0.55 + 0.45 * layer.parts.sample(i))
            * (1 - away / 0.62)
            * (1 + 0.10 * np.cos(away * 34))
        )
        crowns = np.maximum(crowns, fir)
    return (ground * 0.75 + crowns * (0.52 + 0.55 * layer.near)).astype(np.float32)


def _towers(layer: Layer, u: Floats, _time: float) -> Floats:
    near = layer.near
    v = u / (0.046 + 0.052 * near)
    cell = np.floor(v).astype(np.int32)
    # Clusters of towers, then low roofs.
    district = 0.30 + 0.70 * np.clip(layer.hills(u * 1.15) * 1.1 + 0.45, 0, 1)
    roofs = np.full_like(u, -0.9)
    for step in (-1, 0, 1):
        i = cell + step
        tall, odd = layer.parts.sample(i) * 0.5 + 0.5, layer.parts.sample(i * 5 + 77)
        away = np.abs(v - (i + 0.5 + 0.22 * odd))
        height = (0.18 + 2.15 * tall**2.2) * district * (1.45 - 0.85 * near) - 0.55
        roofs = np.where(away < 0.30 + 0.19 * np.abs(odd), np.maximum(roofs, height), roofs)
        if near < 0.75:
            mast = (away < 0.035) & (tall > 0.80)
            roofs = np.where(mast, np.maximum(roofs, height + 0.34), roofs)
    return roofs.astype(np.float32)


def _folds(layer: Layer, u: Floats, _time: float) -> Floats:
    """Return long even curves, which are no landscape."""
    return layer.hills(u * 0.55) * 0.6 + 0.5 * np.sin(u * 1.5 + 2.4 * layer.index)


OUTLINES: Final[dict[Terrain, Outline]] = {
    "meadow": _hills,
    "road": _hills,
    "hills": _hills,
    "mountain": _mountains,
    "sea": _waves,
    "dunes": _dunes,
    "forest": _firs,
    "city": _towers,
    "backdrop": _folds,
}

BLADES_PER_HEIGHT: Final = (150.0, 96.0, 60.0)
"""Blades of grass per frame height, on the three nearest layers of a meadow."""

BLADE_HEIGHT: Final = (0.024, 0.046, 0.085)
"""Their length, in frame heights."""


def grass_height(layer: Layer, u: Floats, time: float, *, row: int) -> Floats:
    """Return the height of the grass above the ground, in frame heights, moved by the wind."""
    t = time * layer.sway
    gust = 0.55 * np.sin(u * 2.3 + t * 1.25) + 0.25 * np.sin(u * 5.9 - t * 2.1 + 1)
    tallest = np.zeros_like(u)
    for stand in range(2):
        v = u * (BLADES_PER_HEIGHT[row] * (1 + 0.37 * stand)) + 11.3 * stand
        tallest = np.maximum(tallest, _blade_heights(layer.blades, v, gust, shift=701 * stand))
    clump = 0.42 + 0.58 * np.clip(layer.parts(u * 6 + row * 9.0) * 0.9 + 0.5, 0, 1)
    return (tallest * clump * BLADE_HEIGHT[row]).astype(np.float32)


def _blade_heights(blades: Noise, v: Floats, gust: Floats, *, shift: int) -> Floats:
    """Return the heights of leaning blades, each flat on one side and steep on the other."""
    cell = np.floor(v).astype(np.int32)
    tallest = np.zeros_like(v)
    for step in (-1, 0, 1):
        i = cell + step
        length, odd = blades.sample(i + shift) * 0.5 + 0.5, blades.sample(i * 3 + 17 + shift) * 0.5
        lean = odd * 1.5 + gust * (0.55 + 0.5 * length)
        away = v - (i + 0.5 + 0.6 * odd)
        left, right = np.maximum(0.26, 0.62 + lean * 0.52), np.maximum(0.26, 0.62 - lean * 0.52)
        side = np.where(away < 0, 1 + away / left, 1 - away / right)
        # 1.25 makes a blade taper; with 1 it would be a triangle.
        blade = (0.25 + 0.75 * length * length) * np.clip(side, 0, 1) ** 1.25
        tallest = np.maximum(tallest, blade)
    return tallest
