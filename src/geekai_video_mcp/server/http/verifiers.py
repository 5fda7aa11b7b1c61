"""Whose a bearer token is: the operator's own, or one of the tokens file."""

import hmac
from collections.abc import Sequence
from typing import Final

import anyio
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings

from geekai_video_mcp.config.tokens_file import LiveTokens, TokensFile
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.errors import GeekAIVideoError
from geekai_video_mcp.server.http.principals import TENANT_CLAIM

RETRY_SECONDS: Final = 5


class VerifierUnavailable(Exception):
    """Whether a token is valid cannot be said at present; `str()` of it says why."""

    def __init__(self, reason: str, *, retry_after: int = RETRY_SECONDS) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class TokenRefused(Exception):
    """A token is not valid; `str()` of it says why, without the token, for the operator's log."""


class LocalTokenVerifier:
    """Accepts the one token of the user who runs this server."""

    def __init__(self, token: str, auth: AuthSettings | None = None) -> None:
        self._token = token.encode()
        self._auth = auth

    async def verify_token(self, token: str) -> AccessToken | None:
        if not hmac.compare_digest(token.encode(), self._token):
            return None
        return own_access(LOCAL_TENANT, client_id=LOCAL_TENANT, auth=self._auth)


class TokensFileVerifier:
    """Accepts the tokens of the tokens file, as it is now."""

    def __init__(self, live: LiveTokens, auth: AuthSettings | None = None) -> None:
        self._live = live
        self._auth = auth

    async def verify_token(self, token: str) -> AccessToken | None:
        found = (await read_tokens(self._live)).find(token)
        if found is None:
            return None
        return own_access(found.tenant, client_id=found.name, auth=self._auth)


class FirstOf:
    """Accepts what one of several verifiers accepts; they are asked in order."""

    def __init__(self, verifiers: Sequence[TokenVerifier]) -> None:
        self._verifiers = verifiers

    async def verify_token(self, token: str) -> AccessToken | None:
        for each in self._verifiers:
            access = await each.verify_token(token)
            if access is not None:
                return access
        return None


def own_access(tenant: str, *, client_id: str, auth: AuthSettings | None) -> AccessToken:
    """The SDK's record of a token of our own, which is for this server and may do everything.

    Without the token itself, as what is in a request may be logged. The SDK binds a session to
    `client_id`, the issuer and the subject.
    """
    return AccessToken(
        token="",
        client_id=client_id,
        subject=tenant,
        scopes=list((auth.required_scopes if auth else None) or []),
        resource=str(auth.resource_server_url) if auth else None,
        claims={TENANT_CLAIM: tenant},
    )


async def read_tokens(live: LiveTokens) -> TokensFile:
    """The tokens file as it is now.

    Raises:
        VerifierUnavailable: it cannot be read.
    """
    try:
        if live.changed():
            return await anyio.to_thread.run_sync(live.read)
        return live.read()
    except GeekAIVideoError as exc:
        raise VerifierUnavailable(exc.message) from exc
