"""The pictures of a request: where they may come from, and how large they are.

Only headers are read here. Decoding is the render child's work, in a process that
a hostile picture may crash without harm.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from .refusals import Refused, invalid

MAX_STILL_BYTES: Final = 16 * 1024 * 1024
MAX_STILL_PIXELS: Final = 100_000_000
"""A header may promise any size; decoding 100 million pixels takes 300 MB."""

DATA_URI: Final = re.compile(r"data:[\w.+/-]{0,100}(?:;[\w=.+-]{1,100}){0,5},", re.ASCII)

FindBytes = Callable[[str], bytes | None]
"""Reads the file behind a link this sandbox made; None for a link it did not make."""


@dataclass(frozen=True, slots=True)
class Still:
    """A picture that begins like what it says it is. Sides are in pixels."""

    content: bytes
    suffix: str
    width: int
    height: int


def read_still(source: str, name: str, *, find: FindBytes) -> Still:
    """Return the picture that *source* (field *name*) stands for.

    Raises:
        Refused: 400, and 413 for one that is too large.
    """
    content = _decode(source, name) if source.startswith("data:") else find(source)
    if content is None:
        raise invalid(
            message=f"{name} is a link the sandbox cannot follow, because it has no network; "
            "send a data URI, or a link that this sandbox made."
        )
    return _examine(content, name)


def _decode(source: str, name: str) -> bytes:
    head = DATA_URI.match(source)
    if head is None or not head.group().endswith(";base64,"):
        raise invalid(message=f"{name} must be a base64 data URI, as in data:image/png;base64,...")
    encoded = source[head.end() :]
    if len(encoded) > MAX_STILL_BYTES * 4 // 3 + 4:
        raise _too_large(name)
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise invalid(message=f"{name} is not valid base64.") from exc


def _examine(content: bytes, name: str) -> Still:
    if len(content) > MAX_STILL_BYTES:
        raise _too_large(name)
    kind = next((kind for kind in KINDS if kind.magic.match(content)), None)
    if kind is None:
        raise invalid(message=f"{name} must be a PNG, JPEG or WebP picture.")
    size = kind.measure(content)
    if size is None or min(size) < 1:
        raise invalid(message=f"{name} is damaged: its width and height cannot be read.")
    width, height = size
    if width * height > MAX_STILL_PIXELS:
        raise invalid(
            message=f"{name} is {width}x{height}; the sandbox takes up to 100 megapixels."
        )
    return Still(content, kind.suffix, width, height)


def _too_large(name: str) -> Refused:
    return Refused(413, "invalid_request", f"{name} is over 16 MiB; send a smaller picture.")


def _big(number: bytes) -> int:
    return int.from_bytes(number, "big")


def _little(number: bytes) -> int:
    return int.from_bytes(number, "little")


PNG_SIDES: Final = re.compile(rb".{12}IHDR(.{4})(.{4})", re.DOTALL)

# A segment is a marker and the length of what follows, the two length bytes included. Of the
# markers C0 to CF, C4, C8 and CC are not frames (ITU-T T.81, table B.1).
JPEG_SEGMENT: Final = re.compile(rb"\xff+[^\xff](..)", re.DOTALL)
JPEG_FRAME: Final = re.compile(
    rb"\xff+[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]...(..)(..)", re.DOTALL
)

# The three kinds of WebP (Google's container specification): extended, lossless, lossy.
WEBP_EXTENDED: Final = re.compile(rb".{12}VP8X.{8}(.{3})(.{3})", re.DOTALL)
WEBP_LOSSLESS: Final = re.compile(rb".{12}VP8L.{4}\x2f(.{4})", re.DOTALL)
WEBP_LOSSY: Final = re.compile(rb".{12}VP8 .{7}\x9d\x01\x2a(..)(..)", re.DOTALL)


def _png_sides(content: bytes) -> tuple[int, int] | None:
    found = PNG_SIDES.match(content)
    return (_big(found[1]), _big(found[2])) if found else None


def _jpeg_sides(content: bytes) -> tuple[int, int] | None:
    at = len(b"\xff\xd8")
    while segment := JPEG_SEGMENT.match(content, at):
        if frame := JPEG_FRAME.match(content, at):
            return _big(frame[2]), _big(frame[1])
        # A length under two is damage; stepping by it would never end.
        at = segment.start(1) + max(_big(segment[1]), 2)
    return None


def _webp_sides(content: bytes) -> tuple[int, int] | None:
    if found := WEBP_EXTENDED.match(content):
        return 1 + _little(found[1]), 1 + _little(found[2])
    if found := WEBP_LOSSLESS.match(content):
        bits = _little(found[1])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if found := WEBP_LOSSY.match(content):
        return _little(found[1]) & 0x3FFF, _little(found[2]) & 0x3FFF
    return None


class Kind(NamedTuple):
    """How a kind of picture begins, and where its header keeps its sides in pixels."""

    suffix: str
    magic: re.Pattern[bytes]
    measure: Callable[[bytes], tuple[int, int] | None]


KINDS: Final = (
    Kind("png", re.compile(rb"\x89PNG\r\n\x1a\n"), _png_sides),
    Kind("jpg", re.compile(rb"\xff\xd8\xff"), _jpeg_sides),
    Kind("webp", re.compile(rb"RIFF.{4}WEBP", re.DOTALL), _webp_sides),
)
