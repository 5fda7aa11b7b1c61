"""How a reliability program ends: one line, and a status that a Makefile understands."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from reliability.oracle import Verdict


def finish(summary: str, verdicts: Sequence[Verdict], folder: Path, *, covered: bool) -> NoReturn:
    """Print *summary*, then every violation; what a clean run wrote is removed.

    A run that was not *covered* killed too few to prove anything, and fails as well.
    """
    sys.stdout.write(summary + "\n")
    found = [verdict.violations for verdict in verdicts if verdict.violations]
    for violations in found:
        for kind, cases in violations.items():
            sys.stdout.writelines(f"  {kind}: {case}\n" for case in cases)
    if not covered:
        sys.stdout.write("  too few deaths came where they were meant to\n")
    if found or not covered:
        sys.stdout.write(f"  what was left behind is in {folder}\n")
        sys.exit(1)
    shutil.rmtree(folder)
    sys.exit(0)
