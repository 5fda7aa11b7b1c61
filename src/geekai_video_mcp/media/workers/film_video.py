"""The pictures of a film that are encoded again: each fitted into the film's shape."""

from collections.abc import Generator
from fractions import Fraction
from typing import Any, Final

import av
import av.filter
from av.error import FFmpegError

from geekai_video_mcp.media.workers.film_parts import Part, decode_frames, square_size

MAX_PIXELS: Final = 4096 * 2304
"""Pixels of a film's frame: x264 needs more memory for 8K than a child may take."""
MIN_SIDE: Final = 16
BAR_TOLERANCE: Final = 0.005
"""Relative: 1366x768 is no other shape than 1280x720, and bars of two lines look like a fault."""
HD_LINES: Final = 720
"""Untagged video of so many lines has the colours of BT.709, and less those of BT.601."""
_BT709, _UNKNOWN, _SD = 1, 2, 6
_PQ, _HLG = 16, 18
_MATRICES: Final = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc"}
"""The names that the scaler has for the numbers of ITU-T H.273."""
_FULL_RANGE: Final = 2
_FROM_HDR: Final = (
    "out_color_matrix=bt709:out_transfer=bt709:out_primaries=bt709:out_range=tv:intent=perceptual"
)
_TURNS: Final = {90: ("transpose=cclock",), 180: ("hflip", "vflip"), 270: ("transpose=clock",)}

Size = tuple[int, int]


def film_size(part: Part) -> Size:
    """Width and height of a film that begins with this part: even, as H.264 wants them."""
    width, height = part.width, part.height
    scale = min(1.0, (MAX_PIXELS / (width * height)) ** 0.5)
    return _even(width * scale), _even(height * scale)


def _even(side: float) -> int:
    return max(MIN_SIDE, 2 * round(side / 2))


def fitted_size(width: int, height: int, film: Size) -> Size:
    """The size of a picture of this shape in the film: as large as possible, never stretched."""
    scale = min(film[0] / width, film[1] / height)
    inner = min(film[0], _even(width * scale)), min(film[1], _even(height * scale))
    close = all(
        whole - side <= max(2, BAR_TOLERANCE * whole)
        for side, whole in zip(inner, film, strict=True)
    )
    return film if close else inner


def output_ranks(part: Part, rate: Fraction) -> list[int]:
    """The rank of the part's frame that each frame of the film shows."""
    count = max(1, round(part.seconds * rate))
    if count == part.kept:
        return list(range(part.first, part.last + 1))
    ranks, rank = list[int](), part.first
    begin = part.seconds_at(part.first)
    for number in range(count):
        # What is shown in the middle of the frame's time: a clock that rounds changes nothing.
        middle = begin + (number + Fraction(1, 2)) / rate
        while rank < part.last and part.seconds_at(rank + 1) <= middle:
            rank += 1
        ranks.append(rank)
    return ranks


def fitted_frames(part: Part, rate: Fraction, fitter: "Fitter") -> Generator[av.VideoFrame]:
    """Yield the part's frames as the film shows them; each may be the same as the one before."""
    ranks = output_ranks(part, rate)
    at = 0
    for rank, frame in decode_frames(part, ranks[0], ranks[-1]):
        if ranks[at] != rank:
            continue
        fitted = fitter.fit(frame, ratio=part.ratio)
        while at < len(ranks) and ranks[at] == rank:
            at += 1
            yield fitted


