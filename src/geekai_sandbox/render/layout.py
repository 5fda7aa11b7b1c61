"""The common layout of a video's overlay and an image's poster: texts, positions, sizes.

Over a landscape the prompt is the title; over an input image it is at most a caption.
Both are labelled as a preview. The subclasses decide when an element is visible.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np

from geekai_sandbox.render.canvas import Planes
from geekai_sandbox.render.colour import Floats, mix, rgb, yuv
from geekai_sandbox.render.fonts import DISPLAY, LABEL, MONO, FontStack
from geekai_sandbox.render.headline import (
    MAX_CHARACTERS,
    TextBlock,
    TextLimits,
    fit_text,
    split_headline,
)
from geekai_sandbox.render.lines import normalize_text
from geekai_sandbox.render.moods import find_mood
from geekai_sandbox.render.overlay import FadeInterval, Scrim, ScrimShape, TextSprite
from geekai_sandbox.render.ratios import name_ratio
from geekai_sandbox.render.shaping import is_rtl
from geekai_sandbox.render.typesetter import Mask, Typesetter, raqm_available

MISSING_FONT_NOTICE: Final = "Prompt kept in the file metadata: no font here for its script"

PAPER: Final = "#FFFBF2"
SIGNAL: Final = "#FF5A3C"

_TITLE_SIZES: Final = (96, 88, 80, 72, 65, 59, 53, 48, 43, 39, 35, 32, 29, 26, 23)
_DECK_SHARES: Final = (0.46, 0.42, 0.38, 0.34, 0.30)
_SMALLEST_TEXT: Final = 9
"""Pixels; below this the hairlines of the serif are not visible."""


class Page(Protocol):
    """The fields of a plan that a layout needs."""

    @property
    def prompt(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def watermark(self) -> bool: ...
    @property
    def take(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Backdrop:
    """What a layout must know about the picture below it."""

    top_tint: Floats
    bottom_tint: Floats
    over_image: bool
    """Whether the picture is an input image, which must not be covered by a title."""

    @classmethod
    def for_landscape(cls, mood: str) -> Self:
        """Return the backdrop of a rendered landscape."""
        palette = find_mood(mood)
        dark = rgb(palette.layer_colours[-1])
        return cls(
            top_tint=yuv(mix(rgb(palette.sky[0]), dark, 0.55)),
            bottom_tint=yuv(mix(dark, np.zeros(3), 0.25)),
            over_image=False,
        )


class Layout(ABC):
    """All text and graphics over one frame; the base of VideoOverlay and Poster.

    Attributes:
        labels: the preview label, longest first; the first that fits is used.
    """

    labels: tuple[str, ...]

    def __init__(self, page: Page, backdrop: Backdrop, *, raqm: bool | None = None) -> None:
        self._page, self._backdrop = page, backdrop
        raqm = raqm_available() if raqm is None else raqm
        self._display = Typesetter(FontStack(DISPLAY), raqm)
        self._label = Typesetter(FontStack(LABEL, system=False), raqm)
        self._mono = Typesetter(FontStack(MONO, system=False), raqm)
        self._unit = page.height / 720 if page.width >= page.height else page.width / 620
        self._margin = round((56 if page.width >= page.height else 44) * self._unit)
        self._label_size = max(8, round(13.5 * self._unit))
        self._sprites: list[TextSprite] = []
        self._scrims: list[Scrim] = []
        text = normalize_text(page.prompt[: 4 * MAX_CHARACTERS])[:MAX_CHARACTERS]
        self.typeset = self._display.can_set(text)
        # Of the whole prompt: a line that begins with a name in Latin letters turns nothing.
        self._rtl = is_rtl(text)
        self._place_top_row()
        self._floor = self._place_footer()
        self._place_prompt(text)
        self._shade_top()
        if page.watermark:
            self._place_watermark()

    def draw(self, planes: Planes, *, time: float, progress: float) -> None:
        """Draw what is on screen at *time* seconds, *progress* (0 to 1) through the shot."""
        del progress
        for scrim in self._scrims:
            scrim.draw(planes, time)
        for sprite in self._sprites:
            sprite.draw(planes, time)

    @property
    def header_height(self) -> int:
        """Number of rows at the top that the label row may darken or draw on."""
        return int(self._margin * 2.6) + 2 * self._label_size

    def sprite_boxes(self) -> list[tuple[int, int, int, int]]:
        """Return top, left, bottom and right of every sprite's visible pixels, for tests."""
        return [sprite.bounding_box() for sprite in self._sprites]

    @abstractmethod
    def _fade_interval(self, start: float, fade_in: float) -> FadeInterval:
        """Return when an element is visible, from its preferred times in seconds."""

    @abstractmethod
    def _spec_parts(self) -> tuple[str, ...]:
        """Return the facts at the right of the top row; a narrow one leaves out the first."""

    @abstractmethod
    def _place_footer(self) -> float:
        """Place the elements at the bottom; return the lowest row for the text above them."""

    @abstractmethod
    def _place_prompt(self, text: str) -> None:
        """Place the prompt."""

    def _place_line(
        self,
        typesetter: Typesetter,
        line: str,
        size: int,
        *,
        x: float,
        baseline: float,
        fade: FadeInterval,
        opacity: float = 1.0,
        tracking: float = 0.0,
        rise: float = 0.0,
        rtl: bool | None = None,
    ) -> None:
        mask = typesetter.rasterize(line, size, tracking=tracking, rtl=rtl)
        sprite = TextSprite(
            mask, x=x, y=baseline, colour=PAPER, opacity=opacity, fade=fade, rise=rise
        )
        self._sprites.append(sprite)

    # The top row: a red dot, the label, the specification.

    def _place_top_row(self) -> None:
        page, label_size, margin = self._page, self._label_size, self._margin
        tracking, indent = label_size * 0.14, label_size * 1.15
        limits = page.width - 2 * margin - indent
        label = self._choose_fitting(self._label, self.labels, limits, tracking)
        fade = self._fade_interval(0.0, 0.4 if self._backdrop.over_image else 0.0)
        baseline = margin + label_size * 0.36
        self._place_dot(fade, baseline)
        self._place_line(
            self._label,
            label,
            label_size,
            x=margin + indent,
            baseline=baseline,
            fade=fade,
            tracking=tracking,
        )
        used = self._label.width(label, label_size, tracking=tracking) + label_size * 2
        spec = self._choose_fitting(self._mono, self._spec_variants(), limits - used, 0.0)
        if spec:
            x = page.width - margin - self._mono.width(spec, label_size)
            self._place_line(
                self._mono,
                spec,
                label_size,
                x=x,
                baseline=baseline,
                fade=self._fade_interval(0.2, 0.5),
                opacity=0.86,
            )

    def _choose_fitting(
        self, typesetter: Typesetter, lines: tuple[str, ...], limits: float, tracking: float
    ) -> str:
        widths = (
            (line, typesetter.width(line, self._label_size, tracking=tracking)) for line in lines
        )
        return next((line for line, width in widths if width <= limits), lines[-1])

    def _spec_variants(self) -> tuple[str, ...]:
        parts = self._spec_parts()
        if self._page.take:
            parts = (*parts, f"take {self._page.take + 1}")
        return tuple("   ".join(parts[start:]) for start in range(len(parts) + 1))

    def _ratio_text(self) -> str:
        return name_ratio(self._page.width, self._page.height)

    def _size_text(self) -> str:
        return f"{self._page.width} × {self._page.height}"

    def _model_text(self) -> str:
        return normalize_text(self._page.model)[:32]

    def _place_dot(self, fade: FadeInterval, baseline: float) -> None:
        size = max(5, round(self._label_size * 0.56))
        centre = (np.arange(size, dtype=np.float32) + 0.5) - size / 2
        away = np.hypot(centre[None], centre[:, None])
        alpha = np.clip(size / 2 - away + 0.5, 0, 1).astype(np.float32)
        # Centred on the capitals, whose height is 0.73 of Inter's size.
        y = baseline - 0.365 * self._label_size - size / 2
        sprite = TextSprite(
            Mask(alpha, 0, 0), x=self._margin, y=y, colour=SIGNAL, opacity=1.0, fade=fade, rise=0.0
        )
        self._sprites.append(sprite)

    def _place_watermark(self) -> None:
        size, line = max(9, round(17 * self._unit)), "SANDBOX"
        tracking = size * 0.22
        x = self._page.width - self._margin - self._label.width(line, size, tracking=tracking)
        baseline = self._margin + self._label_size * 0.36 + size * 2.1
        self._place_line(
            self._label,
            line,
            size,
            x=x,
            baseline=baseline,
            fade=self._fade_interval(0.0, 0.4 if self._backdrop.over_image else 0.0),
            opacity=0.55,
            tracking=tracking,
        )

    # The middle: a title, a caption, or a notice that there is no font for the prompt.

    def _scale_sizes(self, sizes: tuple[float, ...]) -> list[int]:
        return list(dict.fromkeys(max(_SMALLEST_TEXT, round(size * self._unit)) for size in sizes))

    def _place_title(self, text: str) -> None:
        if not self.typeset:
            self._show_missing_font_notice(text)
            return
        page, unit = self._page, self._unit
        tall = page.height > page.width
        head, rest = split_headline(text)
        width = (page.width - 2 * self._margin) * (0.98 if tall else 0.76)
        # With a deck, the headline gets two thirds of the height.
        height = page.height * (0.42 if tall else 0.44)
        long = len(head) > 2 * 55
        sizes = self._scale_sizes(_TITLE_SIZES[5:] if long else _TITLE_SIZES)
        max_lines = (9 if long else 5) if tall else (6 if long else 3)
        limits = TextLimits(width, height * (0.66 if rest else 1.0), max_lines)
        title = fit_text(self._display, head, limits, sizes, cjk=1.28, other=1.18 if long else 1.05)
        blocks = [title]
        if rest:
            deck_sizes = [
                max(round(18 * unit), _SMALLEST_TEXT, round(title.size * share))
                for share in _DECK_SHARES
            ]
            deck_limits = TextLimits(
                width * 0.94, height * (0.62 if tall else 0.36), 9 if tall else 4
            )
            blocks.append(
                fit_text(
                    self._display,
                    rest,
                    deck_limits,
                    list(dict.fromkeys(deck_sizes)),
                    cjk=1.44,
                    other=1.26,
                )
            )
        self._place_blocks(blocks, gap=round(title.size * 0.16))

    def _place_blocks(self, blocks: list[TextBlock], *, gap: int) -> None:
        """Place *blocks* one above the other, ending at the footer."""
        top = self._floor - sum(block.height for block in blocks) - gap * (len(blocks) - 1)
        self._shade_bottom(top, mirrored=self._rtl)
        entrance, y = 0, top
        for depth, block in enumerate(blocks):
            for line in block.lines:
                y += block.spacing
                baseline = y - block.spacing + block.size * 0.92
                start = 0.25 + 0.13 * entrance
                self._place_line(
                    self._display,
                    line,
                    block.size,
                    x=self._line_start(line, block.size),
                    baseline=baseline,
                    fade=self._fade_interval(start, 1.0),
                    opacity=1.0 if depth == 0 else 0.90,
                    rise=block.size * 0.30,
                    rtl=self._rtl,
                )
                entrance += 1
            y += gap

    def _line_start(self, line: str, size: int) -> float:
        if self._rtl:
            return self._page.width - self._margin - self._display.width(line, size, rtl=True)
        return self._margin

    def _show_missing_font_notice(self, text: str) -> None:
        if not text:
            return
        size = max(_SMALLEST_TEXT, round(self._label_size * 1.2))
        limits = TextLimits(self._page.width - 2 * self._margin, self._page.height * 0.2, 3)
        block = fit_text(
            self._label, MISSING_FONT_NOTICE, limits, [size, _SMALLEST_TEXT], cjk=1.4, other=1.4
        )
        top = self._floor - block.height
        self._shade_bottom(top, mirrored=False)
        for i, line in enumerate(block.lines):
            baseline = top + i * block.spacing + block.size
            fade = self._fade_interval(0.3, 0.8)
            self._place_line(
                self._label,
                line,
                block.size,
                x=self._margin,
                baseline=baseline,
                fade=fade,
                opacity=0.92,
            )

    # Scrims, so that light text is on a dark ground.

    def _shade_bottom(self, top: float, *, mirrored: bool) -> None:
        page = self._page
        clear = max(0, int(top - page.height * 0.16))
        full = clear + max(2, int((page.height - clear) * 0.62))
        far_edge = 0.36 if page.width > page.height else 0.80
        shape = ScrimShape(clear, full, strength=0.66, far_edge=far_edge, mirrored=mirrored)
        self._add_scrim(shape, self._backdrop.bottom_tint, self._fade_interval(0.0, 0.8))

    def _shade_top(self) -> None:
        fade_in = 0.5 if self._backdrop.over_image else 0.0
        self._add_scrim(
            ScrimShape(self.header_height, 0, strength=0.50),
            self._backdrop.top_tint,
            self._fade_interval(0.0, fade_in),
        )

    def _add_scrim(self, shape: ScrimShape, tint: Floats, fade: FadeInterval) -> None:
        size = (self._page.width, self._page.height)
        self._scrims.append(Scrim(shape, size=size, tint=tint, fade=fade))
