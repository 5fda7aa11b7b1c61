"""The typography of a video: a layout whose marks come and go.

Over somebody's picture every mark but the watermark is gone in the first and last frame,
so that shots can be joined; over a landscape, in the last one if it is wanted for that.
"""

from __future__ import annotations

from typing import Final

from geekai_video_mcp.sandbox.render.canvas import Planes
from geekai_video_mcp.sandbox.render.headline import Room, fit
from geekai_video_mcp.sandbox.render.layout import Layout, Look
from geekai_video_mcp.sandbox.render.overlay import Hairline, Show, Timecode
from geekai_video_mcp.sandbox.render.plan import Plan

_CAPTION_SIZES: Final = (32, 29, 26, 23, 21)


class Card(Layout):
    """Everything drawn over one video."""

    labels = ("SANDBOX PREVIEW · NOT A GENERATED VIDEO", "SANDBOX PREVIEW", "SANDBOX")

    def __init__(self, plan: Plan, look: Look, *, raqm: bool | None = None) -> None:
        self._plan = plan
        self._pace = plan.pace
        super().__init__(plan, look, raqm=raqm)

    def draw(self, planes: Planes, *, time: float, progress: float) -> None:
        super().draw(planes, time=time, progress=progress)
        self._hairline.draw(planes, time, progress)
        if self._timecode is not None:
            self._timecode.draw(planes, time)

    def _show(self, start: float, entering: float) -> Show:
        """Over a picture nothing is there before a third of a second."""
        start = max(start, 0.3) if self._look.still else start
        start, entering = start * self._pace, entering * self._pace
        if not self._look.clean_end:
            return Show(start, entering)
        last = self._plan.duration - 1 / self._plan.fps
        leaving = min(0.40 * self._pace, last / 3)
        return Show(start, entering, last - leaving - 0.02 * self._pace, leaving)

    def _specs(self) -> tuple[str, ...]:
        ratio, size, rate = self._shape(), self._size(), f"{self._plan.fps} fps"
        return (
            f"{self._model()}   {ratio}   {size}   {rate}",
            f"{ratio}   {size}   {rate}",
            f"{size}   {rate}",
            size,
            "",
        )

    def _foot(self) -> float:
        """Set timecode, duration, and the line that fills."""
        plan, margin, unit, small = self._plan, self._margin, self._unit, self._small
        show = self._show(0.2, 0.5)
        y = plan.height - margin - max(1, round(2 * unit))
        thickness = max(1, round(1.4 * unit))
        self._hairline = Hairline(
            left=margin, right=plan.width - margin, y=y, thickness=thickness, show=show
        )
        baseline = y - max(3, round(12 * unit))
        digits = {c: self._mono.mask(c, small) for c in "0123456789:"}
        advance = self._mono.width("0", small)
        tail = f"{plan.duration:g} s" + ("   audio" if plan.audio else "")
        tail_width = self._mono.width(tail, small)
        room = plan.width - 2 * margin
        self._timecode = (
            Timecode(digits, advance=advance, x=margin, baseline=baseline, fps=plan.fps, show=show)
            if 5 * advance <= room
            else None
        )
        if 5 * advance + small + tail_width <= room:
            x = plan.width - margin - tail_width
            self._put(self._mono, tail, small, x=x, baseline=baseline, show=show, opacity=0.86)
        return baseline - small - round(22 * unit)

    def _write(self, text: str) -> None:
        if self._look.still and self.typeset:
            self._caption(text)
        else:
            self._title(text)

    def _caption(self, text: str) -> None:
        plan = self._plan
        width = (plan.width - 2 * self._margin) * (0.98 if plan.height > plan.width else 0.66)
        room = Room(width, plan.height * 0.22, 3)
        block = fit(self._display, text, room, self._sizes(_CAPTION_SIZES), cjk=1.40, other=1.20)
        self._stack([block], gap=0)
