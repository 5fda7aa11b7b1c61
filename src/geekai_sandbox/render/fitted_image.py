"""An image that fills the frame, and the part of it that a camera sees.

The camera's view is any part of the image, to a fraction of a pixel: at a slow pan, whole pixels
would show as steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from geekai_sandbox.render.camera import Pose
from geekai_sandbox.render.canvas import Planes
from geekai_sandbox.render.colour import U8, Floats
from geekai_sandbox.render.frames import image_to_planes
from geekai_sandbox.render.plan import Camera
from geekai_sandbox.render.scaling import SLACK, Window, find_window, scale_windows

TRACK: Final = 0.30
"""Fraction of the frame that the camera moves over the full horizontal or vertical axis: with half
of it, as in a preset, what is in the middle crosses a sixth of the frame, or a little more."""

TURN: Final = 0.30
"""The same for a turn, which also adds perspective."""

MAX_SHIFT: Final = 0.30
"""Largest distance of the view's centre from the image's, as a fraction of the frame."""

REACH_STEPS: Final = 18
"""Steps of the binary search for the view's size: within a hundredth of a pixel at 4K."""

LEAN: Final = 0.16
"""Perspective at the edge of the frame over the full axis of a turn."""

ROLL: Final = math.radians(14)
ZOOM: Final = 0.72
"""Zoom over the full axis: 1.36 for a preset, which is half of it."""

MARGIN: Final = 0.25
"""Border on every side, as a fraction of the image, which zooming out shows: the colours of the
edge, blurred. Mirrored, there would be a second face beside each."""

BLUR_CELLS: Final = 96
"""Pixels across the small image that is blurred."""

BLUR_SIGMA: Final = 3
"""Standard deviation of the blur, in these pixels."""

BLUR_REACH: Final = 0.015
"""Fraction of the width in which the image becomes its border."""

HEADROOM: Final = 1.25
"""Resolution kept for zooming in, relative to the frame, if the image has it."""

FINER: Final = 1.06
"""Resolution of the second canvas relative to the first. Where the whole pixels of one canvas do
not meet a view (at its own size, and at a third or a half more), those of the other do."""

CLOSE: Final = 0.04
"""Pixels by which a view may be off before the second canvas is tried."""

PADDING: Final = SLACK + 32
"""Pixels around each plane of a canvas: libav reads some bytes beyond what it scales."""

Homography = npt.NDArray[np.float64]


def cover_box(image: Image.Image, width: int, height: int) -> tuple[float, float, float, float]:
    """Return the part of *image* that fills width x height.

    Of one that is too high, it is the part around the upper third, where a portrait has its eyes:
    the middle would begin in the face.
    """
    scale = max(width / image.width, height / image.height)
    across, down = width / scale, height / scale
    left, top = (image.width - across) / 2, max(0.0, image.height / 3 - down / 2)
    return left, top, left + across, top + down


@dataclass(frozen=True, slots=True)
class _Canvas:
    """The image in one resolution, with a border."""

    inner: tuple[int, int]
    border: tuple[int, int]
    planes: tuple[U8, U8, U8]
    """Each with `PADDING` beyond the border."""

    @classmethod
    def make(cls, planes: Planes, margin: float) -> Self:
        height, width = planes.y.shape
        border = 2 * round(width * margin / 2), 2 * round(height * margin / 2)

        def pad(plane: U8, step: int) -> U8:
            across, down = border[0] // step + PADDING, border[1] // step + PADDING
            around = (down, down), (across, across)
            if margin:
                return _blur_border(np.pad(plane, around, "edge"), plane.shape)
            return np.pad(plane, around, "symmetric")

        padded = pad(planes.y, 1), pad(planes.u, 2), pad(planes.v, 2)
        return cls((width, height), border, padded)

    def pixel_matrix(self, view: Homography, index: int, size: tuple[int, int]) -> Homography:
        """Return *view* in pixels: from those of a plane of the frame to those of the canvas."""
        step = 1 + (index > 0)
        to_frame = _scale_matrix(1 / size[0], 1 / size[1])
        to_canvas = _shift_matrix(
            self.border[0] / step + PADDING, self.border[1] / step + PADDING
        ) @ _scale_matrix(self.inner[0] / step, self.inner[1] / step)
        total = to_canvas @ view @ to_frame
        return total / total[2, 2]


