"""Where a client can log in: RFC 9728's metadata, and its address in a challenge."""

from typing import Final

from mcp.server.auth.routes import create_protected_resource_routes
from mcp.server.auth.settings import AuthSettings
from pydantic import AnyHttpUrl, ConfigDict, TypeAdapter
from starlette.routing import BaseRoute, Route

from geekai_video_mcp.config.hosting import OAuthSettings
from geekai_video_mcp.server.http.messages import MCP_PATH, SSE_PATH

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
_URL: Final = TypeAdapter(AnyHttpUrl, config=ConfigDict(url_preserve_empty_path=True))
_NAME: Final = "GeekAI video"
_SSE_PATHS: Final = (SSE_PATH, "/messages")


def auth_settings(oauth: OAuthSettings, public_url: str) -> AuthSettings:
    """The SDK's settings: a token has to be issued for `/mcp` at the public address."""
    return AuthSettings.model_validate(
        {
            "issuer_url": oauth.issuer,
            "resource_server_url": public_url + MCP_PATH,
            "required_scopes": list(oauth.scopes),
            "validate_token_resource": True,
        }
    )


def required_scopes(auth: AuthSettings | None) -> list[str]:
    """The scopes that a token needs; none without an authorisation server."""
    return list((auth.required_scopes if auth is not None else None) or [])


def public_url_of(auth: AuthSettings) -> str:
    """The public address of the server, without a slash at its end."""
    return str(auth.resource_server_url).removesuffix(MCP_PATH)


def resource_urls(public_url: str) -> tuple[str, ...]:
    """The addresses that a token may be issued for: the server, and each of its endpoints."""
    return (public_url, public_url + MCP_PATH, public_url + SSE_PATH)


def challenge_members(auth: AuthSettings, path: str) -> dict[str, str]:
    """The parameters of a challenge beside realm and error, for a request to *path*."""
    endpoint = SSE_PATH if path.startswith(_SSE_PATHS) else MCP_PATH
    members = {"resource_metadata": f"{public_url_of(auth)}{WELL_KNOWN}{endpoint}"}
    if scopes := required_scopes(auth):
        members["scope"] = " ".join(scopes)
    return members


def metadata_routes(auth: AuthSettings) -> list[BaseRoute]:
    """The metadata of each resource, at both of its places.

    RFC 9728 puts it at the host's root, before the path of the resource; a proxy that passes on
    one path alone passes on the place that our challenge names.
    """
    public_url = public_url_of(auth)
    routes: list[BaseRoute] = []
    for resource in resource_urls(public_url):
        made = create_protected_resource_routes(
            _URL.validate_python(resource),
            [auth.issuer_url],
            required_scopes(auth) or None,
            _NAME,
        )
        routes += made
        inside = WELL_KNOWN + resource.removeprefix(public_url)
        routes += [
            Route(inside, endpoint=each.endpoint, methods=["GET", "OPTIONS"])
            for each in made
            if each.path != inside
        ]
    return routes
