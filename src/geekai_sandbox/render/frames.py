"""Conversion and scaling between libav's frames, arrays and Pillow images.

Every conversion names BT.709 limited range explicitly: libav's default for RGB is BT.601,
which would shift every hue. Every conversion also rounds: libav's default cuts off, and each shot
of a chain would be a level or two darker than the one before it.
"""

from __future__ import annotations

from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from PIL import Image

from geekai_sandbox.render.canvas import Planes
from geekai_sandbox.render.colour import U8

BT709: Final = 1
"""The code of BT.709 in ISO/IEC 23091-2: matrix, primaries and transfer alike."""

LIMITED: Final = 1
"""libav's AVCOL_RANGE_MPEG."""

TO_RGB: Final = Interpolation.BICUBIC.value | 0x42000
"""SWS_FULL_CHR_H_INT and SWS_ACCURATE_RND, which alone would make everything two levels darker. In
numbers, because older versions of PyAV do not combine the names."""

FROM_RGB: Final = Interpolation.AREA.value | 0x44000
"""SWS_FULL_CHR_H_INP and SWS_ACCURATE_RND. The mean of each two by two pixels gives the colours of
a decoded frame back most exactly, so that a shot begins with those that the last one ended with."""


def make_frame(width: int, height: int) -> VideoFrame:
    frame = VideoFrame(width, height, "yuv420p")
    frame.color_range = LIMITED
    frame.colorspace = BT709
    return frame


def frame_planes(frame: VideoFrame) -> Planes:
    """Return views of *frame*'s memory: writing to them changes the frame."""
    return Planes(*(frame_plane(frame, i) for i in range(3)))


def frame_plane(frame: VideoFrame, index: int) -> U8:
    """Return a view of one plane of *frame*."""
    plane = frame.planes[index]
    # It has the buffer protocol, which its stub can only declare from Python 3.12 on.
    rows: U8 = np.frombuffer(cast("Any", plane), np.uint8)
    return rows.reshape(-1, plane.line_size)[: plane.height, : plane.width]


def image_to_planes(image: Image.Image) -> Planes:
    """Return the planes of an RGB image of even size."""
    source = VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
    frame = source.reformat(
        format="yuv420p",
        src_color_range=ColorRange.JPEG,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=FROM_RGB,
    )
    return frame_planes(frame).copy()


def frame_to_image(frame: VideoFrame) -> Image.Image:
    """Return *frame* as an RGB image."""
    shown = frame.reformat(
        format="rgb24",
        src_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=TO_RGB,
    )
    pixels: npt.NDArray[np.uint8] = np.asarray(shown.to_ndarray(), np.uint8)
    return Image.fromarray(pixels)


def enlarge_frame(frame: VideoFrame, width: int, height: int) -> VideoFrame:
    larger = frame.reformat(width, height, "yuv420p", interpolation=Interpolation.BICUBIC)
    larger.color_range, larger.colorspace = LIMITED, BT709
    return larger
