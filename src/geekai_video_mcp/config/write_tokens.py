"""Changes to the tokens file: each is checked as a whole before it is put into place."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

from geekai_video_mcp.config import Settings
from geekai_video_mcp.config.private_files import (
    UntrustedFile,
    read_private_file,
    write_private_file,
)
from geekai_video_mcp.config.tokens_document import VERSION, parse_json
from geekai_video_mcp.config.tokens_file import (
    MAX_BYTES,
    TOKENS_FILE,
    TokensFile,
    describe_tokens_path,
    hash_token,
    load_tokens_file,
    parse_tokens,
    tokens_path,
)
from geekai_video_mcp.errors import InvalidDecision, StorageUnavailable, describe_os_error
from geekai_video_mcp.file_locks import exclusive_lock

TOKEN_BYTES: Final = 32
"""Random bytes of a new token: 256 bits."""

_T = TypeVar("_T")
_Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class NewToken:
    token: str
    tenant: str
    is_new_tenant: bool
    """Whether the file did not name this tenant before."""


def add_token(
    settings: Settings, name: str, tenant: str, members: Mapping[str, str | int | float]
) -> NewToken:
    """A new token for *tenant*, for which *members* are set; others that it has stay.

    Raises:
        InvalidDecision: there is a token of this name.
        ConfigError, StorageUnavailable: the file is not right, or would not be.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)

    def add(document: _Document, before: TokensFile) -> NewToken:
        if any(each.name == name for each in before.tokens):
            msg = f'There is a token "{name}" already: revoke it first, or choose another name'
            raise InvalidDecision(msg)
        entry = {
            "name": name,
            "tenant": tenant,
            "sha256": hash_token(token),
            "created_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        document.setdefault("tokens", []).append(entry)
        if members:
            document.setdefault("tenants", {}).setdefault(tenant, {}).update(members)
        return NewToken(token=token, tenant=tenant, is_new_tenant=tenant not in before.tenant_names)

    return _change(settings, add)


def revoke_token(settings: Settings, name: str) -> str:
    """Remove a token; returns its tenant, whose settings stay.

    Raises:
        InvalidDecision: there is none of this name.
        ConfigError, StorageUnavailable: the file is not right.
    """

    def remove(document: _Document, before: TokensFile) -> str:
        tenants = {each.name: each.tenant for each in before.tokens}
        if name not in tenants:
            msg = f'There is no token "{name}": geekai-video-mcp tokens list shows the names'
            raise InvalidDecision(msg)
        document["tokens"] = [each for each in document["tokens"] if each["name"] != name]
        return tenants[name]

    return _change(settings, remove)


def _change(settings: Settings, change: Callable[[_Document, TokensFile], _T]) -> _T:
    path = tokens_path(settings.state_dir)
    place = describe_tokens_path(path)
    try:
        settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_path = settings.state_dir / f"{TOKENS_FILE}.lock"
        with lock_path.open("ab") as lock, exclusive_lock(lock.fileno()):
            before = load_tokens_file(settings)
            try:
                content = read_private_file(path, max_bytes=MAX_BYTES).content
                document = cast("_Document", parse_json(content, place))
            except FileNotFoundError:
                document = {"version": VERSION}
            result = change(document, before)
            text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
            parse_tokens(text.encode(), settings)
            write_private_file(path, text.encode())
    except UntrustedFile as exc:
        raise StorageUnavailable(place, str(exc), access="read") from exc
    except OSError as exc:
        raise StorageUnavailable(place, describe_os_error(exc)) from exc
    return result
