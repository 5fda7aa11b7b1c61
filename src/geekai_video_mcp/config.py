"""The environment as a value: read once, checked whole, frozen.

Nothing else reads `os.environ`. Every mistake is reported in one error, by variable name,
and no value is ever repeated in it: one of them is a secret.
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
"""The entry in China; https://geekai.dev/api/v1 is the one overseas. Read 2026-11-22."""
SANDBOX_URL: Final = "https://sandbox.invalid/api/v1"
"""The in-process sandbox: a name that RFC 2606 keeps from ever existing."""
FREE_MODEL: Final = "cogvideox-flash"
"""Free of charge by GeekAI's reference page, read 2026-11-22."""
FREE_IMAGE_MODEL: Final = "cogview-3-flash"
"""Free of charge by GeekAI's image guide, read 2026-11-22."""
SANDBOX_MODEL: Final = "sandbox"
CONFIRM_ALWAYS: Final = -1.0
"""CNY below every price: whatever would be paid for is asked about."""
MAX_COUNT_DIGITS: Final = 7
"""Of a cap: ten million videos a day are a mistake."""

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
    """Where pictures may be read from, beside `output_dir`."""
    max_videos_per_day: int = 50
    """In any 24 hours; the sandbox is exempt."""
    max_in_flight: int = 10
    """At the same time; the sandbox is exempt."""

    confirm_above: float | None = None
    """CNY above which a person is asked before paying, unknown prices included; None: never."""

    @property
    def limits(self) -> Limits | None:
        """The caps on what may be spent; None where nothing can be."""
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
        """Whether the service is the one in this process."""
        return self.base_url == SANDBOX_URL

    @property
    def account(self) -> str:
        """Which service and which key a task belongs to; never the key."""
        if self.api_key is None or self.sandbox:  # which is the same for everyone
            return self.base_url
        secret = self.api_key.get_secret_value().encode()
        return f"{self.base_url}#{hashlib.sha256(secret).hexdigest()[:12]}"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read every GEEKAI_* variable; an empty one counts as not set.

        Raises:
            ConfigError: naming every wrong variable at once.
        """
        reading = _EnvReader(environ)
        key = reading.get("GEEKAI_API_KEY", _parse_key, None)
        url = reading.get("GEEKAI_BASE_URL", _parse_base_url, GEEKAI_URL if key else SANDBOX_URL)
        model = SANDBOX_MODEL if url == SANDBOX_URL else FREE_MODEL
        settings = cls(
            api_key=key,
            base_url=url,
            default_model=reading.get("GEEKAI_DEFAULT_MODEL", str.strip, model),
            output_dir=reading.get("GEEKAI_OUTPUT_DIR", _parse_folder, _default_output_dir()),
            state_dir=reading.get("GEEKAI_STATE_DIR", _parse_folder, _default_state_dir()),
            image_dirs=reading.get("GEEKAI_IMAGE_DIRS", _parse_folders, ()),
            log_level=reading.get("GEEKAI_LOG_LEVEL", _parse_level, "WARNING"),
            max_videos_per_day=reading.get(
                "GEEKAI_MAX_VIDEOS_PER_DAY", _parse_count, cls.max_videos_per_day
            ),
            max_in_flight=reading.get("GEEKAI_MAX_IN_FLIGHT", _parse_count, cls.max_in_flight),
            confirm_above=reading.get("GEEKAI_CONFIRM", _parse_confirm, None),
        )
        if reading.problems:
            raise ConfigError(reading.problems)
        return settings


class _EnvReader:
    """One pass over the environment, collecting what is wrong with it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: dict[str, str] = {}

    def get(self, name: str, read: Callable[[str], _T], default: _D) -> "_T | _D":
        value = self._environ.get(name, "").strip()
        if not value:
            return default
        try:
            return read(value)
        except ValueError as wrong:
            self.problems[name] = str(wrong)
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
    # Empty ones as well: the marks alone would come between the URL and its endpoints.
    if "@" in parts.netloc or "?" in value or "#" in value:
        msg = "must hold no user name, query or fragment; the key goes into GEEKAI_API_KEY"
        raise ValueError(msg)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        msg = "must be https, or the key would travel in the clear; http is for loopback only"
        raise ValueError(msg)
    return value.rstrip("/")


def _split_url(value: str) -> SplitResult | None:
    """The URL's parts; None if it has none, or only after what urlsplit drops in silence."""
    try:
        parts = urlsplit(value)
        usable = parts.port != 0 and value.isprintable() and " " not in value
    except ValueError:  # whose own words may repeat the whole URL
        return None
    return parts if usable else None


def is_loopback(host: str) -> bool:
    """Whether *host*, a name or an address, can only be this machine."""
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
    except (OSError, RuntimeError) as exc:  # RuntimeError: there is no such user
        msg = "cannot be used; give a folder that this user may read and write"
        raise ValueError(msg) from exc
    if not path.is_absolute():
        msg = "must be an absolute path: a host may start the server from any folder"
        raise ValueError(msg)
    if taken:
        msg = "must be a folder; there is a file of this name"
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
