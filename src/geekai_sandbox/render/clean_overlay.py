"""The text and graphics over a video: a layout whose elements fade in and out.

The last frame of every video is bare, the watermark included, because the next shot may begin
with it. Over an input image the first frame is the image alone, for the same reason.
"""

from __future__ import annotations

from typing import Final

from geekai_sandbox.render.canvas import Planes
from geekai_sandbox.render.headline import TextLimits, fit_text
from geekai_sandbox.render.layout import Backdrop, Layout
from geekai_sandbox.render.overlay import FadeInterval, ProgressLine, Timecode
from geekai_sandbox.render.plan import Plan

_CAPTION_SIZES: Final = (32, 29, 26, 23, 21)

_IMAGE_ALONE_SECONDS: Final = 0.40
"""Seconds for which an input image is shown without text, at normal pace. The text of a poster
has faded out by then (`image_scene.LETTERING_FADE`)."""

_FADE_OUT_SECONDS: Final = 0.40


class VideoOverlay(Layout):
    """Everything drawn over one video."""

    labels = ("SANDBOX PREVIEW · NOT A GENERATED VIDEO", "SANDBOX PREVIEW", "SANDBOX")

    def __init__(self, plan: Plan, backdrop: Backdrop, *, raqm: bool | None = None) -> None:
        self._plan = plan
        self._pace = plan.pace
        super().__init__(plan, backdrop, raqm=raqm)

    def draw(self, planes: Planes, *, time: float, progress: float) -> None:
        super().draw(planes, time=time, progress=progress)
        self._progress_line.draw(planes, time, progress)
        if self._timecode is not None:
            self._timecode.draw(planes, time)

    def _fade_interval(self, start: float, fade_in: float) -> FadeInterval:
        if self._backdrop.over_image:
            start = max(start, _IMAGE_ALONE_SECONDS)
        start, fade_in = start * self._pace, fade_in * self._pace
        last = self._plan.duration - 1 / self._plan.fps
        fade_out = min(_FADE_OUT_SECONDS * self._pace, last / 3)
        return FadeInterval(start, fade_in, last - fade_out - 0.02 * self._pace, fade_out)

    def _spec_parts(self) -> tuple[str, ...]:
        rate = f"{self._plan.fps} fps"
        return self._model_text(), self._ratio_text(), rate, self._size_text()

    def _place_footer(self) -> float:
        """Place the timecode, the duration and the progress line."""
        plan, margin, unit, label_size = self._plan, self._margin, self._unit, self._label_size
        fade = self._fade_interval(0.2, 0.5)
        y = plan.height - margin - max(1, round(2 * unit))
        thickness = max(1, round(1.4 * unit))
        self._progress_line = ProgressLine(
            left=margin, right=plan.width - margin, y=y, thickness=thickness, fade=fade
        )
        baseline = y - max(3, round(12 * unit))
        digits = {c: self._mono.rasterize(c, label_size) for c in "0123456789:"}
        advance = self._mono.width("0", label_size)
        tail = f"{plan.duration:g} s" + ("   audio" if plan.audio else "")
        tail_width = self._mono.width(tail, label_size)
        room = plan.width - 2 * margin
        self._timecode = (
            Timecode(digits, advance=advance, x=margin, baseline=baseline, fps=plan.fps, fade=fade)
            if 5 * advance <= room
            else None
        )
        if 5 * advance + label_size + tail_width <= room:
            x = plan.width - margin - tail_width
            self._place_line(
                self._mono, tail, label_size, x=x, baseline=baseline, fade=fade, opacity=0.86
            )
        return baseline - label_size - round(22 * unit)

    def _place_prompt(self, text: str) -> None:
        if self._backdrop.over_image and self.typeset:
            # A caption: a title would cover the image.
            plan, sizes = self._plan, self._scale_sizes(_CAPTION_SIZES)
            width = (plan.width - 2 * self._margin) * (0.98 if plan.height > plan.width else 0.66)
            room = TextLimits(width, plan.height * 0.22, 3)
            block = fit_text(self._display, text, room, sizes, cjk=1.40, other=1.20)
            self._place_blocks([block], gap=0)
        else:
            self._place_title(text)
