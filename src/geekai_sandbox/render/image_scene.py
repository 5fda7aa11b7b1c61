"""Image to video: a camera over an input image, and a cross-fade into a second one.

The first frame is the image itself, cover-fitted; with a tail, the last frame is the tail
itself. So the last frame of a shot can start the next one without a visible cut. If the
image is one of our posters, only the first frames show its text.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import numpy as np
from PIL import Image, ImageOps

from geekai_sandbox.render.camera import Pose, smootherstep
from geekai_sandbox.render.canvas import Planes
from geekai_sandbox.render.colour import BLACK_LEVEL, CHROMA_ZERO, Floats
from geekai_sandbox.render.fitted_image import FittedImage

MAX_PIXELS: Final = 64_000_000
"""Largest image that is decoded: 190 MiB as RGB, and more than phones send by default."""

KEPT_PIXELS: Final = 16_000_000
"""Pixels that are kept of a larger image: a 4K frame with the headroom for zooming in has 13."""

DECODED_BYTES: Final = 512 * 1024 * 1024
"""Bytes that decoding an image may take, with what its decoder keeps beside it."""

STORED_BYTES: Final = 4
"""Bytes of a pixel in Pillow, in RGB as well."""

STRIP_ROWS: Final = 512
"""Rows that are made opaque and scaled at once."""

CROSS_FADE: Final = (0.42, 0.74)
"""Start and end of the cross-fade to the tail, as fractions of the shot."""

LETTERING_FADE: Final = (0.02, 0.36)
"""Start and end of the fade of a poster's text, in seconds of a shot at normal pace."""


class InvalidImageError(Exception):
    """An input image that cannot be used; `field` is image or image_tail."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field


def load_image(path: Path, *, field: str) -> Image.Image:
    """Decode an image, upright, opaque and in RGB.

    Raises:
        InvalidImageError: it is not an image, is damaged, or has too many pixels.
    """
    try:
        with warnings.catch_warnings():
            # From 89 to 179 megapixels Pillow only warns; MAX_PIXELS is checked below.
            warnings.simplefilter("ignore")
            return _decode_image(path, field)
    except Image.DecompressionBombError as exc:
        raise InvalidImageError(field, "has too many pixels to decode.") from exc
    # Pillow's decoders raise any of these on damaged bytes, depending on the format.
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        IndexError,
        MemoryError,
        OverflowError,
    ) as exc:
        raise InvalidImageError(field, "is not an image that can be decoded.") from exc


def _decode_image(path: Path, field: str) -> Image.Image:
    with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as image:
        # Only the header has been read so far.
        pixels = image.width * image.height
        if pixels > MAX_PIXELS:
            raise InvalidImageError(field, f"has over {MAX_PIXELS // 1_000_000} million pixels.")
        kept = min(1.0, (KEPT_PIXELS / pixels) ** 0.5)
        size = max(1, round(image.width * kept)), max(1, round(image.height * kept))
        image.draft("RGB", size)
        stored = image.width * image.height * STORED_BYTES
        if stored + pixels * _decoder_bytes(image) > DECODED_BYTES:
            raise InvalidImageError(field, "takes too much memory to decode; send a smaller one.")
        image.load()
        flat = _flatten(image, size)
        ImageOps.exif_transpose(flat, in_place=True)
        return flat


def _decoder_bytes(image: Image.Image) -> int:
    """Bytes per pixel that a decoder keeps beside the image itself."""
    if image.format == "WEBP":
        return 12  # two canvases, and a copy
    return 6 if image.info.get("progressive") else 0  # all coefficients of a JPEG, of 16 bits each


def _flatten(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the image opaque, in RGB and in *size*, made strip by strip to save memory."""
    if image.mode == "RGB" and image.size == size and not image.has_transparency_data:
        return image
    flat = Image.new("RGB", size)
    scale = image.height / size[1]
    reach = math.ceil(3 * scale) + 1 if scale > 1 else 0
    step = max(1, int(STRIP_ROWS / scale))
    # Pillow clips sixteen bits to eight instead of scaling them.
    deep = image.mode.startswith(("I", "F"))
    brightest = cast("tuple[float, float]", image.getextrema())[1] if deep else 0.0
    for top in range(0, size[1], step):
        bottom = min(size[1], top + step)
        first = max(0, math.floor(top * scale) - reach)
        last = min(image.height, math.ceil(bottom * scale) + reach)
        strip = image.crop((0, first, image.width, last))
        strip = _scale_bits(strip, brightest) if deep else _lay_on_paper(strip)
        if strip.size != (size[0], bottom - top):
            box = (0.0, top * scale - first, strip.width, min(bottom * scale - first, strip.height))
            resized = (size[0], bottom - top)
            strip = strip.resize(resized, Image.Resampling.LANCZOS, box=box)
        flat.paste(strip, (0, top))
    flat.info = {name: image.info[name] for name in ("exif",) if name in image.info}
    return flat


