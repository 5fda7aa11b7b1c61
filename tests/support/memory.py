"""A folder in memory for many short-lived ledgers, where the disk does not matter."""

from pathlib import Path


def in_memory() -> str | None:
    """A folder in memory; None where the system has none."""
    shared = "/dev/shm"  # noqa: S108 - each user makes a folder of its own below it
    return shared if Path(shared).is_dir() else None
