"""Splitting text into runs of one font each, and drawing the runs into a mask.

A character is only drawn with a font that has it; `_choose_face` alone ensures that, so
every other function accepts any text.
"""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont, features

from geekai_sandbox.render.colour import Floats
from geekai_sandbox.render.fonts import Face, FontStack
from geekai_sandbox.render.shaping import split_by_direction, visual_order

REFERENCE_SIZE: Final = 100
"""Pixels at which each piece is measured once; its width at other sizes is proportional."""

MISSING_SHARE: Final = 0.04
"""Largest share of letters without a glyph with which a prompt is still shown."""

_NEEDS_SHAPER: Final = (range(0x0900, 0x0E00), range(0x0F00, 0x10A0), range(0x1780, 0x1800))
"""Scripts whose letters are reordered or stacked: Indic, Tibetan and Myanmar, Khmer."""

ASCENT: Final = 1.15
"""Height above the baseline of every mask, as a factor of the size, for accented capitals."""

DESCENT: Final = 0.50


@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one face and one direction, as passed to Pillow."""

    face: Face
    text: str
    rtl: bool = False


@dataclass(frozen=True, slots=True)
class Mask:
    """A rasterised line: alpha from 0 to 1, and the position of the line's start in it."""

    alpha: Floats
    left: int
    baseline: int


def raqm_available() -> bool:
    return bool(features.check("raqm"))


@dataclass(frozen=True)
class Typesetter:
    """Draws lines with a stack of faces; the result looks the same with and without Raqm."""

    stack: FontStack
    raqm: bool

    def can_set(self, text: str) -> bool:
        """Return whether *text* can be drawn correctly: there are glyphs and, if needed, Raqm."""
        letters = [c for c in text if unicodedata.category(c)[0] in "LN"]
        if not self.raqm and any(ord(c) in script for c in letters for script in _NEEDS_SHAPER):
            return False
        missing = sum(self.stack.face_for(c) is None for c in letters)
        drawn = any(self.stack.face_for(c) for c in text if not c.isspace())
        return drawn and missing <= MISSING_SHARE * len(letters)

    def split_runs(self, line: str, *, rtl: bool | None = None) -> list[Run]:
        """Split *line*, of a paragraph in direction *rtl*, into runs from left to right."""
        return [
            run
            for segment in split_by_direction(line, rtl=rtl)
            for run in self._split_segment(segment.text, rtl=segment.rtl)
        ]

    def _split_segment(self, text: str, *, rtl: bool) -> list[Run]:
        drawn = visual_order(text) if rtl and not self.raqm else text
        runs: list[Run] = []
        for c in drawn:
            before = runs[-1] if runs else None
            choice = self._choose_face(c, before)
            if choice is None:
                continue
            face, glyph = choice
            if before and before.face == face:
                runs[-1] = Run(face, before.text + glyph, rtl)
            else:
                runs.append(Run(face, glyph, rtl))
        return runs[::-1] if rtl and self.raqm else runs

    def _choose_face(self, c: str, before: Run | None) -> tuple[Face, str] | None:
        """Return the face for *c* and the character to draw: *c*, its compatible form, or None."""
        for glyph in (c, unicodedata.normalize("NFKC", c)):
            if len(glyph) != 1:
                continue
            if before and self._keeps_face(glyph, before.face):
                return before.face, glyph
            if unicodedata.combining(glyph) and before:
                return None  # a mark from another face would be drawn beside its letter
            if (face := self.stack.face_for(glyph)) is not None and not _is_joiner(glyph):
                return face, glyph
        return None

    def _keeps_face(self, glyph: str, face: Face) -> bool:
        """Return whether *glyph* must be drawn with the face of the character before it."""
        belongs = bool(unicodedata.combining(glyph)) or (_is_joiner(glyph) and self.raqm)
        # A space of an emoji or Han face is too wide for other text.
        spaced = glyph == " " and not face.path.name.startswith(("NotoEmoji", "NotoSerifSC"))
        return (belongs or spaced) and face.has_glyph(glyph)

    def width(
        self, line: str, size: int, *, tracking: float = 0.0, rtl: bool | None = None
    ) -> float:
        """Return the advance width of *line* in pixels; *tracking* is added between characters."""
        if tracking:
            return (
                sum(advance for _, _, advance in self._tracked_advances(line, size, tracking))
                - tracking
            )
        return sum(self._advance(run, size) for run in self.split_runs(line, rtl=rtl))

    def estimate_width(self, piece: str, size: int) -> float:
        """Return the width of *piece*, scaled from one measurement at the reference size."""
        return _reference_width(self, piece) * size / REFERENCE_SIZE

    def _advance(self, run: Run, size: int) -> float:
        font = run.face.load(size, raqm=self.raqm)
        return font.getlength(run.text, direction=self._direction(run))

    def _direction(self, run: Run) -> str | None:
        """Return the direction for Pillow, which accepts one only with Raqm."""
        return ("rtl" if run.rtl else "ltr") if self.raqm else None

    def _tracked_advances(
        self, line: str, size: int, tracking: float
    ) -> list[tuple[Run, str, float]]:
        return [
            (run, c, run.face.load(size, raqm=self.raqm).getlength(c) + tracking)
            for run in self.split_runs(line)
            for c in run.text
        ]

    def rasterize(
        self, line: str, size: int, *, tracking: float = 0.0, rtl: bool | None = None
    ) -> Mask:
        """Rasterise *line* with a margin that contains every glyph of these faces.

        *rtl* is the direction of its paragraph; if None, its own.
        """
        margin = int(size * 0.35) + 2
        up, down = int(size * ASCENT) + margin, int(size * DESCENT) + margin
        width = int(self.width(line, size, tracking=tracking, rtl=rtl)) + 1 + 2 * margin
        image = Image.new("L", (max(2, width), up + down))
        draw = ImageDraw.Draw(image)
        x = float(margin)
        if tracking:
            for run, c, advance in self._tracked_advances(line, size, tracking):
                self._draw_run(draw, Run(run.face, c), size, (x, up))
                x += advance
        else:
            for run in self.split_runs(line, rtl=rtl):
                self._draw_run(draw, run, size, (x, up))
                x += self._advance(run, size)
        return Mask(np.asarray(image, np.float32) / 255, margin, up)

    def _draw_run(
        self, draw: ImageDraw.ImageDraw, run: Run, size: int, at: tuple[float, float]
    ) -> None:
        font: ImageFont.FreeTypeFont = run.face.load(size, raqm=self.raqm)
        draw.text(at, run.text, font=font, fill=255, anchor="ls", direction=self._direction(run))


def _is_joiner(c: str) -> bool:
    return c in "\u200d\ufe0e\ufe0f"


@functools.lru_cache(maxsize=8192)
def _reference_width(typesetter: Typesetter, piece: str) -> float:
    return typesetter.width(piece, REFERENCE_SIZE)
