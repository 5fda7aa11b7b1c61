"""The text over an image: a layout without fades.

Over a landscape the prompt is the title, as in a video. An input image gets only the
label, because the result may be the first frame of a video.
"""

from __future__ import annotations

from geekai_sandbox.render.layout import Layout
from geekai_sandbox.render.overlay import FadeInterval


class Poster(Layout):
    """All text over one image."""

    labels = ("SANDBOX PREVIEW · NOT A GENERATED IMAGE", "SANDBOX PREVIEW", "SANDBOX")

    def _fade_interval(self, start: float, fade_in: float) -> FadeInterval:
        del start, fade_in  # everything is visible at once
        return FadeInterval()

    def _spec_parts(self) -> tuple[str, ...]:
        return self._model_text(), self._ratio_text(), self._size_text()

    def _place_footer(self) -> float:
        return self._page.height - self._margin

    def _place_prompt(self, text: str) -> None:
        if not self._backdrop.over_image:
            self._place_title(text)
