"""Ctrl-C before a command has begun its work: the process ends at once.

A third of a second to several go by in imports. Python's own answer to the signal would be a stack
trace; it loses the signal in a callback of C, and `python -m` ends by it, whatever was caught, if
it came while a string was executed (`dataclasses` does that). This module is imported before
everything else and imports nothing that the command line does not import as well.
"""

import os
import signal
import sys
from contextlib import suppress
from types import FrameType

INTERRUPTED = 130
"""Exit status after Ctrl-C, by the convention of shells; and after Ctrl-D at a question."""
NOTHING_SENT = "Stopped. Nothing was sent. Nothing was charged."
_MAKING = ("generate", "image")
"""The commands of which a person may fear that they have paid already."""


def end_at_once_on_interrupt() -> None:
    """Have Ctrl-C end the process until `leave_interrupts_to_python`; for the main thread."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it may be ignored
        signal.signal(signal.SIGINT, _end)


def leave_interrupts_to_python() -> None:
    """Have Ctrl-C raise KeyboardInterrupt again, which a command can catch."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(_: int, __: "FrameType | None") -> None:
    if sys.argv[1:2] and sys.argv[1] in _MAKING:
        with suppress(OSError):
            os.write(2, f"\n{NOTHING_SENT}\n".encode())  # sys.stderr may be at work just now
    os._exit(INTERRUPTED)
