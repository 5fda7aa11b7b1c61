"""A host's file, read and replaced as a whole: the old one stays beside it as a backup.

The file is other people's. Its byte order mark, mode and owner stay, a symbolic link stays one,
and whatever fails leaves it as it was.
"""

import itertools
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, NoReturn

from geekai_video_mcp.errors import HostError, describe_os_error
from geekai_video_mcp.quoting import quote

BOM: Final = "\ufeff"
MAX_BYTES: Final = 64 * 1024 * 1024
"""More than any configuration has; Claude Code's own file grows to several megabytes."""
PRIVATE: Final = 0o600
"""Of a new file: other servers' keys may be added to it later."""


@dataclass(frozen=True)
class Content:
    """What a file holds."""

    raw: bytes
    text: str
    """Without a byte order mark."""


def read_file(path: Path) -> Content | None:
    """What the file holds; None if there is none.

    Raises:
        HostError: it cannot be read, or it is not text in UTF-8.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            refuse(path, "a folder is in its place" if path.is_dir() else "it is not a file")
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        refuse(path, describe_os_error(exc))
    if len(raw) > MAX_BYTES:
        refuse(path, f"it has {len(raw)} bytes, which no configuration has")
    try:
        return Content(raw, raw.decode().removeprefix(BOM))
    except UnicodeDecodeError as exc:
        refuse(path, "it is not text in UTF-8", raw.count(b"\n", 0, exc.start) + 1)


def write_file(path: Path, text: str, before: Content | None) -> Path | None:
    """Replace the file by *text*; returns the backup of *before*, or None if there was no file.

    Raises:
        HostError: it could not be written; the file is as it was.
    """
    backup = _back_up(path, before) if before else None
    try:
        replace_file(path, text, before)
    except HostError:
        if backup is not None:
            with suppress(OSError):
                backup.unlink()
        raise
    return backup


def replace_file(path: Path, text: str, before: Content | None) -> None:
    """Replace the file by *text*, and the folders on the way to it if there are none.

    Raises:
        HostError: it could not be written; the file is as it was.
    """
    mark = BOM if before and before.raw.startswith(BOM.encode()) else ""
    target = Path(os.path.realpath(path))
    folders = missing_folders(target)
    try:
        _replace(target, f"{mark}{text}".encode(), before)
    except OSError as exc:
        for each in reversed(folders):
            with suppress(OSError):
                each.rmdir()
        refuse(path, describe_os_error(exc), verb="written")


def delete_file(path: Path, before: Content) -> None:
    """Delete the file that still holds *before*; a symbolic link to it stays."""
    target = Path(os.path.realpath(path))
    try:
        _require_unchanged(target, before)
        target.unlink()
    except OSError as exc:
        refuse(path, describe_os_error(exc), verb="deleted")


def missing_folders(path: Path) -> list[Path]:
    """The folders on the way to *path* that are not there, the outermost first."""
    return [each for each in reversed(path.parents) if not each.exists()]


def list_backups(path: Path) -> list[Path]:
    """The backups of the file, newest first."""
    with suppress(OSError):
        found = [
            each for each in path.parent.iterdir() if each.name.startswith(f"{path.name}.backup-")
        ]
        return sorted(found, reverse=True)
    return []


def refuse(path: Path, reason: str, line: int | None = None, *, verb: str = "used") -> NoReturn:
    where = f" (line {line})" if line else ""
    msg = f"The file {quote(str(path))}{where} could not be {verb}, and is as it was: {reason}"
    raise HostError(msg)


def _back_up(path: Path, before: Content) -> Path:
    """Write what the file holds beside it, under a name that sorts by time."""
    stamp = f"{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    for number in itertools.count(1):
        again = f"-{number}" if number > 1 else ""
        backup = path.with_name(f"{path.name}.backup-{stamp}{again}")
        try:
            _write_new(backup, before.raw, stat.S_IMODE(path.stat().st_mode))
        except FileExistsError:
            continue
        except OSError as exc:
            refuse(path, f"no backup can be made ({describe_os_error(exc)})", verb="written")
        return backup
    raise AssertionError  # pragma: no cover - the numbers do not end


def _replace(target: Path, raw: bytes, before: Content | None) -> None:
    """Put *raw* into place as a whole, with the mode and the owner of what is there."""
    found = target.stat() if before is not None else None
    if found is not None and not os.access(target, os.W_OK):
        raise PermissionError(13, "the file is read-only")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.new")
    with suppress(FileNotFoundError):
        part.unlink()
    try:
        _write_new(part, raw, stat.S_IMODE(found.st_mode) if found else PRIVATE)
        if found is not None and hasattr(os, "chown") and os.geteuid() != found.st_uid:
            os.chown(part, found.st_uid, found.st_gid)
        _require_unchanged(target, before)
        part.replace(target)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _write_new(path: Path, raw: bytes, mode: int) -> None:
    descriptor = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        path.chmod(mode)
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise


def _require_unchanged(path: Path, before: Content | None) -> None:
    """Refuse to replace what somebody else has written since it was read."""
    try:
        now = path.read_bytes()
    except FileNotFoundError:
        now = None
    if now != (before.raw if before else None):
        msg = "another program has written it at this moment; try again"
        raise OSError(0, msg)
