"""Remembers, beside a host's file, that `install` has made it, and which folders for it.

Without that, `uninstall` could not tell its own empty file from one that was there before. Where
the note cannot be written or read, a file and a folder stay.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

SUFFIX: Final = ".made-by-geekai-video-mcp"


def remember_created(file: Path, folders: list[Path]) -> None:
    """Note that *file*, and *folders* on the way to it, were not there before."""
    with suppress(OSError):
        _note(file).write_text(json.dumps([str(each) for each in folders]) + "\n", "utf-8")


def find_created(file: Path) -> list[Path] | None:
    """The folders made for *file*, the outermost first; None if it was there before."""
    with suppress(OSError, ValueError):
        folders: object = json.loads(_note(file).read_text("utf-8"))
        if isinstance(folders, list):
            ours = {str(each) for each in Path(os.path.realpath(file)).parents}
            named = cast("list[object]", folders)
            return [Path(each) for each in named if isinstance(each, str) and each in ours]
    return None


def forget_created(file: Path) -> None:
    with suppress(OSError):
        _note(file).unlink()


def _note(file: Path) -> Path:
    return file.with_name(file.name + SUFFIX)
