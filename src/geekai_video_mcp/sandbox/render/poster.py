"""The typography of a picture: a layout that stands still.

Over a landscape it has the prompt for its title, as a video's first seconds have. A given
picture gets the label alone: it will be looked at, and may begin a video.
"""

from __future__ import annotations

from geekai_video_mcp.sandbox.render.layout import Layout
from geekai_video_mcp.sandbox.render.overlay import FadeInterval


class Poster(Layout):
    """Everything drawn over one picture."""

    labels = ("SANDBOX PREVIEW · NOT A GENERATED IMAGE", "SANDBOX PREVIEW", "SANDBOX")

    def _fade_interval(self, start: float, fade_in: float) -> FadeInterval:
        del start, fade_in  # it is all there from the start
        return FadeInterval()

    def _spec_variants(self) -> tuple[str, ...]:
        ratio, size = self._ratio_text(), self._size_text()
        return (f"{self._model_text()}   {ratio}   {size}", f"{ratio}   {size}", size, "")

    def _place_footer(self) -> float:
        return self._page.height - self._margin

    def _place_prompt(self, text: str) -> None:
        if not self._backdrop.over_image:
            self._place_title(text)
