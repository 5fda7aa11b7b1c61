"""The settings: read once from the environment and the settings file, validated together, frozen.

Every mistake is reported in one error, by variable name. The error never repeats a value,
because one of them is a secret. Each setting has one source: the environment wins over the file.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import SecretStr

from geekai_video_mcp.config.hosting import (
    HOSTING_VARIABLES,
    SECRETS,
    HostingSettings,
    read_hosting,
)
from geekai_video_mcp.config.names import KEY, describe_unknown_variables
from geekai_video_mcp.config.reader import SettingsReader, Source
from geekai_video_mcp.config.settings_file import (
    MAX_PATH_CHARS,
    SETTINGS_FILE,
    SettingsFile,
    load_settings_file,
    read_settings_file,
    settings_path,
)
from geekai_video_mcp.config.values import (
    CONFIRM_ALWAYS,
    GEEKAI_URL,
    GEEKAI_URLS,
    MAX_COUNT_DIGITS,
    SANDBOX_URL,
    SANDBOX_WORD,
    find_output_dir,
    find_state_dir,
    parse_amount,
    parse_base_url,
    parse_confirm,
    parse_count,
    parse_folders,
    parse_rate,
    plain_url,
)
from geekai_video_mcp.config.write_settings import write_settings
from geekai_video_mcp.domain.limits import REQUESTS_PER_SECOND, Checks, Limits
from geekai_video_mcp.domain.media import Media
from geekai_video_mcp.domain.service_names import SANDBOX_MODEL
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.errors import ConfigError
from geekai_video_mcp.quoting import quote

__all__ = [
    "CONFIRM_ALWAYS",
    "FREE_IMAGE_MODEL",
    "FREE_MODEL",
    "FREE_MODELS",
    "GEEKAI_URL",
    "GEEKAI_URLS",
    "HOSTING_VARIABLES",
    "MAX_COUNT_DIGITS",
    "SANDBOX_MODEL",
    "SANDBOX_URL",
    "SANDBOX_WORD",
    "VARIABLES",
    "HostingSettings",
    "PreviewDelivery",
    "Settings",
    "Source",
    "default_model_with_key",
    "describe_permissions",
    "read_settings_file",
    "settings_path",
    "write_settings",
]

VARIABLES: Final = (
    "GEEKAI_API_KEY",
    "GEEKAI_API_KEY_FILE",
    "GEEKAI_BASE_URL",
    "GEEKAI_DEFAULT_MODEL",
    "GEEKAI_OUTPUT_DIR",
    "GEEKAI_IMAGE_DIRS",
    "GEEKAI_STATE_DIR",
    "GEEKAI_MAX_VIDEOS_PER_DAY",
    "GEEKAI_MAX_IN_FLIGHT",
    "GEEKAI_MAX_CNY_PER_DAY",
    "GEEKAI_REQUESTS_PER_SECOND",
    "GEEKAI_CONFIRM",
    "GEEKAI_CHECKS",
    "GEEKAI_PREVIEW",
    "GEEKAI_LOG_LEVEL",
    *HOSTING_VARIABLES,
    SETTINGS_FILE,
)
"""Every variable; all but the last are also the names in the settings file."""
FREE_MODEL: Final = "cogvideox-flash"
"""Free of charge by GeekAI's reference page, read 2026-11-22."""
FREE_IMAGE_MODEL: Final = "cogview-3-flash"
"""Free of charge by GeekAI's image guide, read 2026-11-22."""
FREE_MODELS: Final[Mapping[Media, str]] = {Media.VIDEO: FREE_MODEL, Media.IMAGE: FREE_IMAGE_MODEL}


