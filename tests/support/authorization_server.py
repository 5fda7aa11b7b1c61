"""An authorisation server on loopback that does as a test says."""

import base64
import json
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.api_jws import PyJWS
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from geekai_video_mcp.server.http import bind_loopback
from support.serving import serving

CLIENT = ("geekai video", "a+secret/of:the resource server")
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_JWS = PyJWS()
_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class AuthorizationServer:
    """What it answers; a test changes it while it runs."""

    origin: str
    path: str = ""
    metadata_path: str = "/.well-known/oauth-authorization-server"
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    """What it says instead of what is so."""
    keys: dict[str, PrivateKey] = field(default_factory=lambda: {"first": _RSA})
    published: list[dict[str, Any]] | None = None
    """The keys as they are published; None for those of `keys`."""
    active: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """What introspection answers, by the token."""
    fails: bool = False
    requests: list[str] = field(default_factory=list[str])

    @property
    def issuer(self) -> str:
        return self.origin + self.path

    def sign(
        self,
        claims: dict[str, Any],
        *,
        key: PrivateKey | None = None,
        algorithm: str = "RS256",
        header: Mapping[str, object] | None = None,
    ) -> str:
        """A token with these claims and members of its header; None leaves a usual one out."""
        now = int(time.time())
        usual = {"iss": self.issuer, "sub": "user-1", "iat": now, "exp": now + 600}
        merged = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        head = {"kid": "first", "typ": "at+jwt", **(header or {})}
        kept = {name: value for name, value in head.items() if value is not None}
        content = json.dumps(merged).encode()  # jwt.encode refuses some wrong claims
        return _JWS.encode(content, key or self.keys["first"], algorithm=algorithm, headers=kept)

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        self.requests.append(path)
        if self.fails:
            return Response(status_code=503)
        if path == "/introspect" and request.method == "POST":
            return await self._introspect(request)
        answers: dict[str, Response] = {
            self.metadata_path: JSONResponse({**self._endpoints(), **self.metadata}),
            "/jwks": JSONResponse({"keys": self.published or self._public_keys()}),
            "/moved": RedirectResponse("/jwks"),
            "/large": JSONResponse({"keys": [{"kty": "RSA", "x": "a" * 1_000_000}]}),
        }
        return answers.get(path, Response(status_code=404))

    def _endpoints(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.origin}/jwks",
            "introspection_endpoint": f"{self.origin}/introspect",
        }

    def _public_keys(self) -> list[dict[str, Any]]:
        return [{**public_jwk(key), "kid": name} for name, key in self.keys.items()]

    async def _introspect(self, request: Request) -> Response:
        form = await request.form()
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            name, _, secret = base64.b64decode(given).decode().partition(":")
            client = (unquote_plus(name), unquote_plus(secret))
        else:
            client = (str(form.get("client_id")), str(form.get("client_secret")))
        if client != CLIENT:
            return JSONResponse({"error": "invalid_client"}, 401)
        return JSONResponse(self.active.get(str(form["token"]), {"active": False}))


def public_jwk(key: PrivateKey) -> dict[str, Any]:
    public: Any = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        return json.loads(RSAAlgorithm.to_jwk(public))
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return json.loads(ECAlgorithm.to_jwk(public))
    return json.loads(OKPAlgorithm.to_jwk(public))


@asynccontextmanager
async def running_authorization_server(
    path: str = "", metadata_path: str = "/.well-known/oauth-authorization-server"
) -> AsyncGenerator[AuthorizationServer]:
    """Serve on a free port while the block lasts; *path* is that of the issuer."""
    listener = bind_loopback("127.0.0.1", 0)
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    service = AuthorizationServer(origin, path, metadata_path)
    routes = [Route("/{rest:path}", service.answer, methods=["GET", "POST"])]
    config = uvicorn.Config(Starlette(routes=routes), log_config=None, access_log=False)
    async with serving(config, listener):
        yield service
