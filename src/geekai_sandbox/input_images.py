"""The input images of a request: their source, format and size.

Only headers are read here. The render child decodes them, in a process that a malicious
image may crash without affecting the sandbox.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from .errors import ApiError, validation_error

MAX_IMAGE_BYTES: Final = 16 * 1024 * 1024
MAX_IMAGE_PIXELS: Final = 64_000_000
"""A header may declare any size; decoding 64 million pixels takes 256 MB."""

DATA_URI: Final = re.compile(r"data:[\w.+/-]{0,100}(?:;[\w=.+-]{1,100}){0,5},", re.ASCII)

FindBytes = Callable[[str], bytes | None]
"""Reads the file behind a URL of this sandbox; None for any other URL."""


@dataclass(frozen=True, slots=True)
class InputImage:
    """An image whose header is valid for its format. Sides are in pixels, of the image upright."""

    content: bytes
    suffix: str
    width: int
    height: int


def read_input_image(source: str, name: str, *, find: FindBytes) -> InputImage:
    """Return the image at *source*, the value of field *name*.

    Raises:
        ApiError: 400, or 413 for an image that is too large.
    """
    content = _decode_data_uri(source, name) if source.startswith("data:") else find(source)
    if content is None:
        raise validation_error(
            message=f"{name} is a link the sandbox cannot download, because it has no network "
            "access; send a data URI, or the URL of one of this sandbox's results."
        )
    return _inspect_header(content, name)


def _decode_data_uri(source: str, name: str) -> bytes:
    match = DATA_URI.match(source)
    if match is None or not match.group().endswith(";base64,"):
        raise validation_error(
            message=f"{name} must be a base64 data URI, such as data:image/png;base64,..."
        )
    encoded = source[match.end() :]
    if len(encoded) > MAX_IMAGE_BYTES * 4 // 3 + 4:
        raise _too_large_error(name)
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise validation_error(message=f"{name} is not valid base64.") from exc


def _inspect_header(content: bytes, name: str) -> InputImage:
    if len(content) > MAX_IMAGE_BYTES:
        raise _too_large_error(name)
    signature = next(
        (signature for signature in SIGNATURES if signature.magic.match(content)), None
    )
    if signature is None:
        raise validation_error(message=f"{name} must be a PNG, JPEG or WebP image.")
    size = signature.read_size(content)
    if size is None or min(size) < 1:
        raise validation_error(message=f"{name} is damaged: its width and height cannot be read.")
    width, height = size
    if width * height > MAX_IMAGE_PIXELS:
        raise validation_error(
            message=f"{name} is {width}x{height}; the sandbox accepts up to 64 megapixels."
        )
    if _lies_on_its_side(content):
        width, height = height, width
    return InputImage(content, signature.suffix, width, height)


def _lies_on_its_side(content: bytes) -> bool:
    """Return whether the metadata of a photograph turns it by a quarter, as phones do."""
    found = TIFF_HEADER.search(content, 0, MAX_EXIF_END)
    if found is None:
        return False
    order: Literal["little", "big"] = "little" if found["order"] == b"II" else "big"
    start = found.start("order") + int.from_bytes(found["first"], order)
    entries = int.from_bytes(content[start : start + 2], order)
    for at in range(start + 2, start + 2 + 12 * min(entries, MAX_EXIF_ENTRIES), 12):
        if int.from_bytes(content[at : at + 2], order) == ORIENTATION:
            return int.from_bytes(content[at + 8 : at + 10], order) in QUARTER_TURNS
    return False


def _too_large_error(name: str) -> ApiError:
    return ApiError(413, "invalid_request", f"{name} is over 16 MiB; send a smaller image.")


def _big_endian(number: bytes) -> int:
    return int.from_bytes(number, "big")


def _little_endian(number: bytes) -> int:
    return int.from_bytes(number, "little")


PNG_SIZE: Final = re.compile(rb".{12}IHDR(.{4})(.{4})", re.DOTALL)

# A segment is a marker and the length of what follows, the two length bytes included. Of the
# markers C0 to CF, C4, C8 and CC are not frames (ITU-T T.81, table B.1).
JPEG_SEGMENT: Final = re.compile(rb"\xff+[^\xff](..)", re.DOTALL)
JPEG_FRAME: Final = re.compile(
    rb"\xff+[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]...(..)(..)", re.DOTALL
)

# The metadata of a JPEG or PNG is a TIFF (Exif 2.32, 4.5.2), near the beginning of the file.
TIFF_HEADER: Final = re.compile(
    rb"(?:Exif\0\0|eXIf)(?:(?=II\*\0|MM\0\*)(?P<order>II|MM))..(?P<first>.{4})", re.DOTALL
)
MAX_EXIF_END: Final = 128 * 1024
MAX_EXIF_ENTRIES: Final = 200
ORIENTATION: Final = 0x0112
QUARTER_TURNS: Final = frozenset({5, 6, 7, 8})

# The three kinds of WebP (Google's container specification): extended, lossless, lossy.
WEBP_EXTENDED: Final = re.compile(rb".{12}VP8X.{8}(.{3})(.{3})", re.DOTALL)
WEBP_LOSSLESS: Final = re.compile(rb".{12}VP8L.{4}\x2f(.{4})", re.DOTALL)
WEBP_LOSSY: Final = re.compile(rb".{12}VP8 .{7}\x9d\x01\x2a(..)(..)", re.DOTALL)


def _png_size(content: bytes) -> tuple[int, int] | None:
    match = PNG_SIZE.match(content)
    return (_big_endian(match[1]), _big_endian(match[2])) if match else None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    position = len(b"\xff\xd8")
    while segment := JPEG_SEGMENT.match(content, position):
        if frame := JPEG_FRAME.match(content, position):
            return _big_endian(frame[2]), _big_endian(frame[1])
        # A length under two means a damaged file; stepping by it would loop forever.
        position = segment.start(1) + max(_big_endian(segment[1]), 2)
    return None


def _webp_size(content: bytes) -> tuple[int, int] | None:
    if match := WEBP_EXTENDED.match(content):
        return 1 + _little_endian(match[1]), 1 + _little_endian(match[2])
    if match := WEBP_LOSSLESS.match(content):
        bits = _little_endian(match[1])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if match := WEBP_LOSSY.match(content):
        return _little_endian(match[1]) & 0x3FFF, _little_endian(match[2]) & 0x3FFF
    return None


class Signature(NamedTuple):
    """The first bytes of an image format, and how to read the size from its header."""

    suffix: str
    magic: re.Pattern[bytes]
    read_size: Callable[[bytes], tuple[int, int] | None]


SIGNATURES: Final = (
    Signature("png", re.compile(rb"\x89PNG\r\n\x1a\n"), _png_size),
    Signature("jpg", re.compile(rb"\xff\xd8\xff"), _jpeg_size),
    Signature("webp", re.compile(rb"RIFF.{4}WEBP", re.DOTALL), _webp_size),
)
