"""A place for many short-lived ledgers: what is tested there is no matter of disks."""

from pathlib import Path


def in_memory() -> str | None:
    """A folder whose files no disk has to sync; None where the system offers none."""
    shared = "/dev/shm"  # noqa: S108 - each user makes a folder of its own below it
    return shared if Path(shared).is_dir() else None
