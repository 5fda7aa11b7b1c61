"""The settings of a server over HTTP that serves more than this machine."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

from geekai_video_mcp.config.reader import SettingsReader
from geekai_video_mcp.config.values import parse_positive
from geekai_video_mcp.domain.public_hosts import is_loopback

HOSTING_VARIABLES: Final = (
    "GEEKAI_ALLOWED_HOSTS",
    "GEEKAI_TRUSTED_PROXIES",
    "GEEKAI_PUBLIC_URL",
    "GEEKAI_SECRET",
    "GEEKAI_CLIENT_KEYS",
    "GEEKAI_OAUTH_ISSUER",
    "GEEKAI_OAUTH_CLIENT_ID",
    "GEEKAI_OAUTH_CLIENT_SECRET",
    "GEEKAI_OAUTH_SCOPES",
    "GEEKAI_OAUTH_TENANT_CLAIM",
    "GEEKAI_KEEP_DAYS",
    "GEEKAI_QUOTA_MB",
    "GEEKAI_MAX_CALLS_PER_MINUTE",
    "GEEKAI_LOG_FORMAT",
    "GEEKAI_DATABASE_URL",
)
"""The variables of a server that several people use; most are read over HTTP alone."""
SECRETS: Final = frozenset({"GEEKAI_SECRET", "GEEKAI_OAUTH_CLIENT_SECRET", "GEEKAI_DATABASE_URL"})
MIN_SECRET_BYTES: Final = 32
LogFormat = Literal["text", "json"]
ClientKeys = Literal["refuse", "allow"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST: Final = re.compile(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
"""What a scope consists of; RFC 6749, section 3.3."""
_CLAIM: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,100}")


@dataclass(frozen=True, kw_only=True)
class OAuthSettings:
    """The authorisation server whose tokens are taken."""

    issuer: str
    """Its URL, exactly as its metadata and its tokens write it."""
    client_id: str | None = None
    client_secret: SecretStr | None = None
    """With both, a token is verified by introspection; otherwise by the issuer's public keys."""
    scopes: tuple[str, ...] = ()
    """What a token must be allowed to do."""
    tenant_claim: str = "sub"
    """The claim that says whose a token is."""


@dataclass(frozen=True, kw_only=True)
class HostingSettings:
    """What an operator decides about a server that others use."""

    allowed_hosts: tuple[str, ...] = ()
    """Names without port by which the server is reached, beside those of loopback."""
    trusted_proxies: tuple[Network, ...] = ()
    """Whose X-Forwarded-* headers are believed."""
    public_url: str | None = None
    """The server's address as clients see it, without a slash at the end."""
    secret: SecretStr | None = None
    """What links and the state of a question are signed with; all replicas need the same."""
    client_keys: ClientKeys = "refuse"
    """Whether a client may send a GeekAI key of its own."""
    oauth: OAuthSettings | None = None
    keep_days: int | None = None
    """Days after its end until the files of a task are deleted; None for never."""
    quota_mb: int | None = None
    """Megabytes (1,000,000 bytes) of files that a tenant may have; None for no quota."""
    max_calls_per_minute: int = 600
    """Requests over HTTP of one principal, on average."""
    log_format: LogFormat = "text"
    database_url: SecretStr | None = None
    """The PostgreSQL database that has the ledger; None for SQLite in the state folder."""


def read_hosting(reader: SettingsReader) -> HostingSettings:
    """These settings; mistakes are added to those of *reader*."""
    public_url = reader.get("GEEKAI_PUBLIC_URL", parse_public_url, None)
    return HostingSettings(
        allowed_hosts=reader.get("GEEKAI_ALLOWED_HOSTS", parse_hosts, ()),
        trusted_proxies=reader.get("GEEKAI_TRUSTED_PROXIES", parse_networks, ()),
        public_url=public_url,
        secret=reader.get("GEEKAI_SECRET", parse_secret, None),
        client_keys=reader.get_choice("GEEKAI_CLIENT_KEYS", _CLIENT_KEYS, "refuse"),
        oauth=_read_oauth(reader, public_url),
        keep_days=reader.get("GEEKAI_KEEP_DAYS", parse_positive, None),
        quota_mb=reader.get("GEEKAI_QUOTA_MB", parse_positive, None),
        max_calls_per_minute=reader.get(
            "GEEKAI_MAX_CALLS_PER_MINUTE", parse_positive, HostingSettings.max_calls_per_minute
        ),
        log_format=reader.get_choice("GEEKAI_LOG_FORMAT", _LOG_FORMATS, "text"),
        database_url=reader.get("GEEKAI_DATABASE_URL", parse_database_url, None),
    )


_LOG_FORMATS: Final[tuple[LogFormat, ...]] = ("text", "json")
_CLIENT_KEYS: Final[tuple[ClientKeys, ...]] = ("refuse", "allow")


