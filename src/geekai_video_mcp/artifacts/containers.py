"""What a file says of itself: that it is a video, and that nothing of it is missing."""

import os
from typing import BinaryIO, Final

SIGNATURE: Final = 8
"""Bytes from the start of a file that tell whether it is a video."""
_EBML: Final = b"\x1a\x45\xdf\xa3"


def suffix(start: bytes) -> str | None:
    """The ending for a file that begins with *start*; None if it is no video.

    MP4 and its kin name themselves at byte 4, WebM at byte 0.
    """
    if start.startswith(_EBML):
        return ".webm"
    return ".mp4" if start[4:8] == b"ftyp" else None


def is_whole(file: BinaryIO) -> bool:
    """Whether *file* ends where its container says; costs one read per top-level box.

    For a body of unknown length, which a broken connection ends as well as its own end
    does. WebM may be written without its lengths, so it is taken at its word.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if suffix(file.read(SIGNATURE)) == ".webm":
        return True
    at, seen = 0, set[bytes]()
    while at < size:
        file.seek(at)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:  # the length proper follows the name
            length = int.from_bytes(header[8:16], "big")
        elif length == 0:  # to the end of the file
            length = size - at
        if length < SIGNATURE:
            return False
        seen.add(header[4:8])
        at += length
    return at == size and {b"moov", b"mdat"} <= seen