class FittedImage:
    """A cover-fitted image with a border, from which any view can be rendered.

    A *margin* of 0 is enough for a camera that does not zoom out, and a view is cut faster from
    less.
    """

    def __init__(
        self, image: Image.Image, width: int, height: int, *, margin: float = MARGIN
    ) -> None:
        self._frame = (width, height)
        box = cover_box(image, width, height)
        detail = min(HEADROOM, max(1.0, (box[2] - box[0]) / width))

        def scaled_size(scale: float) -> tuple[int, int]:
            return _round_even(width * scale), _round_even(height * scale)

        fitted = image.resize(self._frame, Image.Resampling.LANCZOS, box=box)
        self.exact = image_to_planes(fitted)
        finer = image.resize(scaled_size(detail * FINER), Image.Resampling.LANCZOS, box=box)
        planes = (
            self.exact
            if detail == 1.0
            else image_to_planes(finer.resize(scaled_size(detail), Image.Resampling.LANCZOS))
        )
        self._canvases = (
            _Canvas.make(planes, margin),
            _Canvas.make(image_to_planes(finer), margin),
        )

    def render_view(self, pose: Pose) -> Planes:
        """Return the frame that the camera sees in *pose*."""
        if pose == Pose():
            return self.exact
        view = homography(pose, self._frame[0] / self._frame[1])
        upright = np.allclose((view[0, 1], view[1, 0], view[2, 0], view[2, 1]), 0, atol=1e-9)
        render = self._render_upright if upright else self._render_turned
        return Planes(*render(view, 0), *render(view, 1, 2))

    def _render_upright(self, view: Homography, *indices: int) -> list[U8]:
        """Return these planes, all of one size."""
        size = self._plane_size(indices[0])
        found: list[tuple[float, _Canvas, Window, Window]] = []
        for canvas in self._canvases:
            matrix = canvas.pixel_matrix(view, indices[0], size)
            columns, rows = (
                find_window(
                    matrix[axis, 2] + matrix[axis, axis] / 2,
                    matrix[axis, axis],
                    count=size[axis],
                    size=canvas.planes[indices[0]].shape[1 - axis],
                )
                for axis in (0, 1)
            )
            found.append((max(columns.error, rows.error), canvas, rows, columns))
            if found[-1][0] <= CLOSE:
                break
        _, canvas, rows, columns = min(found, key=lambda each: each[0])
        return [scale_windows(canvas.planes[i], rows, columns, size=size) for i in indices]

    def _render_turned(self, view: Homography, *indices: int) -> list[U8]:
        """Return these planes, all of one size."""
        size, canvas = self._plane_size(indices[0]), self._canvases[0]
        data = canvas.pixel_matrix(view, indices[0], size).ravel()[:8].tolist()
        turned = (
            Image.fromarray(canvas.planes[i]).transform(
                size, Image.Transform.PERSPECTIVE, data=data, resample=Image.Resampling.BILINEAR
            )
            for i in indices
        )
        return [np.asarray(each) for each in turned]

    def _plane_size(self, index: int) -> tuple[int, int]:
        step = 1 + (index > 0)
        return self._frame[0] // step, self._frame[1] // step

    def mean_level(self, first: float, last: float) -> Floats:
        """Return the mean Y, U, V between two fractions of the height."""
        planes = self.exact
        rows = [plane[int(first * len(plane)) : max(1, int(last * len(plane)))] for plane in planes]
        return np.array([part.mean() for part in rows], np.float32)


