"""The characters that each font supports, read from the font files.

Pillow cannot tell whether a font has a glyph, and draws a box ("tofu") for a missing one.
So the cmap table is read here, and only characters in it are drawn. Fonts are tried in
order: the vendored ones first, then those of the system.
"""

from __future__ import annotations

import functools
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import ImageFont

VENDORED: Final = Path(__file__).parent / "fonts"

DISPLAY: Final = (
    "InstrumentSerif.ttf",
    "NotoSerif-LGC.ttf",
    "NotoSerifSC.otf",
    "NotoSerifKR.otf",
    "NotoNaskhArabic.ttf",
    "NotoSansHebrew.ttf",
    "NotoSansThai.ttf",
    "NotoEmoji.ttf",
)
LABEL: Final = ("Inter-Medium.ttf", "NotoSerif-LGC.ttf", "NotoSerifSC.otf", "NotoSerifKR.otf")
MONO: Final = ("DMMono.ttf", "Inter-Medium.ttf")

SCALES: Final = {
    "NotoSerif-LGC.ttf": 0.84,
    "NotoSerifSC.otf": 0.86,
    "NotoSerifKR.otf": 0.84,
    "NotoNaskhArabic.ttf": 0.98,
    "NotoSansHebrew.ttf": 0.84,
    "NotoSansThai.ttf": 0.84,
    "NotoEmoji.ttf": 0.80,
}
"""Scale of each face relative to Instrument Serif, whose letters are small for their size."""

_SYSTEM_SCALE: Final = 0.86

_SYSTEM_FILES: Final = (
    "/System/Library/Fonts/Supplemental/Songti.ttc",
    "/System/Library/Fonts/Hiragino Sans GB.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "/System/Library/Fonts/AppleSDGothicNeo.ttc",
    "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
    r"C:\Windows\Fonts\simsun.ttc",
    r"C:\Windows\Fonts\msyh.ttc",
    r"C:\Windows\Fonts\YuGothM.ttc",
    r"C:\Windows\Fonts\malgun.ttf",
    r"C:\Windows\Fonts\Nirmala.ttf",
    r"C:\Windows\Fonts\LeelawUI.ttf",
    r"C:\Windows\Fonts\segoeui.ttf",
)

_LINUX_PATTERNS: Final = (
    "**/NotoSerifCJK-Regular.ttc",
    "**/NotoSansCJK-Regular.ttc",
    "**/SourceHan*Regular*",
    "**/wqy-*.ttc",
    "**/DroidSansFallback*.ttf",
    "**/Nanum*.ttf",
    "**/ipa*.ttf",
    "**/NotoSans*-Regular.ttf",
    "**/DejaVuSans.ttf",
)


@dataclass(frozen=True, slots=True)
class Face:
    """A font file; in a collection, its first face."""

    path: Path

    @property
    def scale(self) -> float:
        return SCALES.get(self.path.name, 1.0 if self.path.parent == VENDORED else _SYSTEM_SCALE)

    def has_glyph(self, character: str) -> bool:
        return ord(character) in coverage(self.path)

    def load(self, size: int, *, raqm: bool) -> ImageFont.FreeTypeFont:
        return _load_font(self.path, max(4, round(size * self.scale)), raqm)


@functools.lru_cache(maxsize=256)
def _load_font(path: Path, size: int, raqm: bool) -> ImageFont.FreeTypeFont:  # noqa: FBT001  lru_cache keys on positions
    engine = ImageFont.Layout.RAQM if raqm else ImageFont.Layout.BASIC
    return ImageFont.truetype(path, size, layout_engine=engine)


@functools.lru_cache(maxsize=1)
def system_faces() -> tuple[Face, ...]:
    """Return usable system fonts; searched once, when a vendored font lacks a character."""
    paths = [Path(name) for name in _SYSTEM_FILES]
    if sys.platform.startswith("linux"):
        roots = [
            Path("/usr/share/fonts"),
            Path.home() / ".fonts",
            Path.home() / ".local/share/fonts",
        ]
        paths += [
            file for root in roots for name in _LINUX_PATTERNS for file in sorted(root.glob(name))
        ]
    return tuple(Face(path) for path in dict.fromkeys(paths) if path.is_file())


@dataclass(frozen=True, slots=True)
class FontStack:
    """Faces in the order in which they are tried; `system` adds the system's at the end."""

    names: tuple[str, ...]
    system: bool = True

    def faces(self) -> Iterator[Face]:
        yield from (Face(VENDORED / name) for name in self.names)
        if self.system:
            yield from system_faces()

    def face_for(self, character: str) -> Face | None:
        """Return the first face that can draw *character*, or None."""
        return _face_for(self, character)


@functools.lru_cache(maxsize=4096)
def _face_for(stack: FontStack, character: str) -> Face | None:
    return next((face for face in stack.faces() if face.has_glyph(character)), None)


@functools.lru_cache(maxsize=128)
def coverage(path: Path) -> frozenset[int]:
    """Return the code points that *path* has glyphs for; an unreadable file has none."""
    try:
        return frozenset(_code_points(_cmap_table(path)))
    except (OSError, struct.error, IndexError):
        return frozenset()


def _cmap_table(path: Path) -> bytes:
    with path.open("rb") as file:
        start = 0
        head = file.read(16)
        if head[:4] == b"ttcf":
            (start,) = struct.unpack(">I", head[12:16])
        file.seek(start + 4)
        (count,) = struct.unpack(">H", file.read(2))
        file.seek(start + 12)
        for tag, _, offset, length in struct.iter_unpack(">4sIII", file.read(16 * count)):
            if tag == b"cmap":
                file.seek(offset)
                return file.read(length)
    return b""


def _code_points(table: bytes) -> Iterator[int]:
    """Read the best Unicode subtable: format 12 (all planes) before format 4 (the first)."""
    if not table:
        return iter(())
    (count,) = struct.unpack_from(">H", table, 2)
    offsets: dict[int, int] = {}
    for platform, encoding, offset in struct.iter_unpack(">HHI", table[4 : 4 + 8 * count]):
        (form,) = struct.unpack_from(">H", table, offset)
        if platform == 0 or (platform == 3 and encoding in (1, 10)):
            offsets[form] = offset
    readers: dict[int, Callable[[bytes, int], Iterator[int]]] = {
        12: _read_format_12,
        4: _read_format_4,
    }
    return next(
        (read(table, offsets[form]) for form, read in readers.items() if form in offsets), iter(())
    )


def _read_format_12(table: bytes, offset: int) -> Iterator[int]:
    (count,) = struct.unpack_from(">I", table, offset + 12)
    groups = table[offset + 16 : offset + 16 + 12 * count]
    for first, last, _glyph in struct.iter_unpack(">III", groups):
        yield from range(first, last + 1)


def _read_format_4(table: bytes, offset: int) -> Iterator[int]:
    count = struct.unpack_from(">H", table, offset + 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", table, offset + 14)
    starts = struct.unpack_from(f">{count}H", table, offset + 16 + 2 * count)
    deltas = struct.unpack_from(f">{count}H", table, offset + 16 + 4 * count)
    ranges = offset + 16 + 6 * count
    skips = struct.unpack_from(f">{count}H", table, ranges)
    for k in range(count):
        for code in range(starts[k], ends[k] + 1):
            glyph = code
            if skips[k]:
                (glyph,) = struct.unpack_from(
                    ">H", table, ranges + 2 * k + skips[k] + 2 * (code - starts[k])
                )
                if not glyph:
                    continue
            if (glyph + deltas[k]) & 0xFFFF:
                yield code
