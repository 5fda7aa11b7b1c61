"""What the text of each setting means. A mistake is a ValueError that never repeats the value."""

import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import SplitResult, urlsplit

import platformdirs

from geekai_video_mcp.domain.public_hosts import is_loopback
from geekai_video_mcp.domain.service_names import SANDBOX_HOST
from geekai_video_mcp.errors import describe_os_error

GEEKAI_URL: Final = "https://geekai.co/api/v1"
"""GeekAI's address in China. Read 2026-11-22."""
GEEKAI_URLS: Final = (GEEKAI_URL, "https://geekai.dev/api/v1")
"""Both of GeekAI's addresses; the second is for overseas. Read 2026-11-22."""
SANDBOX_URL: Final = f"https://{SANDBOX_HOST}/api/v1"
"""The in-process sandbox."""
SANDBOX_WORD: Final = "sandbox"
"""What GEEKAI_BASE_URL takes for the sandbox's address."""
CONFIRM_ALWAYS: Final = -1.0
"""CNY, below every price: each paid request needs the user's approval."""
MAX_COUNT_DIGITS: Final = 7
"""Digits of a cap: ten million videos a day are a mistake."""

MIN_RATE: Final = 0.1
"""Requests per second: a task would be polled every hundred seconds with ten in flight."""
MAX_RATE: Final = 10_000.0
"""Requests per second: more than several processes can send."""

_T = TypeVar("_T")


def check_text(value: str) -> None:
    """Refuse what no setting can be: text that is not UTF-8, and what a host left unreplaced."""
    check_characters(value)
    if is_reference(value):
        msg = (
            "refers to another variable, and the program that starts this server has not replaced"
            " it; write the value itself"
        )
        raise ValueError(msg)


def check_characters(value: str) -> None:
    if not value.isprintable() and any("\ud800" <= ch <= "\udfff" for ch in value):
        msg = "is not valid UTF-8; set it again"
        raise ValueError(msg)
    if "\0" in value:
        msg = "must not contain a NUL character"
        raise ValueError(msg)


def is_reference(value: str) -> bool:
    """Whether a program should have put another value in the place of this one."""
    return _UNREPLACED.search(value) is not None


_UNREPLACED: Final = re.compile(
    r"\$\{[^}]*\}|\$\(|\{\{|^\$[A-Za-z_]|^%\w+%|\{(env|input|secret)s?:", re.ASCII
)
"""The ways in which hosts and shells write a reference: ${X}, $X, %X%, {env:X}, {{X}}."""


def parse_base_url(value: str) -> str:
    if value.casefold() == SANDBOX_WORD:
        return SANDBOX_URL
    parts = _split_url(value)
    if parts is None or parts.scheme not in {"https", "http"} or not parts.hostname:
        msg = f"must be an absolute URL such as {GEEKAI_URL}, or the word {SANDBOX_WORD}"
        raise ValueError(msg)
    # Even an empty query or fragment: its mark would come between the URL and the endpoint.
    if "@" in parts.netloc or "?" in value or "#" in value:
        msg = "must not contain a user name, query or fragment; the key belongs in GEEKAI_API_KEY"
        raise ValueError(msg)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        msg = "must be https, or the key would be sent unencrypted; http is for loopback only"
        raise ValueError(msg)
    return value.rstrip("/")


def plain_url(url: str) -> str:
    """The URL without what changes nothing: case of the host, usual port, slashes at the end."""
    parts = urlsplit(url)
    port = "" if parts.port in {None, 443} else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path.rstrip('/')}"


def _split_url(value: str) -> SplitResult | None:
    """The parts of the URL; None if it is invalid or holds characters that urlsplit drops."""
    try:
        parts = urlsplit(value)
        usable = parts.port != 0 and value.isprintable() and " " not in value
    except ValueError:  # its message may repeat the whole URL
        return None
    return parts if usable else None