def _scale_bits(image: Image.Image, brightest: float) -> Image.Image:
    full = 65535.0 if brightest > 255 else 255.0
    levels = np.asarray(image, np.float32) * (255.0 / full)
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8)).convert("RGB")


def _lay_on_paper(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    clear = image.convert("RGBA")
    paper = Image.new("RGBA", clear.size, "white")
    return Image.alpha_composite(paper, clear).convert("RGB")


class Shot:
    """The whole camera move over one image, or from one to another.

    *background* is the first image without the text on it, if it is a poster of ours.
    """

    def __init__(
        self,
        image: Image.Image,
        tail: Image.Image | None,
        *,
        width: int,
        height: int,
        margin: float,
        background: Image.Image | None = None,
    ) -> None:
        self._first = FittedImage(image, width, height, margin=margin)
        # A camera that comes closer is farther away from the tail before it arrives there.
        self._tail = FittedImage(tail, width, height) if tail is not None else None
        self._background = (
            FittedImage(background, width, height, margin=margin)
            if background is not None
            else self._first
        )

    def paint(
        self, planes: Planes, *, progress: float, seconds: float, pose: Pose, approach: Pose
    ) -> None:
        """Write the frame at *progress*; *seconds* are those of a shot at normal pace.

        *approach* is the pose of the tail, which is zero at the end.
        """
        bare = _interval_share(seconds, LETTERING_FADE)
        seen = _mix_views(self._first, pose, self._background, pose, bare)
        if self._tail is not None and (share := tail_share(progress)):
            seen = _mix_views(self._background, pose, self._tail, approach, share)
        for plane, source in zip(planes, seen, strict=True):
            plane[:] = source

    def edge_tints(self) -> tuple[Floats, Floats]:
        """Return dark tints of the image's top and bottom, for scrims."""
        return edge_tints([self._first] + ([self._tail] if self._tail is not None else []))


def edge_tints(images: Sequence[FittedImage]) -> tuple[Floats, Floats]:
    """Return dark tints of the top and the bottom of *images*, for scrims."""

    def tint(first: float, last: float) -> Floats:
        levels = [image.mean_level(first, last) for image in images]
        return _darken(np.mean(levels, axis=0).astype(np.float32))

    return tint(0.0, 0.15), tint(0.7, 1.0)


def tail_share(progress: float) -> float:
    """Return how much of the image of the last frame shows at *progress*, 0 to 1."""
    return _interval_share(progress, CROSS_FADE)


def _interval_share(moment: float, ends: tuple[float, float]) -> float:
    return smootherstep((moment - ends[0]) / (ends[1] - ends[0]))


def _mix_views(
    one: FittedImage, pose: Pose, other: FittedImage, coming: Pose, share: float
) -> Planes:
    """Return the views of two images, each in its pose, mixed with *share* of the *other*."""
    if share == 0 or (one is other and pose == coming):
        return one.render_view(pose)
    if share == 1:
        return other.render_view(coming)
    mixed = one.render_view(pose).copy()
    mix_planes(mixed, other.render_view(coming), share)
    return mixed


def mix_planes(planes: Planes, others: Planes, share: float) -> None:
    """Mix *share* of *others* into *planes*."""
    for plane, other in zip(planes, others, strict=True):
        plane[:] = np.asarray(Image.blend(Image.fromarray(plane), Image.fromarray(other), share))


def _darken(levels: Floats) -> Floats:
    y, u, v = (float(level) for level in levels)
    dark = (
        BLACK_LEVEL + (y - BLACK_LEVEL) * 0.16,
        *(CHROMA_ZERO + (c - CHROMA_ZERO) * 0.6 for c in (u, v)),
    )
    return np.array(dark, np.float32)
