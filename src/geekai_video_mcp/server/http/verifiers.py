"""Whose a bearer token is: the operator's own, or one of the tokens file."""

import hmac
from collections.abc import Sequence

import anyio
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings

from geekai_video_mcp.config.tokens_file import LiveTokens, TokensFile
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.errors import GeekAIVideoError
from geekai_video_mcp.server.http.principals import TENANT_CLAIM
from geekai_video_mcp.server.http.protected_resource import required_scopes


class VerifierUnavailable(Exception):
    """Whether a token is valid cannot be found out at present; `str()` of it is the reason."""


class TokenRefused(Exception):
    """A token is not valid; `str()` of it is the reason, without the token, for the log."""


class LocalTokenVerifier:
    """Accepts the one token of the user who runs this server.

    *auth* is given where the tokens of an authorisation server are accepted as well.
    """

    def __init__(self, token: str, auth: AuthSettings | None = None) -> None:
        self._token = token.encode()
        self._auth = auth

    async def verify_token(self, token: str) -> AccessToken | None:
        """The SDK's record of the operator's token; None for any other."""
        if not hmac.compare_digest(token.encode(), self._token):
            return None
        return own_access(LOCAL_TENANT, client_id=LOCAL_TENANT, auth=self._auth)


class TokensFileVerifier:
    """Accepts the tokens of the tokens file, as it is at each request.

    *auth* is given where the tokens of an authorisation server are accepted as well.
    """

    def __init__(self, live: LiveTokens, auth: AuthSettings | None) -> None:
        self._live = live
        self._auth = auth

    async def verify_token(self, token: str) -> AccessToken | None:
        """The SDK's record of a token of the file; None for any other.

        Raises:
            VerifierUnavailable: the tokens file cannot be read.
        """
        found = (await read_tokens(self._live)).find(token)
        if found is None:
            return None
        return own_access(found.tenant, client_id=found.name, auth=self._auth)


class FirstOf:
    """Accepts what one of several verifiers accepts, in their order."""

    def __init__(self, verifiers: Sequence[TokenVerifier]) -> None:
        self._verifiers = verifiers

    async def verify_token(self, token: str) -> AccessToken | None:
        """What the first verifier returns that accepts the token; None if none does.

        Raises:
            TokenRefused: a verifier knows the token, and it is not valid.
            VerifierUnavailable: a verifier cannot find out.
        """
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
        scopes=required_scopes(auth),
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
