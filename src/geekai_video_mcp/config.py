"""The settings: read once from the environment, validated together, frozen.

Every mistake is reported in one error, by variable name. The error never repeats a value,
because one of them is a secret.
"""

import difflib
import hashlib
import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, Self, TypeVar
from urllib.parse import SplitResult, urlsplit

import platformdirs
from pydantic import SecretStr

from geekai_video_mcp.domain.admission import Limits
from geekai_video_mcp.domain.catalogue import Checks
from geekai_video_mcp.domain.public_hosts import is_loopback
from geekai_video_mcp.domain.service_names import SANDBOX_HOST, SANDBOX_MODEL
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.errors import (
    ConfigError,
    describe_os_error,
)
from geekai_video_mcp.quoting import quote

GEEKAI_URL: Final = "https://geekai.co/api/v1"
"""GeekAI's address in China. Read 2026-11-22."""
GEEKAI_URLS: Final = (GEEKAI_URL, "https://geekai.dev/api/v1")
"""Both of GeekAI's addresses; the second is for overseas. Read 2026-11-22."""
SANDBOX_URL: Final = f"https://{SANDBOX_HOST}/api/v1"
"""The in-process sandbox."""
FREE_MODEL: Final = "cogvideox-flash"
"""Free of charge by GeekAI's reference page, read 2026-11-22."""
FREE_IMAGE_MODEL: Final = "cogview-3-flash"
"""Free of charge by GeekAI's image guide, read 2026-11-22."""
FREE_MODELS: Final[Mapping[Media, str]] = {Media.VIDEO: FREE_MODEL, Media.IMAGE: FREE_IMAGE_MODEL}
CONFIRM_ALWAYS: Final = -1.0
"""CNY, below every price: each paid request needs the user's approval."""
MAX_COUNT_DIGITS: Final = 7
"""Digits of a cap: ten million videos a day are a mistake."""


def default_model_with_key(default_model: str, media: Media) -> str:
    """The model that a preview by the sandbox's own one goes to once there is a key."""
    return FREE_MODELS[media] if default_model == SANDBOX_MODEL else default_model


_T = TypeVar("_T")
_D = TypeVar("_D")

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
_LEVELS: Final[tuple[LogLevel, ...]] = ("DEBUG", "INFO", "WARNING", "ERROR")
PreviewDelivery = Literal["inline", "path", "auto"]
_DELIVERIES: Final[tuple[PreviewDelivery, ...]] = ("inline", "path", "auto")
_CHECKS: Final[tuple[Checks, ...]] = ("refuse", "warn")


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
    max_cny_per_day: float | None = None
    """CNY by the price list in any 24 hours; None for no such cap; the sandbox is exempt."""
    confirm_above: float | None = None
    """CNY above which, as for an unknown price, the user has to approve a request; None: never."""
    checks: Checks = "refuse"
    """What becomes of a request that only the documents of the model's maker speak against."""
    preview: PreviewDelivery = "auto"
    """How a picture reaches the client: in the result, as the path of a file, or by what is known
    of the client."""
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """What the operator should know at start, although the settings can be used."""

    @property
    def limits(self) -> Limits | None:
        """The caps on paid requests; None for the sandbox, which costs nothing."""
        if self.sandbox:
            return None
        return Limits(
            per_day=self.max_videos_per_day,
            in_flight=self.max_in_flight,
            cny_per_day=self.max_cny_per_day,
        )

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
    def at_geekai(self) -> bool:
        """Whether the service is GeekAI itself, in any spelling of its addresses."""
        return _plain_url(self.base_url) in GEEKAI_URLS

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
            output_dir=reader.get_folder("GEEKAI_OUTPUT_DIR", _default_output_dir),
            state_dir=reader.get_folder("GEEKAI_STATE_DIR", _default_state_dir),
            image_dirs=reader.get("GEEKAI_IMAGE_DIRS", _parse_folders, ()),
            log_level=reader.get_choice("GEEKAI_LOG_LEVEL", _LEVELS, "WARNING"),
            max_videos_per_day=reader.get(
                "GEEKAI_MAX_VIDEOS_PER_DAY", _parse_count, cls.max_videos_per_day
            ),
            max_in_flight=reader.get("GEEKAI_MAX_IN_FLIGHT", _parse_count, cls.max_in_flight),
            max_cny_per_day=reader.get("GEEKAI_MAX_CNY_PER_DAY", _parse_amount, None),
            confirm_above=reader.get("GEEKAI_CONFIRM", _parse_confirm, None),
            checks=reader.get_choice("GEEKAI_CHECKS", _CHECKS, cls.checks),
            preview=reader.get_choice("GEEKAI_PREVIEW", _DELIVERIES, cls.preview),
        )
        if reader.problems:
            raise ConfigError(reader.problems)
        return replace(settings, warnings=tuple(reader.warn_of_unknown_names()))


