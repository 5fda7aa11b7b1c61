"""The tokens file: who may call over HTTP, as which tenant, and what each tenant may do.

A token stands there as its SHA-256 alone: it is random, so that nobody can guess it from there.
"""

import hashlib
import hmac
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from geekai_video_mcp.config import Settings, default_model_with_key
from geekai_video_mcp.config.private_files import UntrustedFile, read_private_file
from geekai_video_mcp.config.tenant_folders import default_folder, find_shared_folders
from geekai_video_mcp.config.tokens_document import (
    IssuedToken,
    TenantSettings,
    parse_document,
    read_key_files,
)
from geekai_video_mcp.domain.media import Media
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.errors import ConfigError, StorageUnavailable, describe_os_error
from geekai_video_mcp.quoting import quote

TOKENS_FILE: Final = "tokens.json"
MAX_BYTES: Final = 1024 * 1024
"""Bytes of a tokens file: some five thousand tokens."""

__all__ = [
    "IssuedToken",
    "LiveTokens",
    "TenantSettings",
    "TokensFile",
    "has_key_alone",
    "load_tokens_file",
    "settings_of_tenant",
    "tokens_path",
]


@dataclass(frozen=True, kw_only=True)
class TokensFile:
    """What the tokens file says; without a file, nothing."""

    tokens: tuple[IssuedToken, ...] = ()
    tenants: Mapping[str, TenantSettings] = field(default_factory=dict[str, TenantSettings])
    oauth: Mapping[str, str] = field(default_factory=dict[str, str])
    """The tenant of a person of the authorisation server, by the value of the claim."""

    @property
    def tenant_names(self) -> tuple[str, ...]:
        """Every tenant that the file names, in alphabetical order."""
        named = (each.tenant for each in self.tokens)
        return tuple(sorted({*self.tenants, *self.oauth.values(), *named}))

    def find(self, token: str) -> IssuedToken | None:
        """Whose token it is; it takes the same time for every token, right or wrong."""
        digest = hash_token(token)
        found: IssuedToken | None = None
        for each in self.tokens:
            if hmac.compare_digest(each.sha256, digest):
                found = each
        return found


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def tokens_path(state_dir: Path) -> Path:
    return state_dir / TOKENS_FILE


def describe_tokens_path(path: Path) -> str:
    return f"The tokens file {quote(str(path), limit=1000)} in the state folder (GEEKAI_STATE_DIR)"


def load_tokens_file(settings: Settings) -> TokensFile:
    """The tokens file of these settings, which need not exist.

    Raises:
        ConfigError: it is not right; every mistake is named with its entry.
        StorageUnavailable: it cannot be trusted or read.
    """
    return _load(settings)[0]


