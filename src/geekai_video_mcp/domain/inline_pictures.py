"""Pictures that are written into an argument: as a data URI, or as base64 without one. Pure.

Every picture has one spelling here, `data:image/png;base64,...` with the type that its bytes have,
so that the same picture is the same request however a host or a model has written it.
"""

import base64
import re
from typing import Final, Literal
from urllib.parse import unquote, unquote_to_bytes

from geekai_video_mcp.domain.media_formats import describe_unknown, detect_format

DATA_URI_LIMIT: Final = 8_000_000
"""Characters. GeekAI's own limit is not documented; integrators stop at 8 MB (read 2026-11-22)."""
GIVEN_LIMIT: Final = 2 * DATA_URI_LIMIT
"""Characters of a picture as it was given: with line breaks and escapes it may be longer."""
START_BYTES: Final = 4096
"""Bytes from which a format is named: an SVG may begin with comments."""
MIN_UNKNOWN_BASE64: Final = 200
"""Characters from which on a text in base64's alphabet is base64, and not a name."""
MIN_BARE_BYTES: Final = 24
"""Bytes from which on base64 alone is a picture, and not a name: no picture has fewer."""

PictureType = Literal["png", "jpeg", "webp"]

_DATA: Final = "data:"
_NO_DATA_URI: Final = "a data URI must begin data:image/png;base64, (or jpeg, or webp)"
_NOT_BASE64: Final = "the data URI is not valid base64"
_NO_PICTURE: Final = "the data URI holds no PNG, JPEG or WebP picture"
_EMPTY: Final = f"{_NO_PICTURE}: it is empty"
_LABEL: Final = re.compile(r"\s*image/(png|jpe?g|webp)\s*(;[^,]*)?;\s*base64\s*", re.IGNORECASE)
_MAX_HEAD: Final = 256
"""Characters before the comma of a data URI."""
_BARE_HEAD: Final = re.compile(
    r"(?:image/[\w.+-]+\s*;\s*)?(?:[\w-]+=[\w-]*;\s*)?base64\s*[,:]\s*", re.IGNORECASE
)
"""What is left of a data URI if `data:` is missing."""
_GAPS: Final = re.compile(r"\s+|\\[nrt]")
"""Line breaks and spaces, also as a program writes them in a string."""
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+")
_URL_SAFE: Final = str.maketrans("-_", "+/")


def picture_type(prefix: bytes) -> PictureType | None:
    """What kind of picture begins with *prefix*, of which 12 bytes are enough."""
    if prefix.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if prefix.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    return "webp" if prefix[:4] == b"RIFF" and prefix[8:12] == b"WEBP" else None


def data_uri(content: bytes) -> str | None:
    """The picture itself as an argument; None if it is none of the three kinds."""
    found = picture_type(content)
    return f"data:image/{found};base64,{base64.b64encode(content).decode()}" if found else None


def name_format(content: bytes) -> str:
    """What *content* is, for a sentence: "a GIF picture", "a PDF document"."""
    start = content[:START_BYTES]
    known = detect_format(start)
    return known.name if known else describe_unknown(start)


def describe_wrong_format(what: str, content: bytes, *, task: str = "ID") -> str:
    """Why *content*, which is no PNG, JPEG or WebP, is refused, and what to give instead.

    *what* is "the file" or how else it was given, and *task* the id of the task that made it, if
    that is known.
    """
    if not content:
        return f"{what} is empty, so ask the user for the picture again"
    known = detect_format(content[:START_BYTES])
    problem = f"{what} is not a PNG, JPEG or WebP image but {name_format(content)}"
    if known and known.kind == "video":
        return (
            f"{problem}: name the task that made it (task:{task} takes the last frame of its"
            " video), or give a frame of it as a JPEG or PNG file"
        )
    if known and known.kind == "sound":
        return f"{problem}, which has no picture"
    return f"{problem}, so convert it to JPEG or PNG first"


def read_data_uri(text: str) -> str:
    """The data URI in its one spelling, whatever its label says: its bytes decide.

    Raises:
        ValueError: what is wrong with it, and what to do.
    """
    head, comma, payload = text[len(_DATA) :].partition(",")
    in_base64, labelled = "base64" in head.lower(), _LABEL.fullmatch(head)
    if not comma or len(head) > _MAX_HEAD:
        raise ValueError(_NO_DATA_URI)
    _check_length(text)
    content = decode_base64(payload)
    if not in_base64 and not (content and picture_type(content)):
        content = unquote_to_bytes(payload)
    if content is None:
        raise ValueError(_NOT_BASE64 if labelled else _NO_DATA_URI)
    if not content:
        raise ValueError(_EMPTY)
    if not _is_known(content):
        raise ValueError(_NO_PICTURE if labelled else _NO_DATA_URI)
    return _encode("the data URI", content)


def read_bare_base64(text: str) -> str | None:
    """The data URI of a picture given as base64 alone; None if *text* is no base64.

    Raises:
        ValueError: it is base64, and no picture that can be sent.
    """
    head = _BARE_HEAD.match(text)
    payload = text[head.end() :] if head else text
    content = decode_base64(payload)
    if content is None:
        return None
    known = len(content) >= MIN_BARE_BYTES and _is_known(content)
    if not (head or known or len(payload) >= MIN_UNKNOWN_BASE64):
        return None
    _check_length(text)
    return _encode("the base64 text", content)


def decode_base64(text: str) -> bytes | None:
    """The bytes of base64, wrapped or not, in either alphabet, padded or not; None: it is none."""
    joined = _GAPS.sub("", unquote(text) if "%" in text else text)
    digits = joined.rstrip("=").translate(_URL_SAFE)
    if not digits:
        return b""
    if not _BASE64.fullmatch(digits) or len(digits) % 4 == 1:
        return None
    return base64.b64decode(digits + "=" * (-len(digits) % 4))


def _is_known(content: bytes) -> bool:
    """Whether *content* has a format that can be named."""
    return name_format(content) != name_format(b"")


def _encode(what: str, content: bytes) -> str:
    uri = data_uri(content)
    if uri is None:
        raise ValueError(describe_wrong_format(what, content))
    if len(uri) > DATA_URI_LIMIT:
        msg = _length_problem(len(uri))
        raise ValueError(msg)
    return uri


def _check_length(text: str) -> None:
    if len(text) > GIVEN_LIMIT:
        msg = _length_problem(len(text))
        raise ValueError(msg)


def _length_problem(length: int) -> str:
    return (
        f"the data URI has {length:,} characters; the limit is {DATA_URI_LIMIT:,}"
        " (a file given by its path is made smaller automatically)"
    )
