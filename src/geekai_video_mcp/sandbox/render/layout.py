"""What a video's card and a picture's poster have in common: what is written, where, how large.

Over a landscape the prompt is the title. Over somebody's picture it is a caption at most.
The preview is labelled on both. When a mark comes and goes is the card's matter.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np

from geekai_video_mcp.sandbox.render.canvas import Planes
from geekai_video_mcp.sandbox.render.colour import Floats, mix, rgb, yuv
from geekai_video_mcp.sandbox.render.fonts import DISPLAY, LABEL, MONO, Stack
from geekai_video_mcp.sandbox.render.headline import MOST_CHARACTERS, Block, Room, fit, split
from geekai_video_mcp.sandbox.render.lines import tidy
from geekai_video_mcp.sandbox.render.moods import MOODS
from geekai_video_mcp.sandbox.render.overlay import Ink, Scrim, Show, Veil
from geekai_video_mcp.sandbox.render.shaping import is_rtl
from geekai_video_mcp.sandbox.render.typesetter import Mask, Typesetter, raqm_available

NO_FONT: Final = "Prompt kept in the file metadata: no font here for its script"

PAPER: Final = "#FFFBF2"
SIGNAL: Final = "#FF5A3C"

_TITLE_SIZES: Final = (96, 88, 80, 72, 65, 59, 53, 48, 43, 39, 35, 32, 29, 26, 23)
_DECK_SHARES: Final = (0.46, 0.42, 0.38, 0.34, 0.30)
_SMALLEST_TEXT: Final = 9
"""Pixels; below this the serif's hairlines are gone."""


class Page(Protocol):
    """What a layout must know of a plan."""

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


@dataclass(frozen=True, slots=True)
class Look:
    """What the card must know of the picture below it."""

    top_tint: Floats
    bottom_tint: Floats
    still: bool
    """Over somebody's picture: a title there would not be ours to set."""

    clean_end: bool
    """Whether the last frame must be free of graphics."""

    @classmethod
    def over(cls, mood: str, *, clean_end: bool = False) -> Self:
        """Return the look of a landscape of our own."""
        palette = MOODS[mood]
        dark = rgb(palette.sheets[-1])
        return cls(
            top_tint=yuv(mix(rgb(palette.sky[0]), dark, 0.55)),
            bottom_tint=yuv(mix(dark, np.zeros(3), 0.25)),
            still=False,
            clean_end=clean_end,
        )


