"""The open descriptors of this process, to find those that were not closed."""

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

_FOLDER: Final = Path("/proc/self/fd")

needs_descriptors: Final = pytest.mark.skipif(
    not _FOLDER.is_dir(), reason="only Linux tells a process the names of its open files"
)


def open_descriptors() -> Counter[str]:
    """The target of each open descriptor: a path, a socket or a pipe."""
    targets: Counter[str] = Counter()
    for link in _FOLDER.iterdir():
        with suppress(FileNotFoundError):  # the descriptor that lists the folder
            targets[str(link.readlink())] += 1
    return targets


def open_files_in(folder: Path) -> list[str]:
    """The files in *folder*, at any depth, that this process has open."""
    return sorted(path for path in open_descriptors() if path.startswith(f"{folder}/"))
