"""What a file says of itself: that it is a video or a picture, and that nothing is missing."""

import os
from collections.abc import Mapping
from typing import BinaryIO, Final

from geekai_video_mcp.lifecycle import Media
from geekai_video_mcp.references import PictureType, picture_type

SIGNATURE_BYTES: Final = 12
"""Bytes from the start of a file that tell what it is."""
_EBML_MAGIC: Final = b"\x1a\x45\xdf\xa3"
_BOX_HEADER_BYTES: Final = 8
"""Bytes of the smallest box of an MP4: its length and its name."""

EXTENSIONS: Final = {
    Media.VIDEO: (".mp4", ".webm"),
    Media.IMAGE: (".png", ".jpg", ".webp"),
}
"""What a file of each kind may be called."""
_IMAGE_EXTENSIONS: Final[Mapping[PictureType, str]] = {
    "png": ".png",
    "jpeg": ".jpg",
    "webp": ".webp",
}
_LAST_BYTES: Final = {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9"}
"""The last bytes of a picture that is whole. A WebP says its length at the start."""


def file_extension(start: bytes, media: Media) -> str | None:
    """The extension for a file that begins with *start*; None if it is no such medium.

    MP4 and its kin name themselves at byte 4, WebP at bytes 0 and 8, the others at byte 0.
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
    """Whether *file* ends where its format says; costs one read per top-level box of a video.

    For a body of unknown length, which a broken connection ends as well as its own end
    does. WebM may be written without its lengths, so it is taken at its word.
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
        if length == 1:  # the length proper follows the name
            length = int.from_bytes(header[8:16], "big")
        elif length == 0:  # to the end of the file
            length = size - offset
        if length < _BOX_HEADER_BYTES:
            return False
        box_types.add(header[4:8])
        offset += length
    return offset == size and {b"moov", b"mdat"} <= box_types
