"""What a token says: whether it is for this server, and whose it is. Pure, but for the clock."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings

from geekai_video_mcp.config.hosting import OAuthSettings
from geekai_video_mcp.domain.tenants import oauth_tenant
from geekai_video_mcp.server.http.principals import TENANT_CLAIM
from geekai_video_mcp.server.http.verifiers import TokenRefused

LEEWAY_SECONDS: Final = 30
"""Seconds by which two machines' clocks may differ."""
MAX_CLAIM_CHARACTERS: Final = 1000

Claims = dict[str, Any]


def spellings(audiences: Sequence[str]) -> list[str]:
    """The addresses as an issuer may write them: with and without a slash at the end."""
    return [spelling for each in audiences for spelling in (each, f"{each}/")]


def check_claims(claims: Claims, issuer: str, audiences: Sequence[str]) -> None:
    """Refuse an introspected token that is not valid now or not for this server.

    The issuer itself has said that it is active; it may leave out who it is and until when.

    Raises:
        TokenRefused: it is not valid.
    """
    audience: object = claims.get("aud")
    named = cast("list[object]", audience) if isinstance(audience, list) else [audience]
    now = time.time()
    if claims.get("iss", issuer) != issuer:
        problem = "it is of another issuer"
    elif not any(each in audiences for each in named):
        problem = "it was issued for another server than GEEKAI_PUBLIC_URL, or names none"
    elif not now - LEEWAY_SECONDS < _read_time(claims.get("exp"), math.inf):
        problem = "it has expired"
    elif not now + LEEWAY_SECONDS >= _read_time(claims.get("nbf"), 0.0):
        problem = "it is not valid yet"
    else:
        return
    raise TokenRefused(problem)


def _read_time(value: object, default: float) -> float:
    """A time of a claim; what is none compares as no time does."""
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # of hundreds of digits
        return math.nan


def to_access_token(
    claims: Claims, oauth: OAuthSettings, auth: AuthSettings, mapped: Mapping[str, str]
) -> AccessToken:
    """The SDK's record of a valid token, with its tenant and without the token itself.

    *mapped* has the tenants that the operator has given to people of the authorisation server.

    Raises:
        TokenRefused: it does not say whose it is.
    """
    value = _read_person(claims, oauth.tenant_claim)
    expires = _read_time(claims.get("exp"), math.inf)
    if math.isnan(expires):
        msg = "its exp is no time"
        raise TokenRefused(msg)
    client: object = claims.get("azp") or claims.get("client_id") or claims.get("cid")
    return AccessToken(
        token="",
        client_id=str(client or "unknown"),
        scopes=_read_scopes(claims),
        # The SDK compares without leeway.
        expires_at=int(expires) + LEEWAY_SECONDS if math.isfinite(expires) else None,
        # Its audience, which has been compared, in the one spelling that the SDK compares.
        resource=str(auth.resource_server_url),
        subject=str(claims.get("sub") or value),
        claims={
            "iss": oauth.issuer,
            TENANT_CLAIM: mapped.get(value) or oauth_tenant(oauth.issuer, value),
        },
    )


def _read_person(claims: Claims, name: str) -> str:
    """The claim that says whose the token is."""
    value: object = claims.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_CLAIM_CHARACTERS:
        msg = f"it has no claim {name}, which GEEKAI_OAUTH_TENANT_CLAIM names"
        raise TokenRefused(msg)
    verified: object = claims.get("email_verified", True)
    if name == "email" and verified is not True and verified != "true":
        msg = "its email is not verified, and so does not say whose it is"
        raise TokenRefused(msg)
    return value


def _read_scopes(claims: Claims) -> list[str]:
    """The scopes: `scope` in words (RFC 8693), or `scp`, as two widespread makers write it."""
    value: object = claims.get("scope", claims.get("scp"))
    if isinstance(value, str):
        return value.split()
    if isinstance(value, list):
        return [each for each in cast("list[object]", value) if isinstance(each, str)]
    return []
