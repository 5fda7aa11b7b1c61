"""The end of a reliability program: one printed line and an exit status."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from reliability.oracle import Verdict


def finish(summary: str, verdicts: Sequence[Verdict], folder: Path, *, covered: bool) -> NoReturn:
    """Print *summary* and every violation, and exit; after a clean run, delete *folder*.

    A run that is not *covered* made too few kills to prove anything, and fails as well.
    """
    sys.stdout.write(summary + "\n")
    found = [verdict.violations for verdict in verdicts if verdict.violations]
    for violations in found:
        for kind, cases in violations.items():
            sys.stdout.writelines(f"  {kind}: {case}\n" for case in cases)
    if not covered:
        sys.stdout.write("  too few kills hit the intended moments\n")
    if found or not covered:
        sys.stdout.write(f"  the files of the run are in {folder}\n")
        sys.exit(1)
    shutil.rmtree(folder)
    sys.exit(0)
