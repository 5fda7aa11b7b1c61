"""What a person sees while a task is under way: its state and how long it takes, on stderr.

At a terminal two lines are drawn anew by `rich`, which nothing else imports. Anywhere else each new
state is a line of text. What comes from outside is never read as markup, and has no control
characters.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast

from geekai_video_mcp.cli.output import print_notice
from geekai_video_mcp.quoting import sanitize

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

REFRESHES_PER_SECOND: Final = 4
LINE_SECONDS: Final = 30.0
"""Seconds after which a state that lasts is written once more where nothing can be drawn anew."""
BAR_CELLS: Final = 24
"""Cells of the bar of what is done."""


class State(NamedTuple):
    """How far a task is."""

    name: str
    """The status, in a word or a few."""
    elapsed: str
    note: str = ""
    """What else is to be known, such as how long it usually takes."""
    warning: str = ""
    """Why nothing new is learned of it, in sentences."""
    share: float | None = None
    """The share of it that is done, 0 to 1, where that is known."""

    @property
    def line(self) -> str:
        """The state as a line of text."""
        share = "" if self.share is None else f", {self.share:.0%}"
        note = f" ({self.note})" if self.note else ""
        warning = f". {self.warning}" if self.warning else ""
        return f"{self.name}{share}, {self.elapsed}{note}{warning}"


class Display(Protocol):
    """Shows one task while the block of `show_live` lasts."""

    def show(self, describe: Callable[[], State]) -> None:
        """Show what *describe* returns from now on; it is called again for each drawing."""
        ...


@contextmanager
def show_live(title: str) -> Generator[Display]:
    """Show *title*, text from outside, and below it the state of what is done."""
    shown = sanitize(title)
    if _can_draw():
        with _drawing(shown) as display:
            yield display
    else:
        yield _Lines(shown)


def _can_draw() -> bool:
    """Whether stderr is a terminal in which a cursor moves."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}


class _Lines:
    """A line for each new state, and for one that lasts."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._name = ""
        self._written_at = 0.0

    def show(self, describe: Callable[[], State]) -> None:
        state, now = describe(), time.monotonic()
        if state.name == self._name and now - self._written_at < LINE_SECONDS:
            return
        if not self._name:
            print_notice(self._title)
        self._name, self._written_at = state.name, now
        print_notice(state.line)


class _Drawing:
    """Two lines that are drawn anew, by a thread of `rich`."""

    def __init__(self, title: str) -> None:
        from rich.spinner import Spinner

        self._title = title
        self._describe: Callable[[], State] | None = None
        self._spinner = Spinner("line")  # of ASCII: not every terminal has the others

    def show(self, describe: Callable[[], State]) -> None:
        self._describe = describe

    def render(self) -> "RenderableType":
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        title = Text(self._title, no_wrap=True, overflow="ellipsis")
        if self._describe is None:
            return title
        state = self._describe()
        cells: list[RenderableType] = [self._spinner, Text(state.name, style="bold")]
        if state.share is not None:
            cells += [_bar(state.share), Text(f"{state.share:.0%}".rjust(4))]
        cells.append(Text(state.elapsed))
        if state.note:
            cells.append(Text(f"({state.note})"))
        row = Table.grid(padding=(0, 1))
        for number in range(len(cells)):
            row.add_column(no_wrap=number != 1)  # a long state is wrapped, and nothing else
        row.add_row(*cells)
        return Group(title, row, *([Text(state.warning)] if state.warning else []))


def _bar(share: float) -> "RenderableType":
    from rich.progress_bar import ProgressBar

    # Not in rich's own colours: on white, its dark grey would be what is done.
    return ProgressBar(
        total=1.0,
        completed=share,
        width=BAR_CELLS,
        style="dim",
        complete_style="green",
        finished_style="green",
    )


@contextmanager
def _drawing(title: str) -> Generator[Display]:
    from rich.console import Console
    from rich.live import Live

    display = _Drawing(title)
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    live = Live(
        console=console,
        get_renderable=display.render,
        refresh_per_second=REFRESHES_PER_SECOND,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with live, _logging_above(console):
        yield display


@contextmanager
def _logging_above(console: "Console") -> Generator[None]:
    """Have what is logged to stderr meanwhile appear above the drawing, which it would tear."""
    streaming = (one for one in logging.getLogger().handlers if hasattr(one, "setStream"))
    handlers = cast("Iterable[logging.StreamHandler[Any]]", streaming)
    moved = [handler for handler in handlers if handler.stream is sys.stderr]
    for handler in moved:
        handler.setStream(_Above(console))
    try:
        yield
    finally:
        for handler in moved:
            handler.setStream(sys.stderr)


class _Above:
    """A stream whose text is printed above what is drawn."""

    def __init__(self, console: "Console") -> None:
        self._console = console

    def write(self, text: str) -> int:
        from rich.text import Text

        if text.strip():
            self._console.print(Text(text.rstrip("\n")))
        return len(text)

    def flush(self) -> None:
        pass
