"""Formats of media files: which one a file has, by how it begins, and what it is called. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from geekai_video_mcp.domain.tasks import Media

SIGNATURE_BYTES: Final = 192
"""Bytes from the start of a file that identify its format: an MPEG transport stream is known by
its second packet, at byte 188."""
_TS_PACKET: Final = 188
MAX_ICONS: Final = 255
"""Icons in one ICO file: far more than any has."""
_QUICKTIME_BOXES: Final = frozenset({b"moov", b"mdat", b"wide", b"skip", b"pnot"})
"""The first box of a QuickTime file that is older than `ftyp`."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format of media files."""

    extension: str
    name: str
    """As it is called in a sentence."""
    kind: Literal["picture", "video", "sound"] = "video"
    usual_for: Media | None = None
    """The medium whose results have this format."""


_MP4: Final = Format(extension=".mp4", name="an MP4 video", usual_for=Media.VIDEO)
_MOV: Final = Format(extension=".mov", name="a QuickTime video", usual_for=Media.VIDEO)
_WEBM: Final = Format(extension=".webm", name="a WebM video", usual_for=Media.VIDEO)
_MKV: Final = Format(extension=".mkv", name="a Matroska video", usual_for=Media.VIDEO)
_HEIC: Final = Format(extension=".heic", name="a HEIC picture", kind="picture")
_HEIF: Final = Format(extension=".heif", name="a HEIF picture", kind="picture")
_AVIF: Final = Format(extension=".avif", name="an AVIF picture", kind="picture")
_TS: Final = Format(extension=".ts", name="an MPEG transport stream")

_BRANDS: Final = {
    b"qt  ": _MOV,
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), _HEIC),
    **dict.fromkeys((b"mif1", b"msf1"), _HEIF),
    **dict.fromkeys((b"avif", b"avis"), _AVIF),
    b"M4A ": Format(extension=".m4a", name="an M4A sound", kind="sound"),
}
"""What the brand after `ftyp` says; every other one is an MP4."""

_SIGNATURES: Final[tuple[tuple[bytes, Format], ...]] = (
    (
        b"\x89PNG\r\n\x1a\n",
        Format(extension=".png", name="a PNG picture", kind="picture", usual_for=Media.IMAGE),
    ),
    (
        b"\xff\xd8\xff",
        Format(extension=".jpg", name="a JPEG picture", kind="picture", usual_for=Media.IMAGE),
    ),
    (b"GIF87a", Format(extension=".gif", name="a GIF picture", kind="picture")),
    (b"GIF89a", Format(extension=".gif", name="a GIF picture", kind="picture")),
    (b"II*\0", Format(extension=".tiff", name="a TIFF picture", kind="picture")),
    (b"MM\0*", Format(extension=".tiff", name="a TIFF picture", kind="picture")),
    (
        b"\0\0\0\x0cJXL \r\n\x87\n",
        Format(extension=".jxl", name="a JPEG XL picture", kind="picture"),
    ),
    (
        b"\0\0\0\x0cjP  \r\n\x87\n",
        Format(extension=".jp2", name="a JPEG 2000 picture", kind="picture"),
    ),
    (b"8BPS", Format(extension=".psd", name="a Photoshop picture", kind="picture")),
    (b"\0\0\x01\xba", Format(extension=".mpg", name="an MPEG video")),
    (b"\0\0\x01\xb3", Format(extension=".mpg", name="an MPEG video")),
    (b"FLV\x01", Format(extension=".flv", name="a Flash video")),
    (b"OggS", Format(extension=".ogg", name="an Ogg file")),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Format(extension=".wmv", name="a Windows Media file")),
    (b"ID3", Format(extension=".mp3", name="an MP3 sound", kind="sound")),
    (b"fLaC", Format(extension=".flac", name="a FLAC sound", kind="sound")),
)
_RIFF: Final = {
    b"WEBP": Format(
        extension=".webp", name="a WebP picture", kind="picture", usual_for=Media.IMAGE
    ),
    b"AVI ": Format(extension=".avi", name="an AVI video"),
    b"WAVE": Format(extension=".wav", name="a WAV sound", kind="sound"),
}
_BMP: Final = Format(extension=".bmp", name="a BMP picture", kind="picture")
_ICO: Final = Format(extension=".ico", name="an ICO picture", kind="picture")

