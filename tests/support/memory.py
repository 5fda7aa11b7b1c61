"""A folder in memory for many short-lived ledgers, and one on a disk where that matters."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


def in_memory() -> str | None:
    """A folder in memory; None where the system has none."""
    shared = "/dev/shm"  # noqa: S108 - each user makes a folder of its own below it
    return shared if Path(shared).is_dir() else None


@contextmanager
def outside_dev(folder: Path) -> Generator[Path]:
    """*folder*, or one on a disk if it is below /dev, as files in memory are.

    No folder there is suggested for pictures.
    """
    if not folder.is_relative_to("/dev"):
        yield folder
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        yield Path(name).resolve()