class Fitter:
    """Makes upright frames in 8 bits of one size, with bars where the shape differs."""

    def __init__(self, film: Size, *, matrix: int) -> None:
        self._film = film
        self._matrix = matrix if matrix in _MATRICES else _matrix_of(_UNKNOWN, film[1])
        self._key: tuple[object, ...] = ()
        self._graph: av.filter.Graph | None = None

    def fit(self, frame: av.VideoFrame, *, ratio: Fraction) -> av.VideoFrame:
        key = (
            *(frame.width, frame.height, frame.format.name, frame.rotation % 360, ratio),
            *(frame.colorspace, frame.color_range, frame.color_trc),
        )
        if key != self._key or self._graph is None:
            self._graph, self._key = self._build(frame, ratio), key
        frame.pts = 0
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _build(self, frame: av.VideoFrame, ratio: Fraction) -> av.filter.Graph:
        try:
            return self._link(frame, ratio, convert_hdr=int(frame.color_trc) in {_PQ, _HLG})
        except (FFmpegError, ValueError):  # a libav that does not convert these colours
            return self._link(frame, ratio, convert_hdr=False)

    def _link(self, frame: av.VideoFrame, ratio: Fraction, *, convert_hdr: bool) -> av.filter.Graph:
        turn = frame.rotation % 360
        width, height = square_size(frame, ratio)
        if turn % 180:
            width, height = height, width
        inner = fitted_size(width, height, self._film)
        scaled = inner[::-1] if turn % 180 else inner
        full = int(frame.color_range) == _FULL_RANGE or frame.format.name.startswith("yuvj")
        source = (
            f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}"
            f":time_base=1/1:pixel_aspect=1/1:colorspace={int(frame.colorspace)}"
            f":range={int(frame.color_range)}"
        )
        resize = f"w={scaled[0]}:h={scaled[1]}:flags=bicubic+accurate_rnd"
        to_film = f":out_color_matrix={_MATRICES[self._matrix]}:out_range=tv"
        steps = [("buffer", source)]
        if convert_hdr:
            # First the size: converting the colours takes ten times as long as encoding.
            steps += [("scale", resize), ("scale", _FROM_HDR)]
        elif frame.format.is_rgb:
            steps += [("scale", resize + to_film)]
        else:
            matrix = _MATRICES[_matrix_of(int(frame.colorspace), frame.height)]
            spoken = f":in_color_matrix={matrix}:in_range={'pc' if full else 'tv'}"
            steps += [("scale", resize + spoken + to_film)]
        pad = f"{self._film[0]}:{self._film[1]}:(ow-iw)/2:(oh-ih)/2:black"
        graph = av.filter.Graph()
        graph.threads = 2
        steps += [("format", "yuv420p")]
        steps += [tuple((*turned.split("="), "")[:2]) for turned in _TURNS.get(turn, ())]
        steps += [("pad", pad), ("setsar", "1"), ("buffersink", "")]
        nodes = [graph.add(name, arguments or None) for name, arguments in steps]
        graph.link_nodes(*nodes).configure()
        return graph


def _matrix_of(tag: int, lines: int) -> int:
    """The matrix of colours that a tag names, or that players take without one."""
    if tag in _MATRICES:
        return tag
    return _BT709 if lines >= HD_LINES else _SD


def open_encoder(
    container: Any,  # noqa: ANN401 - untyped in PyAV
    size: Size,
    rate: Fraction,
    look: tuple[int, int, int],
) -> Any:  # noqa: ANN401
    """The film's video track, with the colours of its first part."""
    codec = next(each for each in CODECS if each in av.codecs_available)
    large = size[0] * size[1] > _LARGE_PIXELS
    options = (_LARGE_OPTIONS if large else _OPTIONS) if codec == "libx264" else {}
    stream = container.add_stream(codec, rate=rate, options=options)
    stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
    context = stream.codec_context
    context.time_base = 1 / rate
    context.thread_type, context.thread_count = "AUTO", 2
    context.gop_size = max(1, round(rate * KEY_FRAME_SECONDS))
    if codec != "libx264":
        context.bit_rate = round(size[0] * size[1] * rate * BITS_PER_PIXEL)
    matrix, transfer, primaries = look
    if transfer in {_PQ, _HLG}:
        matrix = transfer = primaries = _BT709
    context.color_range = 1
    context.colorspace = matrix if matrix in _MATRICES else _UNKNOWN
    context.color_trc, context.color_primaries = transfer, primaries
    return stream


CODECS: Final = ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf", "mpeg4")
"""The first of these that libav was built with; wheels of PyAV have the first."""
KEY_FRAME_SECONDS: Final = 2
"""A film can be cut again without loss at each of its key frames."""
BITS_PER_PIXEL: Final = Fraction(1, 8)
"""For encoders without a constant quality: 8 Mbit/s for 1080p with 30 frames a second."""
_OPTIONS: Final = {"crf": "18", "preset": "veryfast"}
_LARGE_PIXELS: Final = 2560 * 1440
_LARGE_OPTIONS: Final = {**_OPTIONS, "rc-lookahead": "0", "bf": "0", "sliced-threads": "1"}
"""x264 would look ahead at ten frames, of which one in 4K takes 40 MB: with these it needs 250 MB
in all, half of the time, and half more room on the disk."""