def parse_absolute_path(value: str) -> Path:
    """*value* as a path that is the same whatever folder the server is started from."""
    try:
        path = Path(value).expanduser()
        homeless = value.startswith("~") and os.environ.get("HOME") == ""  # ~/a would become /a
    except RuntimeError:  # of ~ or ~user
        path, homeless = Path(), True
    if homeless:
        msg = "begins with ~, and that home directory is not known; give an absolute path"
        raise ValueError(msg)
    if not path.is_absolute():
        msg = "must be an absolute path: a host may start the server from any folder"
        raise ValueError(msg)
    return path


def parse_folder(value: str) -> Path:
    path = parse_absolute_path(value)
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return path  # it may be created; what is in its way is said when it is tried
    except OSError as exc:
        msg = f"cannot be used: {describe_os_error(exc)}; give another folder"
        raise ValueError(msg) from exc
    if not is_folder:
        msg = "must be a folder, but is a file"
        raise ValueError(msg)
    return path


def parse_folders(value: str) -> tuple[Path, ...]:
    return tuple(parse_folder(each.strip()) for each in value.split(os.pathsep) if each.strip())


def parse_count(value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > MAX_COUNT_DIGITS:
        msg = f"must be a whole number of at most {MAX_COUNT_DIGITS} digits; 0 allows none"
        raise ValueError(msg)
    return int(value)


def parse_positive(value: str) -> int:
    return refuse_zero(parse_count(value))


def refuse_zero(count: int) -> int:
    """*count*, a whole number from 0 on, unless it is 0."""
    if count == 0:
        msg = f"must be a whole number from 1, of at most {MAX_COUNT_DIGITS} digits"
        raise ValueError(msg)
    return count


def parse_amount(value: str) -> float:
    if _AMOUNT.fullmatch(value):
        return float(value)
    msg = "must be an amount in CNY, such as 20 or 12.50; 0 allows only what is free"
    raise ValueError(msg)


def parse_rate(value: str) -> float:
    if _RATE.fullmatch(value) and MIN_RATE <= float(value) <= MAX_RATE:
        return float(value)
    msg = f"must be a number from {MIN_RATE} to {MAX_RATE:.0f}, such as 2 or 0.5"
    raise ValueError(msg)


_RATE: Final = re.compile(r"[0-9]{1,5}(\.[0-9]{1,3})?")
_AMOUNT: Final = re.compile(r"[0-9]{1,7}(\.[0-9]{1,3})?")


def parse_confirm(value: str) -> float | None:
    word = value.lower()
    if word in {"never", "always"}:
        return CONFIRM_ALWAYS if word == "always" else None
    if _AMOUNT.fullmatch(amount := word.removeprefix("above:")) and amount != word:
        return float(amount)
    msg = "must be never, always, or above: and an amount in CNY, such as above:2.50"
    raise ValueError(msg)


def choice_parser(choices: Sequence[_T]) -> Callable[[str], _T]:
    """What reads one of *choices*, in any case."""

    def parse(value: str) -> _T:
        for choice in choices:
            if value.casefold() == str(choice).casefold():
                return choice
        msg = f"must be one of {', '.join(map(str, choices))}"
        raise ValueError(msg)

    return parse


def find_output_dir() -> Path:
    return _check_default(platformdirs.user_videos_path() / "GeekAI")


def find_state_dir() -> Path:
    return _check_default(platformdirs.user_state_path("geekai-video-mcp", appauthor=False))


def find_config_dir() -> Path:
    """The folder of the settings file.

    Raises:
        OSError, RuntimeError, KeyError, ValueError: this user has no home directory.
    """
    return _check_default(platformdirs.user_config_path("geekai-video-mcp", appauthor=False))


def _check_default(folder: Path) -> Path:
    """*folder*, unless it is relative: without a home the system's answer is a folder named ~."""
    if not folder.is_absolute():
        msg = "relative"
        raise ValueError(msg)
    check_text(str(folder))
    return folder
