"""The token of this user's HTTP server, in a file that only this user may read."""

import secrets
from pathlib import Path
from typing import Final

from geekai_video_mcp.config.private_files import (
    UntrustedFile,
    read_private_file,
    write_private_file,
)
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
    write_private_file(path, f"{secrets.token_urlsafe(TOKEN_BYTES)}\n".encode("ascii"))


def _read_token(path: Path) -> str:
    try:
        content = read_private_file(path, max_bytes=MAX_TOKEN_CHARACTERS).content
    except UntrustedFile as exc:
        raise _untrusted(path, str(exc)) from exc
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
