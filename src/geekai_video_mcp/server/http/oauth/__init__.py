"""Tokens of an authorisation server: who it says the caller is, checked as RFC 9068 or 7662 says.

This server is a resource server alone. It never passes a token on: to GeekAI go only GeekAI's keys.
Imported only where an authorisation server is configured.
"""

from typing import Protocol

from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings

from geekai_video_mcp.config.hosting import OAuthSettings
from geekai_video_mcp.config.tokens_file import LiveTokens
from geekai_video_mcp.server.http.oauth.claims import Claims, to_access_token
from geekai_video_mcp.server.http.oauth.fetching import AuthorizationServerFailed
from geekai_video_mcp.server.http.oauth.introspection import Introspection
from geekai_video_mcp.server.http.oauth.jwt_tokens import JWTTokens
from geekai_video_mcp.server.http.oauth.metadata import ServerMetadata
from geekai_video_mcp.server.http.protected_resource import public_url_of, resource_urls
from geekai_video_mcp.server.http.verifiers import VerifierUnavailable, read_tokens

__all__ = ["OAuthVerifier"]


class _ReadsClaims(Protocol):
    async def read_claims(self, token: str) -> Claims | None: ...


class OAuthVerifier:
    """Accepts the tokens that the authorisation server has issued for this server."""

    def __init__(self, oauth: OAuthSettings, auth: AuthSettings, live: LiveTokens) -> None:
        self._oauth = oauth
        self._auth = auth
        self._live = live
        metadata = ServerMetadata(oauth.issuer)
        audiences = resource_urls(public_url_of(auth))
        self._tokens: _ReadsClaims
        if oauth.client_id is not None and oauth.client_secret is not None:
            self._tokens = Introspection(
                metadata,
                client_id=oauth.client_id,
                client_secret=oauth.client_secret,
                audiences=audiences,
            )
        else:
            self._tokens = JWTTokens(metadata, audiences=audiences)

    async def verify_token(self, token: str) -> AccessToken | None:
        """The SDK's record of the token, with its tenant; None if it is not valid.

        Raises:
            TokenRefused: the authorisation server has made it, and it is not valid here and now.
            VerifierUnavailable: the authorisation server does not answer as it should.
        """
        try:
            claims = await self._tokens.read_claims(token)
        except AuthorizationServerFailed as exc:
            raise VerifierUnavailable(str(exc)) from exc
        if claims is None:
            return None
        mapped = (await read_tokens(self._live)).oauth
        return to_access_token(claims, self._oauth, self._auth, mapped)
