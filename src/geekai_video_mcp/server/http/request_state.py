"""How the state that a question leaves with the client is sealed, and to whom it is bound.

The SDK encrypts it and binds it to the request and to the token; here it is bound to the GeekAI key
of the client as well, because a consent is to spending that key's money.
"""

import hashlib
from typing import Any, cast

from mcp.server.context import ServerRequestContext
from mcp.server.request_state import RequestStateSecurity, authenticated_principal
from pydantic import SecretStr
from starlette.requests import Request

from geekai_video_mcp.server.http.principals import principal_of


def seal_request_state(secret: SecretStr | None) -> RequestStateSecurity:
    """With *secret*, all processes that have it read each other's; without, one process its own."""
    if secret is None:
        security = RequestStateSecurity.ephemeral()
        security.bind_principal = _name_caller
        return security
    return RequestStateSecurity(keys=[secret.get_secret_value()], bind_principal=_name_caller)


def _name_caller(ctx: ServerRequestContext[Any, Any]) -> str | None:
    caller, request = authenticated_principal(ctx), cast("Request | None", ctx.request)
    key = principal_of(request).key
    if key is None:
        return caller
    return f"{caller} {hashlib.sha256(key.get_secret_value().encode()).hexdigest()}"
