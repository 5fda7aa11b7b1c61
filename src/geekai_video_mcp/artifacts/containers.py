"""File formats: which kind of file it is, and whether it is complete."""

import os
from collections.abc import Mapping
from typing import BinaryIO, Final

from geekai_video_mcp.lifecycle import Media
from geekai_video_mcp.references import PictureType, picture_type

SIGNATURE_BYTES: Final = 12
"""Bytes from the start of a file that identify its format."""
_EBML_MAGIC: Final = b"\x1a\x45\xdf\xa3"
_BOX_HEADER_BYTES: Final = 8
"""Bytes of the smallest box of an MP4: its length and its type."""

EXTENSIONS: Final = {
    Media.VIDEO: (".mp4", ".webm"),
    Media.IMAGE: (".png", ".jpg", ".webp"),
}
"""The file extensions of each medium."""
_IMAGE_EXTENSIONS: Final[Mapping[PictureType, str]] = {
    "png": ".png",
    "jpeg": ".jpg",
    "webp": ".webp",
}
_LAST_BYTES: Final = {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9"}
"""The last bytes of a complete image. A WebP gives its length at the start instead."""


def file_extension(start: bytes, media: Media) -> str | None:
    """The extension for a file that begins with *start*; None if it is not of *media*.

    The signature of MP4 and related formats is at byte 4, that of WebP at bytes 0 and 8,
    that of the others at byte 0.
    """
    extension = _detect_extension(start)
    return extension if extension in EXTENSIONS[media] else None


def _detect_extension(start: bytes) -> str | None:
    if start.startswith(_EBML_MAGIC):
        return ".webm"
    if start[4:8] == b"ftyp":
        return ".mp4"
    detected = picture_type(start)
    return _IMAGE_EXTENSIONS[detected] if detected else None


def is_complete(file: BinaryIO) -> bool:
    """Whether *file* ends where its format says; one read per top-level box of a video.

    Used for a body of unknown length, where the end of the body and a broken connection look
    the same. A WebM file may be written without lengths, so it always counts as complete.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(SIGNATURE_BYTES)
    extension = _detect_extension(start)
    if extension == ".webm":
        return True
    if extension == ".webp":
        return size >= int.from_bytes(start[4:8], "little") + _BOX_HEADER_BYTES
    if extension in _LAST_BYTES:
        file.seek(max(0, size - len(_LAST_BYTES[extension])))
        return file.read() == _LAST_BYTES[extension]
    return _has_complete_boxes(file, size)


def _has_complete_boxes(file: BinaryIO, size: int) -> bool:
    offset, box_types = 0, set[bytes]()
    while offset < size:
        file.seek(offset)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:  # the real length follows the type
            length = int.from_bytes(header[8:16], "big")
        elif length == 0:  # the box extends to the end of the file
            length = size - offset
        if length < _BOX_HEADER_BYTES:
            return False
        box_types.add(header[4:8])
        offset += length
    return offset == size and {b"moov", b"mdat"} <= box_types