def _load(settings: Settings) -> tuple[TokensFile, "_Signature"]:
    path = tokens_path(settings.state_dir)
    try:
        file = read_private_file(path, max_bytes=MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return TokensFile(), None
    except UntrustedFile as exc:
        remedy = "Make it this user's own file again: chmod 600."
        raise StorageUnavailable(
            describe_tokens_path(path), str(exc), access="read", remedy=remedy
        ) from exc
    except OSError as exc:
        reason = describe_os_error(exc)
        raise StorageUnavailable(describe_tokens_path(path), reason, access="read") from exc
    if len(file.content) > MAX_BYTES:
        msg = f"has more than {MAX_BYTES >> 10} kB, which is too large; is it another file?"
        raise ConfigError({describe_tokens_path(path): msg})
    return parse_tokens(file.content, settings), _signature(file.stat)


def parse_tokens(content: bytes, settings: Settings) -> TokensFile:
    """What a tokens file with this content says.

    Raises:
        ConfigError: it is not right; every mistake is named with its entry.
    """
    place = describe_tokens_path(tokens_path(settings.state_dir))
    problems: dict[str, str] = {}
    tokens, tenants, oauth = parse_document(content, place, problems)
    tenants = read_key_files(tenants, place, problems)
    file = TokensFile(tokens=tokens, tenants=tenants, oauth=oauth)
    if not problems:
        folders = {
            name: tenants[name].output_dir if name in tenants else None
            for name in file.tenant_names
        }
        problems.update(
            (f'{place}, tenant "{name}"', said)
            for name, said in find_shared_folders(folders, settings)
        )
    if problems:
        raise ConfigError(problems)
    return file


def settings_of_tenant(
    settings: Settings, tokens: TokensFile, tenant: str, key: SecretStr | None = None
) -> Settings:
    """The settings of *tenant*, made from those of the operator.

    *key* is the one that the client sent; it wins over that of the tokens file.
    """
    if tenant == LOCAL_TENANT:
        return settings
    own = tokens.tenants.get(tenant, TenantSettings())
    key = key or own.api_key
    base_url = settings.url_with_key if key else settings.base_url
    no_longer_sandbox = settings.base_url != base_url
    quota = settings.hosting.quota_mb if own.quota_mb is None else own.quota_mb
    return replace(
        settings,
        tenant=tenant,
        api_key=key or settings.api_key,
        base_url=base_url,
        default_model=default_model_with_key(settings.default_model, Media.VIDEO)
        if no_longer_sandbox
        else settings.default_model,
        sandbox_reason=None if key else settings.sandbox_reason,
        output_dir=own.output_dir or default_folder(settings.output_dir, tenant),
        image_dirs=(),
        max_videos_per_day=_first(own.max_videos_per_day, settings.max_videos_per_day),
        max_in_flight=_first(own.max_in_flight, settings.max_in_flight),
        max_cny_per_day=settings.max_cny_per_day
        if own.max_cny_per_day is None
        else own.max_cny_per_day,
        hosting=replace(settings.hosting, quota_mb=quota),
    )


def _first(own: int | None, general: int) -> int:
    return general if own is None else own


def has_key_alone(settings: Settings, tokens: TokensFile, tenant: str) -> bool:
    """Whether the key of *tenant* is no other tenant's: what GeekAI has by it is then its own."""
    names = {LOCAL_TENANT, *tokens.tenant_names, tenant}
    accounts = {name: settings_of_tenant(settings, tokens, name).account for name in names}
    own = accounts.pop(tenant)
    named = tenant == LOCAL_TENANT or tokens.tenants.get(tenant, TenantSettings()).api_key
    return bool(named) and own not in accounts.values()


_Signature = tuple[int, ...] | None
"""What tells one state of the file from another; None where there is none."""


def _signature(found: os.stat_result) -> _Signature:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class LiveTokens:
    """The tokens file as it is now: it is read again whenever it has changed.

    A file that cannot be read lets nobody in: which of its tokens have been revoked is not known.
    """

    def __init__(self, settings: Settings) -> None:
        """Read the file for the first time.

        Raises:
            ConfigError, StorageUnavailable: as `load_tokens_file`.
        """
        self._settings = settings
        self._path = tokens_path(settings.state_dir)
        self._lock = threading.Lock()
        self._error: ConfigError | StorageUnavailable | None = None
        self._seen: _Signature | str
        self._tokens, self._seen = _load(settings)

    def changed(self) -> bool:
        """Whether the file is another one than that of the last reading."""
        return self._find_signature() != self._seen

    def read(self) -> TokensFile:
        """What the file says; it is read only if it has changed.

        Raises:
            ConfigError, StorageUnavailable: as `load_tokens_file`, until it is put right.
        """
        with self._lock:
            seen = self._find_signature()
            if seen != self._seen:
                self._reload(seen)
            if self._error is not None:
                raise self._error.with_traceback(None)
            return self._tokens

    def _reload(self, seen: "_Signature | str") -> None:
        try:
            self._tokens, self._seen = _load(self._settings)
            self._error = None
        except (ConfigError, StorageUnavailable) as exc:
            self._error, self._seen = exc, seen

    def _find_signature(self) -> "_Signature | str":
        try:
            return _signature(self._path.lstat())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            return describe_os_error(exc)
