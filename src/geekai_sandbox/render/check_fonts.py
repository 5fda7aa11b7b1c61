"""A program that says of each vendored font whether it is there and can be drawn, as JSON.

python -m geekai_sandbox.render.check_fonts
"""

from __future__ import annotations

import json
import sys

from .fonts import DISPLAY, LABEL, MONO, VENDORED, Face

SIZE = 48
"""Pixels; large enough that every glyph has some ink."""
SAMPLES = 50
"""Glyphs that are drawn of a font."""


def find_problem(face: Face) -> str | None:
    """Why nothing can be drawn in this font, as the rest of a sentence; None if it can."""
    if not face.path.is_file():
        return "is missing"
    try:
        # A letter or a picture that the font itself has: not each has Latin ones.
        characters = [chr(code) for code in range(0x41, 0x1FAFF) if face.has_glyph(chr(code))]
        font = face.load(SIZE, raqm=False)
        # From the whole of it: a font that was cut off still has its first glyphs.
        every = max(1, len(characters) // SAMPLES)
        drawn = [font.getmask(character) for character in characters[::every]]
    except (OSError, ValueError, LookupError, ArithmeticError) as exc:
        return f"cannot be read ({type(exc).__name__})"
    return None if any(mask.getbbox() for mask in drawn) else "draws nothing"


def main() -> None:
    names = dict.fromkeys((*DISPLAY, *LABEL, *MONO))
    sys.stdout.write(json.dumps({name: find_problem(Face(VENDORED / name)) for name in names}))


if __name__ == "__main__":
    main()
