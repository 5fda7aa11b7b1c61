"""Images and videos made for a test."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

if TYPE_CHECKING:
    from av.video.stream import VideoStream

CODECS: Final = {"mp4": "libx264", "webm": "libvpx-vp9"}
RED, BLUE = (200, 30, 40), (30, 40, 200)


def halves(width: int = 64, height: int = 48) -> Image.Image:
    """An image with a red left half and a blue right half."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image


def noise_image(width: int, height: int, *, channels: int = 3, seed: int = 7) -> Image.Image:
    """An image of noise, which compresses worst."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(pixels)


def encode_image(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:  # noqa: ANN401 - Pillow's own
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def rotated_jpeg(image: Image.Image, orientation: int) -> bytes:
    """A JPEG with an EXIF orientation and a camera's name."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "CANARY CAMERA"
    return encode_image(image, "JPEG", exif=exif, quality=95)


def make_video(frames: int = 24, *, form: str = "mp4") -> bytes:
    """A red video whose last frame, long after its last key frame, is blue."""
    colours = [BLUE if number == frames - 1 else RED for number in range(frames)]
    images = [np.full((48, 64, 3), colour, np.uint8) for colour in colours]
    return _encode_video(images, form, {"g": "250"})


def make_lossless_video(image: Image.Image) -> bytes:
    """A video of one frame, in which only the conversion of its colours loses anything."""
    return _encode_video([np.asarray(image)], "mp4", {"qp": "0"})


def _encode_video(
    images: Sequence[npt.NDArray[np.uint8]], form: str, options: dict[str, str]
) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream = cast(
            "VideoStream",
            container.add_stream(CODECS[form], rate=12, options=options),  # pyright: ignore[reportUnknownMemberType] - untyped in PyAV
        )
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for pixels in images:
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(frame))  # pyright: ignore[reportUnknownMemberType] - as above
        container.mux(stream.encode(None))  # pyright: ignore[reportUnknownMemberType] - as above
    return out.getvalue()


def decode_image(uri: str) -> Image.Image:
    """The image in a data URI."""
    image = Image.open(io.BytesIO(uri_bytes(uri)))
    image.load()
    return image


def uri_bytes(uri: str) -> bytes:
    """The bytes in a data URI."""
    return base64.b64decode(uri.partition(",")[2], validate=True)


def is_close(colour: Any, to: tuple[int, int, int], *, within: int = 12) -> bool:  # noqa: ANN401 - Pillow's own
    return all(abs(a - b) <= within for a, b in zip(colour, to, strict=True))


def write_file(folder: Path, name: str, content: bytes) -> Path:
    """Write a file, and create its folder if necessary."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path
