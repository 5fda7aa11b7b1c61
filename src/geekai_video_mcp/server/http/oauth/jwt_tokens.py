"""Tokens that carry their claims, signed by the issuer: RFC 9068."""

from collections.abc import Sequence
from typing import Any, Final, cast

import jwt

from geekai_video_mcp.server.http.oauth.claims import LEEWAY_SECONDS, Claims, spellings
from geekai_video_mcp.server.http.oauth.metadata import ServerMetadata
from geekai_video_mcp.server.http.oauth.signing_keys import ALGORITHMS, SigningKeys
from geekai_video_mcp.server.http.verifiers import TokenRefused

_REQUIRED: Final = ["exp", "iss", "aud"]
_WRONG: Final = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)
"""What PyJWT raises for a token that is not valid; the latter for some that were made for that."""
_REASONS: Final = {
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.InvalidAudienceError: "it was issued for another server than GEEKAI_PUBLIC_URL",
    jwt.MissingRequiredClaimError: "it has no exp, iss or aud",
}


class JWTTokens:
    """Verifies tokens by the issuer's public keys."""

    def __init__(self, metadata: ServerMetadata, *, audiences: Sequence[str]) -> None:
        self._issuer = metadata.issuer
        self._keys = SigningKeys(metadata)
        self._audiences = spellings(audiences)

    async def read_claims(self, token: str) -> Claims | None:
        """The claims of a token that is valid now and for this server; None if it is none.

        Raises:
            TokenRefused: the issuer has made it, and it is not valid here and now.
            AuthorizationServerFailed: the issuer's keys cannot be had.
        """
        header = self._read_header(token)
        if header is None:
            return None
        algorithm = header["alg"]
        for key in await self._keys.find(header.get("kid"), algorithm):
            try:
                return jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    audience=self._audiences,
                    issuer=self._issuer,
                    leeway=LEEWAY_SECONDS,
                    options={"require": _REQUIRED},
                )
            except jwt.InvalidSignatureError:
                continue  # a token without a key's name may have been signed by the next one
            except _WRONG as exc:
                reasons = (reason for kind, reason in _REASONS.items() if isinstance(exc, kind))
                raise TokenRefused(next(reasons, "its claims are not valid")) from exc
        msg = "no key of the issuer has signed it"
        raise TokenRefused(msg)

    def _read_header(self, token: str) -> dict[str, Any] | None:
        """The header, if the keys are worth looking for; nothing in it has been verified."""
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(token, options={"verify_signature": False})
        except _WRONG:
            return None
        algorithm: object = header.get("alg")
        key_id: object = header.get("kid")
        usable = (
            isinstance(algorithm, str)
            and algorithm in ALGORITHMS
            and "crit" not in header
            and (key_id is None or isinstance(key_id, str))
            and cast("object", claims.get("iss")) == self._issuer
        )
        return header if usable else None