class Layout(ABC):
    """Everything drawn over one frame; its two kinds say what only they have.

    Attributes:
        labels: what every preview says of itself, longest first; the first that fits is used.
    """

    labels: tuple[str, ...]

    def __init__(self, page: Page, look: Look, *, raqm: bool | None = None) -> None:
        self._page, self._look = page, look
        raqm = raqm_available() if raqm is None else raqm
        self._display = Typesetter(Stack(DISPLAY), raqm)
        self._label = Typesetter(Stack(LABEL, system=False), raqm)
        self._mono = Typesetter(Stack(MONO, system=False), raqm)
        self._unit = page.height / 720 if page.width >= page.height else page.width / 620
        self._margin = round((56 if page.width >= page.height else 44) * self._unit)
        self._small = max(8, round(13.5 * self._unit))
        self._inks: list[Ink] = []
        self._scrims: list[Scrim] = []
        text = tidy(page.prompt[: 4 * MOST_CHARACTERS])[:MOST_CHARACTERS]
        self.typeset = self._display.can_set(text)
        self._compose(text)

    def draw(self, planes: Planes, *, time: float, progress: float) -> None:
        """Draw what is on screen at *time* seconds, *progress* (0 to 1) through the shot."""
        del progress
        for scrim in self._scrims:
            scrim.draw(planes, time)
        for ink in self._inks:
            ink.draw(planes, time)

    @property
    def head_height(self) -> int:
        """Rows that the label and what stands beside it may darken or ink; the rest is below."""
        return int(self._margin * 2.6) + 2 * self._small

    def inked_boxes(self) -> list[tuple[int, int, int, int]]:
        """Return top, left, bottom and right of every mark's ink, for whoever checks the layout."""
        return [ink.box() for ink in self._inks]

    def _compose(self, text: str) -> None:
        self._top_row()
        self._floor = self._foot()
        self._write(text)
        self._veil_top()
        if self._page.watermark:
            self._mark()

    @abstractmethod
    def _show(self, start: float, entering: float) -> Show:
        """Return a time on screen from what each mark would like, in seconds."""

    @abstractmethod
    def _specs(self) -> tuple[str, ...]:
        """Return what is said at the right of the top row, longest first; the first that fits."""

    @abstractmethod
    def _foot(self) -> float:
        """Set what stands at the bottom; return the lowest row for type above it."""

    @abstractmethod
    def _write(self, text: str) -> None:
        """Set the prompt, in whatever way there is room for it."""

    def _put(
        self,
        setter: Typesetter,
        line: str,
        size: int,
        *,
        x: float,
        baseline: float,
        show: Show,
        opacity: float = 1.0,
        tracking: float = 0.0,
        rise: float = 0.0,
    ) -> None:
        mask = setter.mask(line, size, tracking=tracking)
        ink = Ink(mask, x=x, y=baseline, colour=PAPER, opacity=opacity, show=show, rise=rise)
        self._inks.append(ink)

    # The top row: a red dot, the label, the specification.

    def _top_row(self) -> None:
        page, small, margin = self._page, self._small, self._margin
        tracking, indent = small * 0.14, small * 1.15
        room = page.width - 2 * margin - indent
        label = self._first_fitting(self._label, self.labels, room, tracking)
        show = self._show(0.0, 0.4 if self._look.still else 0.0)
        baseline = margin + small * 0.36
        self._dot(show, baseline)
        self._put(
            self._label,
            label,
            small,
            x=margin + indent,
            baseline=baseline,
            show=show,
            tracking=tracking,
        )
        used = self._label.width(label, small, tracking=tracking) + small * 2
        spec = self._first_fitting(self._mono, self._specs(), room - used, 0.0)
        if spec:
            x = page.width - margin - self._mono.width(spec, small)
            self._put(
                self._mono,
                spec,
                small,
                x=x,
                baseline=baseline,
                show=self._show(0.2, 0.5),
                opacity=0.86,
            )

    def _first_fitting(
        self, setter: Typesetter, lines: tuple[str, ...], room: float, tracking: float
    ) -> str:
        widths = ((line, setter.width(line, self._small, tracking=tracking)) for line in lines)
        return next((line for line, width in widths if width <= room), lines[-1])

    def _shape(self) -> str:
        page = self._page
        common = math.gcd(page.width, page.height)
        across, down = page.width // common, page.height // common
        # 64: beyond, the two numbers of a ratio say less than its quotient.
        exact = max(across, down) <= 64
        return f"{across}:{down}" if exact else f"{page.width / page.height:.2f}:1"

    def _size(self) -> str:
        return f"{self._page.width} × {self._page.height}"

    def _model(self) -> str:
        return tidy(self._page.model)[:32]

    def _dot(self, show: Show, baseline: float) -> None:
        size = max(5, round(self._small * 0.56))
        centre = (np.arange(size, dtype=np.float32) + 0.5) - size / 2
        away = np.hypot(centre[None], centre[:, None])
        alpha = np.clip(size / 2 - away + 0.5, 0, 1).astype(np.float32)
        # Centred on the capitals, whose height is 0.73 of Inter's size.
        y = baseline - 0.365 * self._small - size / 2
        ink = Ink(
            Mask(alpha, 0, 0), x=self._margin, y=y, colour=SIGNAL, opacity=1.0, show=show, rise=0.0
        )
        self._inks.append(ink)

    def _mark(self) -> None:
        size, line = max(9, round(17 * self._unit)), "SANDBOX"
        tracking = size * 0.22
        x = self._page.width - self._margin - self._label.width(line, size, tracking=tracking)
        baseline = self._margin + self._small * 0.36 + size * 2.1
        self._put(
            self._label,
            line,
            size,
            x=x,
            baseline=baseline,
            show=Show(),
            opacity=0.55,
            tracking=tracking,
        )

    # The middle: a title, a caption, or an honest line instead.

    def _sizes(self, sizes: tuple[float, ...]) -> list[int]:
        return list(dict.fromkeys(max(_SMALLEST_TEXT, round(size * self._unit)) for size in sizes))

    def _title(self, text: str) -> None:
        if not self.typeset:
            self._apologise(text)
            return
        page, unit = self._page, self._unit
        tall = page.height > page.width
        head, rest = split(text)
        width = (page.width - 2 * self._margin) * (0.98 if tall else 0.76)
        # A deck under it leaves the headline two thirds of the height.
        height = page.height * (0.42 if tall else 0.44)
        long = len(head) > 2 * 55
        sizes = self._sizes(_TITLE_SIZES[5:] if long else _TITLE_SIZES)
        most = (9 if long else 5) if tall else (6 if long else 3)
        room = Room(width, height * (0.66 if rest else 1.0), most)
        title = fit(self._display, head, room, sizes, cjk=1.28, other=1.18 if long else 1.05)
        blocks = [title]
        if rest:
            deck_sizes = [
                max(round(18 * unit), _SMALLEST_TEXT, round(title.size * share))
                for share in _DECK_SHARES
            ]
            deck_room = Room(width * 0.94, height * (0.62 if tall else 0.36), 9 if tall else 4)
            blocks.append(
                fit(
                    self._display,
                    rest,
                    deck_room,
                    list(dict.fromkeys(deck_sizes)),
                    cjk=1.44,
                    other=1.26,
                )
            )
        self._stack(blocks, gap=round(title.size * 0.16))

    def _stack(self, blocks: list[Block], *, gap: int) -> None:
        """Set *blocks* one above the other, their last line on the floor."""
        top = self._floor - sum(block.height for block in blocks) - gap * (len(blocks) - 1)
        self._veil_bottom(
            top, mirrored=any(is_rtl(block.lines[0]) for block in blocks if block.lines)
        )
        entrance, y = 0, top
        for depth, block in enumerate(blocks):
            for line in block.lines:
                y += block.spacing
                baseline = y - block.spacing + block.size * 0.92
                start = 0.25 + 0.13 * entrance
                self._put(
                    self._display,
                    line,
                    block.size,
                    x=self._line_start(line, block.size),
                    baseline=baseline,
                    show=self._show(start, 1.0),
                    opacity=1.0 if depth == 0 else 0.90,
                    rise=block.size * 0.30,
                )
                entrance += 1
            y += gap

    def _line_start(self, line: str, size: int) -> float:
        if is_rtl(line):
            return self._page.width - self._margin - self._display.width(line, size)
        return self._margin

    def _apologise(self, text: str) -> None:
        if not text:
            return
        size = max(_SMALLEST_TEXT, round(self._small * 1.2))
        room = Room(self._page.width - 2 * self._margin, self._page.height * 0.2, 3)
        block = fit(self._label, NO_FONT, room, [size, _SMALLEST_TEXT], cjk=1.4, other=1.4)
        top = self._floor - block.height
        self._veil_bottom(top, mirrored=False)
        for i, line in enumerate(block.lines):
            baseline = top + i * block.spacing + block.size
            show = self._show(0.3, 0.8)
            self._put(
                self._label,
                line,
                block.size,
                x=self._margin,
                baseline=baseline,
                show=show,
                opacity=0.92,
            )

    # Veils, so that light type stands on dark whatever is below.

    def _veil_bottom(self, top: float, *, mirrored: bool) -> None:
        page = self._page
        clear = max(0, int(top - page.height * 0.16))
        full = clear + max(2, int((page.height - clear) * 0.62))
        aside = 0.36 if page.width > page.height else 0.80
        veil = Veil(clear, full, strength=0.66, aside=aside, mirrored=mirrored)
        self._veil(veil, self._look.bottom_tint, self._show(0.0, 0.8))

    def _veil_top(self) -> None:
        entering = 0.5 if self._look.still else 0.0
        self._veil(
            Veil(self.head_height, 0, strength=0.50), self._look.top_tint, self._show(0.0, entering)
        )

    def _veil(self, veil: Veil, tint: Floats, show: Show) -> None:
        size = (self._page.width, self._page.height)
        self._scrims.append(Scrim(veil, size=size, tint=tint, show=show))