class _EnvReader:
    """Reads variables and collects the mistakes in them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._known: list[str] = []
        self.problems: dict[str, str] = {}

    def get(self, name: str, read: Callable[[str], _T], default: _D) -> "_T | _D":
        self._known.append(name)
        value = self._environ.get(name, "").strip()
        if not value:
            return default
        try:
            _check_text(value)
            return read(value)
        except ValueError as exc:
            self.problems[name] = str(exc)
            return default

    def get_choice(self, name: str, choices: Sequence[_T], default: _T) -> _T:
        """One of *choices*, in any case."""

        def read(value: str) -> _T:
            for choice in choices:
                if value.casefold() == str(choice).casefold():
                    return choice
            msg = f"must be one of {', '.join(map(str, choices))}"
            raise ValueError(msg)

        return self.get(name, read, default)

    def get_folder(self, name: str, find_default: Callable[[], Path]) -> Path:
        """A folder; the default, which needs a home directory, only if none is set."""
        folder = self.get(name, _parse_folder, None)
        if folder is not None or name in self.problems:
            return folder or Path()
        try:
            return _check_default(find_default())
        except (OSError, RuntimeError, KeyError, ValueError):
            self.problems[name] = (
                "is not set, and there is no default, because this user has no home directory with"
                " an absolute path in UTF-8; set it to the absolute path of a folder"
            )
            return Path()

    def warn_of_unknown_names(self) -> list[str]:
        """A sentence for each variable that looks like one of ours and is none."""
        known = {_fold_name(name): name for name in self._known}
        warnings: list[str] = []
        for name in sorted(self._environ):
            folded = _fold_name(name)
            if name in self._known or not folded.startswith(_PREFIX):
                continue
            close = difflib.get_close_matches(folded, known, n=1, cutoff=0.7)
            shared = [other for other in known if _shares_word(name, known[other])]
            nearest = next(iter([*close, *shared]), None)
            meant = f"; did you mean {known[nearest]}?" if nearest else "."
            warnings.append(f"{quote(name, limit=64)} is not a setting of this server{meant}")
        return warnings


def _fold_name(name: str) -> str:
    return name.upper().replace("_", "").replace("-", "")


def _shares_word(name: str, known: str) -> bool:
    """Whether both names have a word of our own in common, such as OUTPUT."""
    return bool(set(name.upper().split("_")) & set(known.split("_")) - _COMMON_WORDS)


_PREFIX: Final = "GEEKAI"
_COMMON_WORDS: Final = frozenset({"GEEKAI", "DIR", "DIRS", "MAX", "IN"})


def _check_text(value: str) -> None:
    """Refuse what no setting can be: text that is not UTF-8, and what a host left unreplaced."""
    if not value.isprintable() and any("\ud800" <= ch <= "\udfff" for ch in value):
        msg = "is not valid UTF-8; set it again"
        raise ValueError(msg)
    if "\0" in value:
        msg = "must not contain a NUL character"
        raise ValueError(msg)
    if _UNREPLACED.search(value):
        msg = (
            "refers to another variable, and the program that starts this server has not replaced"
            " it; write the value itself"
        )
        raise ValueError(msg)


_UNREPLACED: Final = re.compile(
    r"\$\{[^}]*\}|\$\(|\{\{|^\$[A-Za-z_]|^%\w+%|\{(env|input|secret)s?:", re.ASCII
)
"""The ways in which hosts and shells write a reference: ${X}, $X, %X%, {env:X}, {{X}}."""


def _parse_key(value: str) -> SecretStr:
    if _PLACEHOLDER.fullmatch(value) or any(word in value for word in _PLACEHOLDER_WORDS):
        msg = (
            "is a placeholder and not a key; copy a key from GeekAI's console, or remove the"
            " variable to use the sandbox"
        )
        raise ValueError(msg)
    if not value.isascii() or not value.isprintable() or " " in value:
        msg = "must be printable ASCII without spaces; copy the key again from GeekAI's console"
        raise ValueError(msg)
    if set(value) & set("\"'`;,"):
        msg = (
            "contains a quotation mark, a comma or a semicolon, which no key has; some programs"
            " keep the quotation marks around a value: write it without them"
        )
        raise ValueError(msg)
    return SecretStr(value)


_PLACEHOLDER: Final = re.compile(
    r"(sk-?)?<.*>|\[.*\]|(sk-)?(x|[*.…])[x*.…_\- ]+|(sk-)?[*.…]|sk-?"
    r"|((sk|put|paste|insert|enter|add|use|with|replace)[-_ ]*)*your([-_ ].*|\w*(key|token)\w*)"
    r"|(insert|paste|enter)[-_ ].*(key|here)"
    r"|(geekai[-_ ]?)?(api|secret)[-_ ]?(key|token)([-_ ]?here)?|key[-_ ]?here"
    r"|(change|replace)[-_ ]?(me|this|it)|placeholder|todo|null|none|undefined",
    re.IGNORECASE,
)
"""What guides and templates write in the place of a key."""
_PLACEHOLDER_WORDS: Final = ("你的", "您的", "填写", "填入", "替换")


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


def _plain_url(url: str) -> str:
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


def _parse_folder(value: str) -> Path:
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


def _parse_folders(value: str) -> tuple[Path, ...]:
    return tuple(_parse_folder(each.strip()) for each in value.split(os.pathsep) if each.strip())


def _parse_count(value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > MAX_COUNT_DIGITS:
        msg = f"must be a whole number of at most {MAX_COUNT_DIGITS} digits; 0 allows none"
        raise ValueError(msg)
    return int(value)


def _parse_amount(value: str) -> float:
    if _AMOUNT.fullmatch(value):
        return float(value)
    msg = "must be an amount in CNY, such as 20 or 12.50; 0 allows only what is free"
    raise ValueError(msg)


_AMOUNT: Final = re.compile(r"[0-9]{1,7}(\.[0-9]{1,3})?")


def _parse_confirm(value: str) -> float | None:
    word = value.lower()
    if word in {"never", "always"}:
        return CONFIRM_ALWAYS if word == "always" else None
    if _AMOUNT.fullmatch(amount := word.removeprefix("above:")) and amount != word:
        return float(amount)
    msg = "must be never, always, or above: and an amount in CNY, such as above:2.50"
    raise ValueError(msg)


def _default_output_dir() -> Path:
    return platformdirs.user_videos_path() / "GeekAI"


def _default_state_dir() -> Path:
    return platformdirs.user_state_path("geekai-video-mcp", appauthor=False)


def _check_default(folder: Path) -> Path:
    """*folder*, unless it is relative: without a home the system's answer is a folder named ~."""
    if not folder.is_absolute():
        msg = "relative"
        raise ValueError(msg)
    _check_text(str(folder))
    return folder
