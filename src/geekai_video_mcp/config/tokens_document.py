"""The JSON of the tokens file: what its entries mean, and every mistake by the entry's name.

No message repeats a value, because one of them may be a key.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from pydantic import SecretStr

from geekai_video_mcp.config.keys import parse_key, read_key_line
from geekai_video_mcp.config.values import (
    MAX_COUNT_DIGITS,
    check_text,
    parse_absolute_path,
    parse_folder,
    refuse_zero,
)
from geekai_video_mcp.domain.tenants import LOCAL_TENANT, OAUTH_PREFIX, is_tenant_name
from geekai_video_mcp.errors import ConfigError
from geekai_video_mcp.quoting import quote

VERSION: Final = 1
TENANT_RULE: Final = (
    "a tenant's name has at most 40 of the characters a-z, 0-9, - and _, begins with a letter or"
    f" digit, and is neither {LOCAL_TENANT} nor begins with {OAUTH_PREFIX}"
)
TOKEN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
NAME_RULE: Final = (
    "a token's name has at most 64 letters, digits and . _ @ -, and begins with a letter or digit"
)
MAX_AMOUNT: Final = 10.0**7
_SHA256: Final = re.compile(r"[0-9a-f]{64}")

_T = TypeVar("_T")
Problems = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class IssuedToken:
    """A token that the operator has given to somebody."""

    name: str
    tenant: str
    sha256: str
    """Of the token, in hexadecimal digits."""
    created_at: str


@dataclass(frozen=True, kw_only=True)
class TenantSettings:
    """What the operator has decided for one tenant; None leaves it to the general settings."""

    output_dir: Path | None = None
    max_videos_per_day: int | None = None
    max_in_flight: int | None = None
    max_cny_per_day: float | None = None
    quota_mb: int | None = None
    api_key: SecretStr | None = None
    """Its GeekAI key, written in the tokens file or read from `api_key_file`."""
    api_key_file: Path | None = None


def may_be_tenant(name: str) -> bool:
    """Whether the operator may give this name to a tenant."""
    return is_tenant_name(name) and name != LOCAL_TENANT


def parse_document(
    content: bytes, place: str, problems: Problems
) -> tuple[tuple[IssuedToken, ...], Mapping[str, TenantSettings], Mapping[str, str]]:
    """The tokens, the tenants and the people of OAuth; mistakes are added to *problems*.

    Raises:
        ConfigError: it is not JSON of this version.
    """
    table = parse_json(content, place)
    for name in table.keys() - {"version", "tokens", "tenants", "oauth"}:
        problems[f"{place}, {quote(name, limit=40)}"] = "is not known here"
    tokens = table.get("tokens", [])
    if not isinstance(tokens, list):
        problems[f"{place}, tokens"] = "must be a list"
        tokens = []
    parsed = _parse_tokens(cast("list[object]", tokens), place, problems)
    tenants = {
        name: _parse_tenant(name, value, place, problems)
        for name, value in _table(table.get("tenants", {}), f"{place}, tenants", problems).items()
    }
    oauth = _table(table.get("oauth", {}), f"{place}, oauth", problems)
    for value, tenant in oauth.items():
        if not isinstance(tenant, str) or not may_be_tenant(tenant):
            problems[f"{place}, oauth {quote(value, limit=80)}"] = f"names no tenant: {TENANT_RULE}"
    return parsed, tenants, {value: str(tenant) for value, tenant in oauth.items()}


def parse_json(content: bytes, place: str) -> dict[str, object]:
    """The table that the file is.

    Raises:
        ConfigError: it is not JSON of this version.
    """
    try:
        table: object = json.loads(content, object_pairs_hook=_unique, parse_constant=_no_constant)
    except _Twice as exc:
        problem = f"has two entries {quote(exc.name, limit=80)}; remove one"
    except (ValueError, RecursionError):  # whose message may repeat a part of it
        problem = "is not JSON; restore it, or delete it and run geekai-video-mcp tokens add again"
    else:
        members = cast("dict[str, object]", table) if isinstance(table, dict) else {}
        version = members.get("version")
        if version == VERSION and version is not True:
            return members
        problem = (
            'must be a JSON object with "version": 1; was it written by a newer version of this'
            " program?"
        )
    raise ConfigError({place: problem})


class _Twice(ValueError):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict[str, Any]()
    for name, value in pairs:
        if name in table:
            raise _Twice(name)
        table[name] = value
    return table


def _no_constant(_: str) -> object:
    msg = "not a number"
    raise ValueError(msg)


def _table(value: object, place: str, problems: Problems) -> Mapping[str, object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value)
    problems[place] = "must be an object in braces"
    return {}


def _parse_tokens(entries: list[object], place: str, problems: Problems) -> tuple[IssuedToken, ...]:
    tokens: dict[str, IssuedToken] = {}
    digests: dict[str, str] = {}
    for number, entry in enumerate(entries, start=1):
        table = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
        name = table.get("name")
        if not isinstance(name, str) or not TOKEN_NAME.fullmatch(name):
            problems[f"{place}, token {number}"] = f"has no name: {NAME_RULE}"
            continue
        label = f'{place}, token "{name}"'
        tenant, digest = table.get("tenant"), table.get("sha256")
        created = table.get("created_at", "")
        if name in tokens:
            problems[label] = "has the name of another token"
        elif unknown := table.keys() - {"name", "tenant", "sha256", "created_at"}:
            problems[label] = f"{quote(sorted(unknown)[0], limit=40)} is not known here"
        elif not isinstance(tenant, str) or not may_be_tenant(tenant):
            problems[label] = f"has no tenant: {TENANT_RULE}"
        elif not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            problems[label] = "has no sha256 of 64 hexadecimal digits"
        elif digest in digests:
            problems[label] = f'has the same token as "{digests[digest]}"'
        elif not isinstance(created, str):
            problems[label] = "has a created_at that is no text"
        else:
            digests[digest] = name
            tokens[name] = IssuedToken(name=name, tenant=tenant, sha256=digest, created_at=created)
    return tuple(tokens.values())


def _parse_tenant(name: str, value: object, place: str, problems: Problems) -> TenantSettings:
    label = f"{place}, tenant {quote(name, limit=60)}"
    if not may_be_tenant(name):
        problems[label] = f"cannot have this name: {TENANT_RULE}"
        return TenantSettings()
    table = _table(value, label, problems)
    known = TenantSettings.__dataclass_fields__
    for unknown in sorted(table.keys() - known.keys()):
        problems[f"{label}, {quote(unknown, limit=40)}"] = f"is not one of {', '.join(known)}"
    if table.get("api_key") is not None and table.get("api_key_file") is not None:
        problems[label] = "has api_key and api_key_file; which of the two holds the key? Remove one"

    def get(member: str, read: Callable[[object], _T]) -> _T | None:
        given = table.get(member)
        if given is None:
            return None
        try:
            return read(given)
        except ValueError as exc:
            problems[f"{label}, {member}"] = str(exc)
            return None

    return TenantSettings(
        output_dir=get("output_dir", lambda given: parse_folder(_text(given))),
        max_videos_per_day=get("max_videos_per_day", _count),
        max_in_flight=get("max_in_flight", _count),
        max_cny_per_day=get("max_cny_per_day", _amount),
        quota_mb=get("quota_mb", _quota),
        api_key=get("api_key", lambda given: parse_key(_text(given))),
        api_key_file=get("api_key_file", lambda given: parse_absolute_path(_text(given))),
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        msg = "must be text in quotes"
        raise ValueError(msg)
    check_text(value)
    return value.strip()


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MAX_AMOUNT:
        msg = f"must be a whole number of at most {MAX_COUNT_DIGITS} digits; 0 allows none"
        raise ValueError(msg)
    return value


def _quota(value: object) -> int:
    return refuse_zero(_count(value))


def _amount(value: object) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= cast("float", value) < MAX_AMOUNT:
        msg = "must be an amount in CNY, such as 20 or 12.50; 0 allows only what is free"
        raise ValueError(msg)
    return float(cast("float", value))


def read_key_files(
    tenants: Mapping[str, TenantSettings], place: str, problems: Problems
) -> Mapping[str, TenantSettings]:
    """The tenants with the keys of their files; mistakes are added to *problems*."""
    complete: dict[str, TenantSettings] = {}
    for name, tenant in tenants.items():
        complete[name] = tenant
        if tenant.api_key_file is None:
            continue
        try:
            complete[name] = replace(tenant, api_key=read_key_file(tenant.api_key_file))
        except ValueError as exc:
            path = quote(str(tenant.api_key_file), limit=1000)
            problems[f'{place}, tenant "{name}", api_key_file'] = f"names {path}, which {exc}"
    return complete


def read_key_file(path: Path) -> SecretStr:
    """The key that the file holds alone.

    Raises:
        ValueError: why there is none, in words that follow the path.
    """
    line = read_key_line(path)
    try:
        key = parse_key(line)
    except ValueError as exc:
        msg = f"holds no key: what stands there {exc}"
        raise ValueError(msg) from None
    if key is None:
        msg = "holds no key"
        raise ValueError(msg)
    return key