def default_model_with_key(default_model: str, media: Media) -> str:
    """The model that a preview by the sandbox's own one goes to once there is a key."""
    return FREE_MODELS[media] if default_model == SANDBOX_MODEL else default_model


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
    requests_per_second: float = REQUESTS_PER_SECOND
    """To one service with one key, in all processes together; polls wait for their turn."""
    confirm_above: float | None = None
    """CNY above which, as for an unknown price, the user has to approve a request; None: never."""
    checks: Checks = "refuse"
    """What becomes of a request that only the documents of the model's maker speak against."""
    preview: PreviewDelivery = "auto"
    """How a picture reaches the client: in the result, as the path of a file, or by what is known
    of the client."""
    hosting: HostingSettings = field(default_factory=HostingSettings)
    url_with_key: str = GEEKAI_URL
    """The service for whoever has a key, although the operator may have none."""
    tenant: str = LOCAL_TENANT
    """Whose settings these are, on a server that serves several."""
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """What the operator should know at start, although the settings can be used."""
    settings_file: Path | None = field(default=None, compare=False)
    """Where the settings file is looked for; None if nowhere."""
    sources: Mapping[str, Source] = field(default_factory=dict[str, Source], compare=False)
    """Where the value of each variable is from, by its name."""
    unusable_key: str | None = field(default=None, compare=False)
    """What stands where a key belongs and is none, as sentences; None if nothing does."""
    sandbox_reason: str | None = field(default=None, compare=False)
    """What every answer of a tool says where only an unusable key is the reason for the sandbox."""

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
    def sandbox_dir(self) -> Path:
        """Where the sandbox keeps its tasks, also after another service is in use."""
        return self.state_dir / "sandbox"

    @property
    def at_geekai(self) -> bool:
        """Whether the service is GeekAI itself, in any spelling of its addresses."""
        return plain_url(self.base_url) in GEEKAI_URLS

    @property
    def account(self) -> str:
        """Identifies the service and the key that a task belongs to, without containing the key."""
        if self.api_key is None or self.sandbox:  # the sandbox is the same for every key
            return self.base_url
        secret = self.api_key.get_secret_value().encode()
        return f"{self.base_url}#{hashlib.sha256(secret).hexdigest()[:12]}"

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Read every setting from *environ*, and what is not set there from the settings file.

        Raises:
            ConfigError: naming every mistake at once.
        """
        return cls._read(environ, load_settings_file(environ, known=VARIABLES))

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read every GEEKAI_* variable of *environ* alone; an empty one counts as not set.

        Raises:
            ConfigError: naming every wrong variable at once.
        """
        return cls._read(environ, SettingsFile(path=None))

    @classmethod
    def _read(cls, environ: Mapping[str, str], file: SettingsFile) -> Self:
        reader = SettingsReader(environ, file, known=VARIABLES)
        key = reader.get_key()
        given = reader.get("GEEKAI_BASE_URL", parse_base_url, None)
        url = _choose_service(given, has_key=key is not None)
        model = SANDBOX_MODEL if url == SANDBOX_URL else FREE_MODEL
        settings = cls(
            api_key=key,
            base_url=url,
            url_with_key=_choose_service(given, has_key=True),
            default_model=reader.get("GEEKAI_DEFAULT_MODEL", str.strip, model),
            output_dir=reader.get_folder("GEEKAI_OUTPUT_DIR", find_output_dir),
            state_dir=reader.get_folder("GEEKAI_STATE_DIR", find_state_dir),
            image_dirs=reader.get("GEEKAI_IMAGE_DIRS", parse_folders, ()),
            log_level=reader.get_choice("GEEKAI_LOG_LEVEL", _LEVELS, "WARNING"),
            max_videos_per_day=reader.get(
                "GEEKAI_MAX_VIDEOS_PER_DAY", parse_count, cls.max_videos_per_day
            ),
            max_in_flight=reader.get("GEEKAI_MAX_IN_FLIGHT", parse_count, cls.max_in_flight),
            max_cny_per_day=reader.get("GEEKAI_MAX_CNY_PER_DAY", parse_amount, None),
            requests_per_second=reader.get(
                "GEEKAI_REQUESTS_PER_SECOND", parse_rate, cls.requests_per_second
            ),
            confirm_above=reader.get("GEEKAI_CONFIRM", parse_confirm, None),
            checks=reader.get_choice("GEEKAI_CHECKS", _CHECKS, cls.checks),
            preview=reader.get_choice("GEEKAI_PREVIEW", _DELIVERIES, cls.preview),
            hosting=read_hosting(reader),
            settings_file=file.path,
            sources=reader.sources,
            unusable_key=" ".join(f"{one}." for one in reader.unusable_keys) or None,
        )
        if reader.problems:
            raise ConfigError(reader.problems)
        return replace(
            settings,
            sandbox_reason=_explain_sandbox(settings, given),
            warnings=(
                *file.warnings,
                *describe_unknown_variables(environ, VARIABLES),
                *_describe_key(settings, given),
                *describe_permissions(file),
            ),
        )


def _choose_service(given: str | None, *, has_key: bool) -> str:
    """The address of the service: GeekAI's own is of no use without a key."""
    if has_key:
        return given or GEEKAI_URL
    at_geekai = given is not None and plain_url(given) in GEEKAI_URLS
    return SANDBOX_URL if given is None or at_geekai else given


def _explain_sandbox(settings: Settings, given: str | None) -> str | None:
    """Why the sandbox answers, if only something unusable in the place of a key is the reason."""
    if settings.unusable_key is None or not settings.sandbox or settings.api_key is not None:
        return None
    if given == SANDBOX_URL:
        return None
    reason = settings.unusable_key.rstrip(".")
    return (
        f"The sandbox is in use, because {reason}: tell the user to put a key from GeekAI's console"
        " in its place, or to run geekai-video-mcp setup."
    )


def _describe_key(settings: Settings, given: str | None) -> Iterator[str]:
    """What stands where a key belongs and is none, and what is done without it."""
    if settings.unusable_key is not None:
        if settings.api_key is not None:
            then = f"The key of the {settings.sources[KEY]} is used."
        elif settings.sandbox:
            then = (
                "The sandbox is used; put a key from GeekAI's console in its place, or run"
                " geekai-video-mcp setup."
            )
        else:
            then = "No key is sent."
        yield f"{settings.unusable_key} {then}"
    elif settings.sandbox and given not in {None, SANDBOX_URL}:
        yield (
            "GEEKAI_BASE_URL names GeekAI, and there is no key for it. The sandbox is used;"
            " geekai-video-mcp setup stores a key."
        )


def describe_permissions(file: SettingsFile) -> Iterator[str]:
    """What is said of a file that holds a key and that others may read or change."""
    secret = any(file.values.get(name, "").strip() for name in (KEY, *SECRETS))
    if file.open_to_others and secret and file.path is not None:
        path = quote(str(file.path), limit=MAX_PATH_CHARS)
        yield (
            f"Other users of this computer may read or change the settings file, which holds a key:"
            f" run chmod 600 {path}"
        )