def describe_hosting(hosting: HostingSettings) -> Mapping[str, str | None]:
    """The text of each of these settings as `doctor` shows it, secrets masked; None if not set."""
    oauth = hosting.oauth
    return {
        "GEEKAI_ALLOWED_HOSTS": " ".join(hosting.allowed_hosts) or None,
        "GEEKAI_TRUSTED_PROXIES": " ".join(map(str, hosting.trusted_proxies)) or None,
        "GEEKAI_PUBLIC_URL": hosting.public_url,
        "GEEKAI_SECRET": "set" if hosting.secret else None,
        "GEEKAI_CLIENT_KEYS": hosting.client_keys,
        "GEEKAI_OAUTH_ISSUER": oauth.issuer if oauth else None,
        "GEEKAI_OAUTH_CLIENT_ID": oauth.client_id if oauth else None,
        "GEEKAI_OAUTH_CLIENT_SECRET": "set" if oauth and oauth.client_secret else None,
        "GEEKAI_OAUTH_SCOPES": " ".join(oauth.scopes) or None if oauth else None,
        "GEEKAI_OAUTH_TENANT_CLAIM": oauth.tenant_claim if oauth else None,
        "GEEKAI_KEEP_DAYS": _number(hosting.keep_days),
        "GEEKAI_QUOTA_MB": _number(hosting.quota_mb),
        "GEEKAI_MAX_CALLS_PER_MINUTE": str(hosting.max_calls_per_minute),
        "GEEKAI_LOG_FORMAT": hosting.log_format,
        "GEEKAI_DATABASE_URL": "set" if hosting.database_url else None,
    }


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)


def _read_oauth(reader: SettingsReader, public_url: str | None) -> OAuthSettings | None:
    issuer = reader.get("GEEKAI_OAUTH_ISSUER", parse_issuer, None)
    client_id = reader.get("GEEKAI_OAUTH_CLIENT_ID", str, None)
    client_secret = reader.get("GEEKAI_OAUTH_CLIENT_SECRET", SecretStr, None)
    scopes = reader.get("GEEKAI_OAUTH_SCOPES", parse_scopes, ())
    claim = reader.get("GEEKAI_OAUTH_TENANT_CLAIM", parse_claim, OAuthSettings.tenant_claim)
    if issuer is None:
        return None
    if public_url is None and "GEEKAI_PUBLIC_URL" not in reader.problems:
        reader.problems["GEEKAI_PUBLIC_URL"] = (
            "is needed with GEEKAI_OAUTH_ISSUER: a token has to be issued for this server's address"
        )
    if (client_id is None) is not (client_secret is None):
        reader.problems["GEEKAI_OAUTH_CLIENT_ID"] = (
            "and GEEKAI_OAUTH_CLIENT_SECRET belong together: set both to verify tokens by"
            " introspection, or neither to verify them by the issuer's keys"
        )
    return OAuthSettings(
        issuer=issuer,
        client_id=client_id,
        client_secret=client_secret,
        scopes=scopes,
        tenant_claim=claim,
    )


def parse_hosts(value: str) -> tuple[str, ...]:
    hosts = _split_list(value)
    for host in hosts:
        if not _HOST.fullmatch(host):
            msg = (
                "must be host names without scheme, port or wildcard, separated by spaces or"
                " commas, such as video.example.com host.docker.internal"
            )
            raise ValueError(msg)
    return tuple(host.lower() for host in hosts)


def parse_networks(value: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(each) for each in _split_list(value))
    except ValueError:
        msg = (
            "must be addresses or networks, separated by spaces or commas, such as 127.0.0.1"
            " 10.0.0.0/8"
        )
        raise ValueError(msg) from None


def parse_public_url(value: str) -> str:
    _check_url(value, example="https://video.example.com")
    return value.rstrip("/")


def parse_issuer(value: str) -> str:
    _check_url(value, example="https://login.example.com")
    return value


def _check_url(value: str, *, example: str) -> None:
    """Refuse what is no plain https URL; http is for loopback, where nobody listens in."""
    try:
        parts = urlsplit(value)
        usable = parts.port != 0 and value.isprintable() and " " not in value
    except ValueError:  # its message may repeat the whole URL
        usable, parts = False, urlsplit("")
    extra = "@" in parts.netloc or "?" in value or "#" in value
    if not usable or not parts.hostname or extra or parts.scheme not in {"https", "http"}:
        msg = f"must be a URL without user name, query or fragment, such as {example}"
        raise ValueError(msg)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        msg = "must be https: tokens and links would be sent unencrypted; http is for loopback only"
        raise ValueError(msg)


def parse_secret(value: str) -> SecretStr:
    if len(value.encode()) < MIN_SECRET_BYTES:
        msg = (
            f"must have at least {MIN_SECRET_BYTES} bytes, made at random: openssl rand -base64 32"
            " prints such a one"
        )
        raise ValueError(msg)
    return SecretStr(value)


def parse_database_url(value: str) -> SecretStr:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"postgres", "postgresql"} and parts.port != 0
    except ValueError:  # its message may repeat the whole address, and the password in it
        usable = False
    if not usable:
        msg = "must have the form postgresql://USER:PASSWORD@HOST:5432/DATABASE"
        raise ValueError(msg)
    return SecretStr(value)


def parse_scopes(value: str) -> tuple[str, ...]:
    scopes = _split_list(value)
    if not all(map(_SCOPE.fullmatch, scopes)):
        msg = "must be scopes separated by spaces, such as video"
        raise ValueError(msg)
    return scopes


def parse_claim(value: str) -> str:
    if not _CLAIM.fullmatch(value):
        msg = "must be the name of a claim, such as sub or email"
        raise ValueError(msg)
    return value


def _split_list(value: str) -> tuple[str, ...]:
    return tuple(value.replace(",", " ").split())
