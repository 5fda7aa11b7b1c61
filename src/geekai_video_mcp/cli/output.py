"""How commands print (results to stdout, everything else to stderr), and their exit statuses."""

import sys
from typing import Final

OK: Final = 0
FAILED: Final = 1
"""The task does not exist, or what the command was called for was refused or has failed."""
NOT_USABLE: Final = 2
"""The command line or the settings are invalid; the same as argparse's."""


def print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def print_notice(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
