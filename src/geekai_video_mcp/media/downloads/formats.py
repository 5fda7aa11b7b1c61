"""Whether a file is complete; its format is found by `domain.media_formats`."""

import os
from typing import BinaryIO, Final

from geekai_video_mcp.domain.media_formats import SIGNATURE_BYTES, detect_format

_BOX_HEADER_BYTES: Final = 8
"""Bytes of the smallest box of an MP4: its length and its type."""
_LAST_BYTES: Final = {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9"}
"""The last bytes of a complete image. A WebP gives its length at the start instead."""


def is_complete(file: BinaryIO) -> bool:
    """Whether *file* ends where its format says; one read per top-level box of a video.

    Used for a body of unknown length, where the end of the body and a broken connection look
    the same. A format that does not say where it ends always counts as complete.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(SIGNATURE_BYTES)
    known = detect_format(start)
    if known is None:
        return False
    if start.startswith(b"RIFF"):
        return size >= int.from_bytes(start[4:8], "little") + _BOX_HEADER_BYTES
    if known.extension in _LAST_BYTES:
        file.seek(max(0, size - len(_LAST_BYTES[known.extension])))
        return file.read() == _LAST_BYTES[known.extension]
    return known.extension not in {".mp4", ".mov"} or _has_complete_boxes(file, size)


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