_FORMATS: Final = (
    *(known for _, known in _SIGNATURES),
    *_BRANDS.values(),
    *_RIFF.values(),
    *(_MP4, _MOV, _WEBM, _MKV, _TS, _BMP, _ICO),
)
_STILL_EXTENSIONS: Final = {each.extension for each in _FORMATS if each.kind == "picture"} - {
    ".gif"
}

_XML: Final = "an XML document"
_OTHER_MARKUP: Final = "a document of markup"
_MARKUP: Final = (_XML, _OTHER_MARKUP)
"""What an SVG begins like: its own tag may stand after comments."""
_NOT_MEDIA: Final = (
    (b"#EXTM3U", "an HLS playlist, which only lists the pieces of a video"),
    (b"<MPD", "a DASH manifest, which only lists the pieces of a video"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", _XML),
    (b"<", _OTHER_MARKUP),
    (b"{", "JSON"),
    (b"[", "JSON"),
)
"""How files begin that no player opens, in lower case where they are text."""


def extensions(media: Media) -> list[str]:
    """Every extension that a result of *media* may have, the usual ones first."""
    ordered = sorted(_FORMATS, key=lambda one: (one.usual_for is not media, one.extension))
    return list(dict.fromkeys(one.extension for one in ordered))


def is_still(extension: str) -> bool:
    """Whether a file of this extension holds a picture, which has neither duration nor sound.

    A GIF is none of them: it may move.
    """
    return extension in _STILL_EXTENSIONS


def detect_format(start: bytes) -> Format | None:
    """The format of a file that begins with *start*; None if it is no media that is known here."""
    for signature, known in _SIGNATURES:
        if start.startswith(signature):
            return known
    for detect in _DETECTORS:
        if found := detect(start):
            return found
    return None


def describe_unknown(start: bytes) -> str:
    """What a file is that begins with *start* and is no media, for a sentence."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    lowered = text.lower()
    for signature, name in _NOT_MEDIA:
        if text.startswith(signature) or lowered.startswith(signature):
            return "an SVG drawing" if name in _MARKUP and b"<svg" in lowered else name
    return "a file of no known media format"


def _from_boxes(start: bytes) -> Format | None:
    if start[4:8] == b"ftyp":
        return _BRANDS.get(start[8:12], _MP4)
    return _MOV if start[4:8] in _QUICKTIME_BOXES else None


def _from_ebml(start: bytes) -> Format | None:
    if not start.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    return _MKV if b"matroska" in start else _WEBM


def _from_riff(start: bytes) -> Format | None:
    return _RIFF.get(start[8:12]) if start.startswith(b"RIFF") else None


def _from_packets(start: bytes) -> Format | None:
    return _TS if start[:1] == b"G" and start[_TS_PACKET : _TS_PACKET + 1] == b"G" else None


def _from_bitmap(start: bytes) -> Format | None:
    """Two letters prove little: the four reserved bytes after the length are zero as well."""
    return _BMP if start.startswith(b"BM") and start[6:10] == bytes(4) else None


def _from_icon(start: bytes) -> Format | None:
    """Four bytes that an MP4 may begin with as well: the number of icons is small, but not 0."""
    icons = int.from_bytes(start[4:6], "little")
    return _ICO if start.startswith(b"\0\0\x01\0") and 0 < icons <= MAX_ICONS else None


_DETECTORS: Final[tuple[Callable[[bytes], Format | None], ...]] = (
    _from_boxes,
    _from_ebml,
    _from_riff,
    _from_packets,
    _from_bitmap,
    _from_icon,
)
