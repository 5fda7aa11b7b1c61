"""Reproducible random numbers and noise, seeded by the SHA-256 of a prompt.

The same plan must give the same frames on any machine, so the renderer must not use a
clock, Python's `hash` or a global generator.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt

from geekai_sandbox.render.colour import Floats

_TABLE: Final = 512
"""Samples before one-dimensional noise repeats: several screens at every scale used."""

_GRID: Final = 64
"""Side of the table of two-dimensional noise."""


def make_seed(*parts: str) -> int:
    """Return 64 bits that depend on every part and on the boundaries between them."""
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")


def seed_of_take(prompt: str, take: int) -> str:
    """Return the seed of a take of *prompt*: that of the first, 0, is the prompt itself."""
    return f"{prompt}\x1f{take}" if take else prompt


def make_generator(*parts: str) -> np.random.Generator:
    return np.random.default_rng(make_seed(*parts))


Cells = npt.NDArray[np.int32]
"""Integer positions along a line or on a grid."""


def _smootherstep(t: Floats) -> Floats:
    return t * t * t * (t * (t * 6 - 15) + 10)


class Noise:
    """Smooth value noise along a line, -1 to 1."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.table: Floats = rng.random(_TABLE, np.float32) * 2 - 1

    def __call__(self, u: Floats) -> Floats:
        whole = np.floor(u)
        i = whole.astype(np.int32)
        t = _smootherstep(u - whole)
        a = self.table[i & (_TABLE - 1)]
        return a + (self.table[(i + 1) & (_TABLE - 1)] - a) * t

    def sample(self, i: Cells) -> Floats:
        """Return the unsmoothed sample of each integer position, one per cell."""
        return self.table[i & (_TABLE - 1)]


class Noise2:
    """Smooth value noise over a plane, -1 to 1."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.table: Floats = rng.random((_GRID, _GRID), np.float32) * 2 - 1

    def __call__(self, u: Floats, v: Floats) -> Floats:
        across, down = np.broadcast_arrays(u, v)
        i, j = np.floor(across).astype(np.int32), np.floor(down).astype(np.int32)
        s, t = _smootherstep(across - np.floor(across)), _smootherstep(down - np.floor(down))
        mask = _GRID - 1
        i0, i1, j0, j1 = i & mask, (i + 1) & mask, j & mask, (j + 1) & mask
        top = self.table[j0, i0] * (1 - s) + self.table[j0, i1] * s
        low = self.table[j1, i0] * (1 - s) + self.table[j1, i1] * s
        return (top * (1 - t) + low * t).astype(np.float32)
