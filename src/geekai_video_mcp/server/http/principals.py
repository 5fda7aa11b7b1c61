"""Who calls: the tenant of the verified token, and the client's own key if it may send one."""

from typing import Final, cast

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from geekai_video_mcp.config.hosting import ClientKeys
from geekai_video_mcp.config.keys import parse_key
from geekai_video_mcp.domain.tenants import LOCAL_TENANT, Principal
from geekai_video_mcp.server.http.refusals import build_refusal

KEY_HEADER: Final = "X-GeekAI-Key"
TENANT_CLAIM: Final = "tenant"
"""Where a verifier puts the tenant, among the claims of its `AccessToken`."""
_PRINCIPAL: Final = "geekai_video_mcp.principal"


def principal_of(request: Request | None) -> Principal:
    """Who sent *request*; without a request, or without a token, the operator."""
    if request is None:
        return Principal()
    known = cast("Principal | None", request.scope.get(_PRINCIPAL))
    return known or Principal(tenant=_tenant(request.scope))


class IdentifyPrincipal:
    """Puts the `Principal` of each request into its scope, or refuses the key that it brings."""

    def __init__(self, app: ASGIApp, *, client_keys: ClientKeys) -> None:
        self._app = app
        self._client_keys = client_keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                scope[_PRINCIPAL] = self._identify(scope)
            except _KeyRefused as exc:
                await exc.response(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _identify(self, scope: Scope) -> Principal:
        tenant = _tenant(scope)
        sent = [each for each in Headers(scope=scope).getlist(KEY_HEADER) if each.strip()]
        if not sent:
            return Principal(tenant=tenant)
        if self._client_keys == "refuse":
            raise _KeyRefused(
                403,
                error="client_key_not_allowed",
                description="This server takes no GeekAI key from its clients. Leave the header"
                f" {KEY_HEADER} out, or ask the operator to set GEEKAI_CLIENT_KEYS=allow.",
            )
        if tenant == LOCAL_TENANT:
            raise _KeyRefused(
                403,
                error="client_key_not_allowed",
                description="The operator's own requests use the operator's key. Leave the header"
                f" {KEY_HEADER} out, or send a token that was made with geekai-video-mcp tokens"
                " add.",
            )
        if len(sent) > 1:
            raise _invalid_key("must be sent once")
        try:
            key = parse_key(sent[0])
        except ValueError as exc:  # which never repeats the key
            raise _invalid_key(str(exc)) from None
        return Principal(tenant=tenant, key=key)


class _KeyRefused(Exception):
    def __init__(self, status_code: int, *, error: str, description: str) -> None:
        super().__init__(error)
        self.response = build_refusal(status_code, error=error, description=description)


def _invalid_key(problem: str) -> _KeyRefused:
    description = f"{KEY_HEADER} {problem}."
    return _KeyRefused(400, error="invalid_client_key", description=description)


def _tenant(scope: Scope) -> str:
    """The tenant of the verified token; that of a token that names none is nobody's."""
    user = scope.get("user")
    if user is None:
        return LOCAL_TENANT
    claims = cast("AuthenticatedUser", user).access_token.claims or {}
    return str(claims[TENANT_CLAIM])
