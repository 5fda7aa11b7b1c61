"""The token of this user's HTTP server, in a file that only this user may read."""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from geekai_video_mcp.errors import (
    StorageUnavailable,
    describe_os_error,
)
from geekai_video_mcp.file_locks import exclusive_lock
from geekai_video_mcp.quoting import quote
from geekai_video_mcp.server.http.authorization import TOKEN

TOKEN_FILE: Final = "http-token"  # noqa: S105 - a file name
TOKEN_BYTES: Final = 32
"""Random bytes of a new token: 256 bits."""
MIN_TOKEN_CHARACTERS: Final = 22
"""128 bits in base64: a shorter token was not made here."""
MAX_TOKEN_CHARACTERS: Final = 1000
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def token_path(state_dir: Path) -> Path:
    return state_dir / TOKEN_FILE


def load_token(state_dir: Path) -> str:
    """The token in *state_dir*; the first call makes it. Two processes get the same one.

    Raises:
        StorageUnavailable: the file cannot be trusted, read or written.
    """
    path = token_path(state_dir)
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (state_dir / f"{TOKEN_FILE}.lock").open("ab") as lock, exclusive_lock(lock.fileno()):
            try:
                return _read_token(path)
            except FileNotFoundError:
                _write_token(path)
            return _read_token(path)
    except OSError as exc:
        raise StorageUnavailable(_describe(path), describe_os_error(exc), access="opened") from exc


def check_token(state_dir: Path) -> bool:
    """Whether there is a token in *state_dir*; makes none.

    Raises:
        StorageUnavailable: there is a file that cannot be trusted or read.
    """
    path = token_path(state_dir)
    try:
        _read_token(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as exc:
        raise StorageUnavailable(_describe(path), describe_os_error(exc), access="read") from exc
    return True


def _write_token(path: Path) -> None:
    """Put a new token into place as a whole: a crash leaves no empty or readable file."""
    part = path.with_suffix(".new")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")
        file.flush()
        os.fsync(descriptor)
    part.replace(path)


def _read_token(path: Path) -> str:
    if path.is_symlink():
        raise _untrusted(path, "it is a symbolic link, which may lead to another user's file")
    if path.is_dir():
        raise _untrusted(path, "it is a folder")
    # O_NONBLOCK: a named pipe in its place must not hold the server.
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, os.O_RDONLY | flags), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise _untrusted(path, "it is not a file")
        if os.name == "posix" and found.st_uid != os.geteuid():
            raise _untrusted(path, "it belongs to another user")
        if os.name == "posix" and found.st_mode & _OTHERS:
            raise _untrusted(path, "its permissions let other users read or change it")
        content = file.read(MAX_TOKEN_CHARACTERS + 1)
    if not content.strip():
        raise _untrusted(path, "it is empty")
    token = content.strip().decode("ascii", errors="replace")
    if not MIN_TOKEN_CHARACTERS <= len(token) <= MAX_TOKEN_CHARACTERS or not TOKEN.fullmatch(token):
        raise _untrusted(path, "it does not hold a token")
    return token


def _describe(path: Path) -> str:
    return f"The token file {quote(str(path))}"


def _untrusted(path: Path, reason: str) -> StorageUnavailable:
    remedy = (
        "Delete it: the next start makes a new token, and geekai-video-mcp token prints the"
        " configuration with it."
    )
    return StorageUnavailable(_describe(path), reason, access="read", remedy=remedy)
