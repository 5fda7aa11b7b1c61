"""The settings: read once from the environment, validated together, frozen.

Every mistake is reported in one error, by variable name. The error never repeats a value,
because one of them is a secret.
"""

import hashlib
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self, TypeVar
from urllib.parse import SplitResult, urlsplit

import platformdirs
from pydantic import SecretStr

from geekai_video_mcp.domain.admission import Limits
from geekai_video_mcp.domain.lifecycle import Media
from geekai_video_mcp.errors import ConfigError

GEEKAI_URL: Final = "https://geekai.co/api/v1"
"""GeekAI's address in China; overseas it is https://geekai.dev/api/v1. Read 2026-11-22."""
SANDBOX_URL: Final = "https://sandbox.invalid/api/v1"
"""The in-process sandbox: RFC 2606 reserves the name, so it never resolves."""
FREE_MODEL: Final = "cogvideox-flash"
"""Free of charge by GeekAI's reference page, read 2026-11-22."""
FREE_IMAGE_MODEL: Final = "cogview-3-flash"
"""Free of charge by GeekAI's image guide, read 2026-11-22."""
SANDBOX_MODEL: Final = "sandbox"
CONFIRM_ALWAYS: Final = -1.0
"""CNY, below every price: each paid request needs the user's approval."""
MAX_COUNT_DIGITS: Final = 7
"""Digits of a cap: ten million videos a day are a mistake."""

_T = TypeVar("_T")
_D = TypeVar("_D")

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
_LEVELS: Final[tuple[LogLevel, ...]] = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a person may configure."""

    api_key: SecretStr | None
    base_url: str
    default_model: str
    output_dir: Path
    """Where finished videos are published."""
    state_dir: Path
    """The ledger, and the sandbox's tasks. Private to the user."""
    log_level: LogLevel
    image_dirs: tuple[Path, ...] = ()
    """Where pictures may be read from, in addition to `output_dir`."""
    max_videos_per_day: int = 50
    """In any 24 hours; the sandbox is exempt."""
    max_in_flight: int = 10
    """At the same time; the sandbox is exempt."""
    confirm_above: float | None = None
    """CNY above which, as for an unknown price, the user has to approve a request; None: never."""

    @property
    def limits(self) -> Limits | None:
        """The caps on paid requests; None for the sandbox, which costs nothing."""
        if self.sandbox:
            return None
        return Limits(per_day=self.max_videos_per_day, in_flight=self.max_in_flight)

    @property
    def default_models(self) -> Mapping[Media, str]:
        """The model for a call that names none."""
        image = SANDBOX_MODEL if self.sandbox else FREE_IMAGE_MODEL
        return {Media.VIDEO: self.default_model, Media.IMAGE: image}

    @property
    def sandbox(self) -> bool:
        """Whether the service is the sandbox in this process."""
        return self.base_url == SANDBOX_URL

    @property
    def account(self) -> str:
        """Identifies the service and the key that a task belongs to, without containing the key."""
        if self.api_key is None or self.sandbox:  # the sandbox is the same for every key
            return self.base_url
        secret = self.api_key.get_secret_value().encode()
        return f"{self.base_url}#{hashlib.sha256(secret).hexdigest()[:12]}"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read every GEEKAI_* variable; an empty one counts as not set.

        Raises:
            ConfigError: naming every wrong variable at once.
        """
        reader = _EnvReader(environ)
        key = reader.get("GEEKAI_API_KEY", _parse_key, None)
        url = reader.get("GEEKAI_BASE_URL", _parse_base_url, GEEKAI_URL if key else SANDBOX_URL)
        model = SANDBOX_MODEL if url == SANDBOX_URL else FREE_MODEL
        settings = cls(
            api_key=key,
            base_url=url,
            default_model=reader.get("GEEKAI_DEFAULT_MODEL", str.strip, model),
            output_dir=reader.get("GEEKAI_OUTPUT_DIR", _parse_folder, _default_output_dir()),
            state_dir=reader.get("GEEKAI_STATE_DIR", _parse_folder, _default_state_dir()),
            image_dirs=reader.get("GEEKAI_IMAGE_DIRS", _parse_folders, ()),
            log_level=reader.get("GEEKAI_LOG_LEVEL", _parse_level, "WARNING"),
            max_videos_per_day=reader.get(
                "GEEKAI_MAX_VIDEOS_PER_DAY", _parse_count, cls.max_videos_per_day
            ),
            max_in_flight=reader.get("GEEKAI_MAX_IN_FLIGHT", _parse_count, cls.max_in_flight),
            confirm_above=reader.get("GEEKAI_CONFIRM", _parse_confirm, None),
        )
        if reader.problems:
            raise ConfigError(reader.problems)
        return settings


class _EnvReader:
    """Reads variables and collects the mistakes in them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: dict[str, str] = {}

    def get(self, name: str, read: Callable[[str], _T], default: _D) -> "_T | _D":
        value = self._environ.get(name, "").strip()
        if not value:
            return default
        try:
            return read(value)
        except ValueError as exc:
            self.problems[name] = str(exc)
            return default


