"""The typography of a picture: a layout that stands still.

Over a landscape it has the prompt for its title, as a video's first seconds have. A given
picture gets the label alone: it will be looked at, and may begin a video.
"""

from __future__ import annotations

from geekai_video_mcp.sandbox.render.layout import Layout
from geekai_video_mcp.sandbox.render.overlay import Show


class Poster(Layout):
    """Everything drawn over one picture."""

    labels = ("SANDBOX PREVIEW · NOT A GENERATED IMAGE", "SANDBOX PREVIEW", "SANDBOX")

    def _show(self, start: float, entering: float) -> Show:
        del start, entering  # it is all there from the start
        return Show()

    def _specs(self) -> tuple[str, ...]:
        ratio, size = self._shape(), self._size()
        return (f"{self._model()}   {ratio}   {size}", f"{ratio}   {size}", size, "")

    def _foot(self) -> float:
        return self._page.height - self._margin

    def _write(self, text: str) -> None:
        if not self._look.still:
            self._title(text)
