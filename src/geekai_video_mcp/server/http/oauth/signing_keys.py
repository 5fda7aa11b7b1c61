"""The issuer's public keys: RFC 7517."""

from typing import Any, Final, cast

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from geekai_video_mcp.server.http.oauth.cached import Cached
from geekai_video_mcp.server.http.oauth.fetching import AuthorizationServerFailed, fetch_json
from geekai_video_mcp.server.http.oauth.metadata import ServerMetadata

ALGORITHMS: Final = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}
"""The algorithms that are taken, and the kind of key of each. None of them is symmetric: with one
of those, anybody could sign by the public key."""
MAX_KEYS: Final = 100
MAX_TRIED: Final = 8
"""Keys that are tried for a token which does not say by which it was signed."""
MIN_RSA_BITS: Final = 2048

Key = dict[str, Any]


class SigningKeys:
    """The keys of the issuer, fetched again if a token names one that is not among them."""

    def __init__(self, metadata: ServerMetadata) -> None:
        self._metadata = metadata
        self._cached = Cached(self._fetch)

    async def find(self, key_id: str | None, algorithm: str) -> list[PyJWK]:
        """The keys by which a token with this header may have been signed; none if unknown.

        Raises:
            AuthorizationServerFailed: the keys cannot be had.
        """
        found = (await self._cached.get()).choose(key_id, algorithm)
        if not found:
            found = (await self._cached.renew()).choose(key_id, algorithm)
        return found

    async def _fetch(self) -> "_KeySet":
        url = await self._metadata.get_address("jwks_uri")
        keys: object = (await fetch_json(url)).get("keys")
        if not isinstance(keys, list):
            msg = "its jwks_uri holds no keys"
            raise AuthorizationServerFailed(msg)
        entries = cast("list[object]", keys)[:MAX_KEYS]
        return _KeySet([cast("Key", entry) for entry in entries if isinstance(entry, dict)])


class _KeySet:
    def __init__(self, keys: list[Key]) -> None:
        self._keys = keys
        self._made: dict[tuple[int, str], PyJWK | None] = {}
        """By the place of a key and the algorithm: to make one takes longer than to verify."""

    def choose(self, key_id: str | None, algorithm: str) -> list[PyJWK]:
        fitting = [
            place
            for place, key in enumerate(self._keys)
            if key.get("kty") == ALGORITHMS[algorithm]
            and key.get("use", "sig") == "sig"
            and key.get("alg", algorithm) == algorithm
            and (key_id is None or key.get("kid") == key_id)
        ]
        made = (self._make(place, algorithm) for place in fitting[:MAX_TRIED])
        return [key for key in made if key is not None]

    def _make(self, place: int, algorithm: str) -> PyJWK | None:
        if (place, algorithm) not in self._made:
            self._made[place, algorithm] = _make(self._keys[place], algorithm)
        return self._made[place, algorithm]


def _make(key: Key, algorithm: str) -> PyJWK | None:
    """The key for this algorithm; None if it cannot be used, or is too weak."""
    try:
        made = PyJWK(key, algorithm)
    except (PyJWTError, ValueError, TypeError, AttributeError, KeyError):
        return None
    public: object = made.key
    weak = isinstance(public, RSAPublicKey) and public.key_size < MIN_RSA_BITS
    return None if weak else made