def _parse_key(value: str) -> SecretStr:
    if not value.isascii() or not value.isprintable() or " " in value:
        msg = "must be printable ASCII without spaces; copy the key again from GeekAI's console"
        raise ValueError(msg)
    return SecretStr(value)


def _parse_base_url(value: str) -> str:
    parts = _split_url(value)
    if parts is None or parts.scheme not in {"https", "http"} or not parts.hostname:
        msg = f"must be an absolute URL such as {GEEKAI_URL}"
        raise ValueError(msg)
    # Even an empty query or fragment: its mark would come between the URL and the endpoint.
    if "@" in parts.netloc or "?" in value or "#" in value:
        msg = "must not contain a user name, query or fragment; the key belongs in GEEKAI_API_KEY"
        raise ValueError(msg)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        msg = "must be https, or the key would be sent unencrypted; http is for loopback only"
        raise ValueError(msg)
    return value.rstrip("/")


def _split_url(value: str) -> SplitResult | None:
    """The parts of the URL; None if it is invalid or holds characters that urlsplit drops."""
    try:
        parts = urlsplit(value)
        usable = parts.port != 0 and value.isprintable() and " " not in value
    except ValueError:  # its message may repeat the whole URL
        return None
    return parts if usable else None


def is_loopback(host: str) -> bool:
    """Whether *host*, a name or an address, is certain to be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _parse_folder(value: str) -> Path:
    try:
        path = Path(value).expanduser()
        taken = path.exists() and not path.is_dir()
    except (OSError, RuntimeError) as exc:  # RuntimeError: ~user does not exist
        msg = "cannot be used; give a folder that this user may read and write"
        raise ValueError(msg) from exc
    if not path.is_absolute():
        msg = "must be an absolute path: a host may start the server from any folder"
        raise ValueError(msg)
    if taken:
        msg = "must be a folder, but is a file"
        raise ValueError(msg)
    return path


def _parse_folders(value: str) -> tuple[Path, ...]:
    return tuple(_parse_folder(each.strip()) for each in value.split(os.pathsep) if each.strip())


def _parse_count(value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > MAX_COUNT_DIGITS:
        msg = f"must be a whole number of at most {MAX_COUNT_DIGITS} digits; 0 allows none"
        raise ValueError(msg)
    return int(value)


def _parse_confirm(value: str) -> float | None:
    word = value.lower()
    if word in {"never", "always"}:
        return CONFIRM_ALWAYS if word == "always" else None
    if _ABOVE.fullmatch(word):
        return float(word.removeprefix("above:"))
    msg = "must be never, always, or above: and an amount in CNY, such as above:2.50"
    raise ValueError(msg)


_ABOVE: Final = re.compile(r"above:[0-9]{1,7}(\.[0-9]{1,3})?")


def _parse_level(value: str) -> LogLevel:
    for level in _LEVELS:
        if value.upper() == level:
            return level
    msg = f"must be one of {', '.join(_LEVELS)}"
    raise ValueError(msg)


def _default_output_dir() -> Path:
    return platformdirs.user_videos_path() / "GeekAI"


def _default_state_dir() -> Path:
    return platformdirs.user_state_path("geekai-video-mcp", appauthor=False)
