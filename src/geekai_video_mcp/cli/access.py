"""Who may call a server over HTTP, and what has to be set before others reach it."""

import argparse
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from geekai_video_mcp.domain.public_hosts import is_loopback
from geekai_video_mcp.errors import ConfigError
from geekai_video_mcp.server.http import (
    FirstOf,
    LocalTokenVerifier,
    TokensFileVerifier,
    load_token,
)
from geekai_video_mcp.server.http.protected_resource import auth_settings

if TYPE_CHECKING:
    from mcp.server.auth.provider import TokenVerifier
    from mcp.server.auth.settings import AuthSettings

    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.config.hosting import HostingSettings
    from geekai_video_mcp.config.tokens_file import LiveTokens, TokensFile


@dataclass(frozen=True, kw_only=True)
class Access:
    """By what a caller is let in; without a verifier everybody is, as the operator."""

    verifier: "TokenVerifier | None" = None
    auth: "AuthSettings | None" = None
    """Set if the tokens of an authorisation server are taken."""
    local_token: str | None = None
    """The operator's own."""
    issued: int = 0
    """How many tokens the tokens file has."""


def is_exposed(arguments: argparse.Namespace, settings: "Settings") -> bool:
    """Whether others than this machine reach the server, directly or through a proxy."""
    return not is_loopback(arguments.host) or bool(_find_exposing_variables(settings.hosting))


def _find_exposing_variables(hosting: "HostingSettings") -> list[str]:
    """The names of the variables that say that others reach a server on loopback.

    A name of loopback says nothing of others. A trusted proxy does, wherever it is: it passes on
    what others send.
    """
    public_host = urlsplit(hosting.public_url or "").hostname
    exposing = {
        "GEEKAI_ALLOWED_HOSTS": not all(map(is_loopback, hosting.allowed_hosts)),
        "GEEKAI_TRUSTED_PROXIES": bool(hosting.trusted_proxies),
        "GEEKAI_PUBLIC_URL": public_host is not None and not is_loopback(public_host),
    }
    return [name for name, exposes in exposing.items() if exposes]


def refuse_to_be_open(
    arguments: argparse.Namespace, settings: "Settings", tokens: "TokensFile"
) -> None:
    """Refuse to serve where others may call, unless they need a token and a known address.

    Raises:
        ConfigError: with all that is missing, by the option or the variables that expose it.
    """
    if not is_exposed(arguments, settings):
        return
    if is_loopback(arguments.host):
        names = _find_exposing_variables(settings.hosting)
        place = " and ".join(names)
        verb = "says" if len(names) == 1 else "say"
        reason = f"{verb} that others reach this server, although it listens on loopback."
    else:
        _require_address(arguments.host)
        place = f"--host {arguments.host}"
        reason = "is not a loopback address, so that other machines reach this server."
    if missing := list(_find_missing(arguments, settings, tokens)):
        raise ConfigError({place: f"{reason} {' '.join(missing)}"})


def _require_address(host: str) -> None:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        msg = (
            "must be an address of this machine and not a name: 127.0.0.1 for loopback, which"
            " only this machine reaches, or 0.0.0.0 for all of its addresses"
        )
        raise ConfigError({f"--host {host}": msg}) from None


def _find_missing(
    arguments: argparse.Namespace, settings: "Settings", tokens: "TokensFile"
) -> Iterator[str]:
    if not tokens.tokens and settings.hosting.oauth is None:
        yield (
            "It needs a token for each caller: geekai-video-mcp tokens add NAME makes one (or set"
            " GEEKAI_OAUTH_ISSUER to an authorisation server)."
        )
    if not is_loopback(arguments.host) and not settings.hosting.allowed_hosts:
        yield (
            "It needs the names by which it is reached: set GEEKAI_ALLOWED_HOSTS, such as"
            " host.docker.internal or video.example.com."
        )
    if arguments.no_token:
        yield "--no-token is for a server that only this machine reaches: leave it out."


def decide_access(
    settings: "Settings", live: "LiveTokens", *, no_token: bool, exposed: bool
) -> Access:
    """Who is let in. The keyless sandbox, which costs nothing, asks this machine for no token.

    It does so where the operator has made tokens, or lets an authorisation server make them.
    """
    oauth = settings.hosting.oauth
    issued = len(live.read().tokens)
    if no_token or (settings.sandbox and not exposed and not issued and oauth is None):
        return Access()
    public_url = settings.hosting.public_url
    auth = auth_settings(oauth, public_url) if oauth and public_url else None
    local_token = load_token(settings.state_dir)
    verifiers: list[TokenVerifier] = [
        LocalTokenVerifier(local_token, auth),
        TokensFileVerifier(live, auth),
    ]
    if oauth is not None and auth is not None:
        from geekai_video_mcp.server.http.oauth import OAuthVerifier

        verifiers.append(OAuthVerifier(oauth, auth, live))
    return Access(verifier=FirstOf(verifiers), auth=auth, local_token=local_token, issued=issued)


def describe_access(settings: "Settings", access: Access) -> Iterator[str]:
    """What the operator should know about it, as sentences."""
    if access.issued:
        yield f"{access.issued} more in the tokens file: geekai-video-mcp tokens list shows whose."
    if settings.hosting.oauth is not None:
        yield f"Tokens of {settings.hosting.oauth.issuer} are taken as well."
    if settings.hosting.allowed_hosts and not (settings.hosting.public_url or "").startswith(
        "https"
    ):
        yield (
            "Tokens and videos travel unencrypted unless a proxy with TLS is in front of this"
            " server."
        )