def _blur_border(padded: U8, inner: tuple[int, ...]) -> U8:
    """Return *padded* blurred outside of the *inner* rows and columns in its middle."""
    sharp, (height, width) = Image.fromarray(padded), padded.shape
    cells = BLUR_CELLS, max(1, round(BLUR_CELLS * height / width))
    small = sharp.resize(cells, Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(BLUR_SIGMA))
    blurred = small.resize(sharp.size, Image.Resampling.BICUBIC)

    def fade_in(whole: int, kept: int) -> U8:
        beyond = np.abs(np.arange(whole) + 0.5 - whole / 2) - kept / 2
        return (beyond * (255 / (BLUR_REACH * width))).clip(0, 255).astype(np.uint8)

    mask = np.maximum(fade_in(width, inner[1])[None], fade_in(height, inner[0])[:, None])
    return np.array(Image.composite(blurred, sharp, Image.fromarray(mask)))


def margin_of(camera: Camera) -> float:
    """Return the margin that the views of *camera* need."""
    return MARGIN if camera.zoom < 0 else 0.0


def _round_even(length: float) -> int:
    return max(2, round(length) & ~1)


def _scale_matrix(x: float, y: float) -> Homography:
    return np.diag([x, y, 1.0])


def _shift_matrix(x: float, y: float) -> Homography:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def homography(pose: Pose, aspect: float) -> Homography:
    """Return the matrix from the frame to the image, both as unit squares.

    A move over the image zooms in as far as needed to keep the image's edge out of view.
    Only zooming out shows the border.
    """
    x, y = (
        _limit_shift(TRACK * pose.x + TURN * pose.yaw),
        _limit_shift(TRACK * pose.y + TURN * pose.pitch),
    )
    lean = np.array(
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [_perspective(pose.yaw), -_perspective(pose.pitch), 1.0]]
    )
    angle = ROLL * pose.roll
    cos, sin = math.cos(angle), math.sin(angle)
    spin = np.array([[cos, -sin / aspect, 0.0], [sin * aspect, cos, 0.0], [0.0, 0.0, 1.0]])
    turned = _shift_matrix(x, -y) @ spin @ lean
    wanted = 1 / (1 + ZOOM * pose.zoom) if pose.zoom >= 0 else _view_when_out(-pose.zoom)
    reach = _max_reach(turned, wanted, border=MARGIN if pose.zoom < 0 else 0.0)
    return (
        _shift_matrix(0.5, 0.5) @ turned @ _scale_matrix(reach, reach) @ _shift_matrix(-0.5, -0.5)
    )


def _view_when_out(zoom: float) -> float:
    """Return the size of a view that is zoomed out: slower and slower towards the border's end."""
    limit = 2 * MARGIN
    return 1 + limit * (1 - math.exp(-ZOOM * zoom / limit * _OUT_GAIN))


_OUT_GAIN: Final = 1.8
"""So that a preset zooms out as far as it zooms in, although the end is near."""


def _limit_shift(shift: float) -> float:
    """Return *shift* limited smoothly to MAX_SHIFT, so that every pose has a view."""
    return MAX_SHIFT * math.tanh(shift / MAX_SHIFT)


def _perspective(turn: float) -> float:
    return LEAN * math.tanh(turn)


_CORNERS: Final = np.array([[-0.5, 0.5, -0.5, 0.5], [-0.5, -0.5, 0.5, 0.5], [1.0] * 4])


def _max_reach(turned: Homography, wanted: float, *, border: float) -> float:
    """Return the largest view up to *wanted* whose corners are inside the bordered image."""

    def fits(reach: float) -> bool:
        seen = turned @ _scale_matrix(reach, reach) @ _CORNERS
        return bool(np.abs(seen[:2] / seen[2]).max() <= 0.5 + border)

    low, high = 0.0, wanted
    if fits(high):
        return high
    for _ in range(REACH_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
