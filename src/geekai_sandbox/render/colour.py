"""Colour conversion: sRGB in, BT.709 video levels out, mixing in OKLab.

Mixed in OKLab, a blue sky that fades to gold does not pass through grey.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
"""Floating-point arrays; float32 wherever there is a value for every pixel."""

U8 = npt.NDArray[np.uint8]

# Björn Ottosson's OKLab matrices, linear sRGB to LMS and LMS' to Lab.
# https://bottosson.github.io/posts/oklab/, read 2026-11-22.
_TO_LMS: Final = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB: Final = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_FROM_LMS: Final = np.linalg.inv(_TO_LMS)
_FROM_LAB: Final = np.linalg.inv(_TO_LAB)

LUMA_RED, LUMA_GREEN, LUMA_BLUE = 0.2126, 0.7152, 0.0722
"""BT.709 luma weights."""

BLACK_LEVEL, LUMA_SPAN, CHROMA_ZERO, CHROMA_SPAN = 16.0, 219.0, 128.0, 224.0
"""BT.709 limited range in 8-bit steps, which every H.264 player expects."""


def rgb(code: str) -> Floats:
    """Return #RRGGBB as three numbers from 0 to 1."""
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], np.float64) / 255


# The knees and slopes are IEC 61966-2-1, the sRGB standard.
def to_oklab(c: Floats) -> Floats:
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T


def from_oklab(lab: Floats) -> Floats:
    linear = np.clip(((lab @ _FROM_LAB.T) ** 3) @ _FROM_LMS.T, 0.0, 1.0)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def mix(a: Floats, b: Floats, share: float) -> Floats:
    """Return the mixture of *a* and *b*, with *share* (0 to 1) of *b*."""
    return from_oklab(to_oklab(a) * (1 - share) + to_oklab(b) * share)


def ramp(stops: list[tuple[float, Floats]], count: int) -> Floats:
    """Return *count* colours from 0 to 1 through *stops*, eased so that no stop is visible."""
    places = np.array([place for place, _ in stops])
    labs = np.array([to_oklab(colour) for _, colour in stops])
    x = np.linspace(0.0, 1.0, count)
    i = np.clip(np.searchsorted(places, x, "right") - 1, 0, len(stops) - 2)
    t = np.clip((x - places[i]) / (places[i + 1] - places[i]), 0.0, 1.0)
    t = (t * t * (3 - 2 * t))[:, None]
    return from_oklab(labs[i] * (1 - t) + labs[i + 1] * t)


def yuv(colour: Floats) -> Floats:
    """Return sRGB (last axis, 0 to 1) as BT.709 Y, U, V in 8-bit video levels, not yet rounded."""
    r, g, b = colour[..., 0], colour[..., 1], colour[..., 2]
    y = LUMA_RED * r + LUMA_GREEN * g + LUMA_BLUE * b
    u = (b - y) / (2 * (1 - LUMA_BLUE))
    v = (r - y) / (2 * (1 - LUMA_RED))
    levels = [
        BLACK_LEVEL + LUMA_SPAN * y,
        CHROMA_ZERO + CHROMA_SPAN * u,
        CHROMA_ZERO + CHROMA_SPAN * v,
    ]
    return np.stack(levels, axis=-1).astype(np.float32)
