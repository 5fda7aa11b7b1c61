"""Tokens of an authorisation server: which are taken, and whose they are."""

import base64
import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from geekai_video_mcp.domain.tenants import oauth_tenant
from geekai_video_mcp.server.http.oauth import cached
from geekai_video_mcp.server.http.oauth.cached import Cached
from geekai_video_mcp.server.http.oauth.fetching import AuthorizationServerFailed
from geekai_video_mcp.server.http.oauth.metadata import metadata_urls
from support.authorization_server import (
    CLIENT,
    AuthorizationServer,
    PrivateKey,
    public_jwk,
    running_authorization_server,
)
from support.team_server import TeamServer, team_server

PUBLIC = "https://video.example.com"
MCP = f"{PUBLIC}/mcp"
KEY = {"GEEKAI_API_KEY": "sk-the-operators-own-key", "GEEKAI_BASE_URL": "http://127.0.0.1:9/v1"}
INTROSPECTION = {"GEEKAI_OAUTH_CLIENT_ID": CLIENT[0], "GEEKAI_OAUTH_CLIENT_SECRET": CLIENT[1]}
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ELLIPTIC = ec.generate_private_key(ec.SECP256R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()


@asynccontextmanager
async def guarded(
    folder: Path, issuer: AuthorizationServer, public: str = PUBLIC, **variables: str
) -> AsyncGenerator[TeamServer]:
    """A server that takes the tokens of *issuer*."""
    given = {
        **KEY,
        "GEEKAI_OAUTH_ISSUER": issuer.issuer,
        "GEEKAI_PUBLIC_URL": public,
        **variables,
    }
    async with team_server(folder, variables=given) as server:
        yield server


async def test_a_token_of_the_authorisation_server_makes_its_user_a_tenant(tmp_path: Path) -> None:
    async with running_authorization_server() as issuer, guarded(tmp_path, issuer) as server:
        first = await server.who_is(issuer.sign({"aud": MCP}))
        other = await server.who_is(issuer.sign({"aud": MCP, "sub": "user-2"}))
        static = await server.who_is(server.add("alice"))

        assert first["tenant"] == oauth_tenant(issuer.issuer, "user-1")
        assert other["tenant"] == oauth_tenant(issuer.issuer, "user-2")
        assert static["tenant"] == "alice"
        assert issuer.requests == ["/.well-known/oauth-authorization-server", "/jwks"]


async def test_the_tokens_file_gives_a_user_another_tenant(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    path = tmp_path / "state" / "tokens.json"
    path.write_text(json.dumps({"version": 1, "oauth": {"me@example.com": "alice"}}), "utf-8")
    path.chmod(0o600)
    claim = {"GEEKAI_OAUTH_TENANT_CLAIM": "email"}
    async with (
        running_authorization_server() as issuer,
        guarded(tmp_path, issuer, **claim) as server,
    ):
        mine = await server.who_is(issuer.sign({"aud": MCP, "email": "me@example.com"}))
        unverified = {"aud": MCP, "email": "me@example.com", "email_verified": False}
        statuses = [
            await server.status_of(issuer.sign(unverified)),
            await server.status_of(issuer.sign({"aud": MCP})),
            await server.status_of(issuer.sign({"aud": MCP, "email": ["me@example.com"]})),
            await server.status_of(issuer.sign({"aud": MCP, "email": ""})),
        ]

    assert mine["tenant"] == "alice"
    assert statuses == [401] * 4


AUDIENCES: list[tuple[object, int]] = [
    (MCP, 200),
    (f"{MCP}/", 200),
    (PUBLIC, 200),
    (f"{PUBLIC}/", 200),
    (f"{PUBLIC}/sse", 200),
    (["https://other.example.com", MCP], 200),
    ("https://other.example.com/mcp", 401),
    ("https://video.example.com.evil.test/mcp", 401),
    (f"{MCP}/other", 401),
    ("http://video.example.com/mcp", 401),
    ("client-id", 401),
    ([], 401),
    ({"a": MCP}, 401),
    (1, 401),
    (None, 401),
]


async def test_only_a_token_for_this_server_is_taken(tmp_path: Path) -> None:
    async with running_authorization_server() as issuer, guarded(tmp_path, issuer) as server:
        found = [await server.status_of(issuer.sign({"aud": each})) for each, _ in AUDIENCES]

    assert found == [status for _, status in AUDIENCES]


def from_now(claims: dict[str, Any]) -> dict[str, Any]:
    """The claims with their times counted from now."""
    return {
        name: value + int(time.time())
        if name in {"exp", "nbf", "iat"} and isinstance(value, int)
        else value
        for name, value in claims.items()
    }


CLAIMS: list[tuple[dict[str, Any], int]] = [  # times in seconds from now
    ({}, 200),
    ({"exp": -10}, 200),  # clocks differ
    ({"exp": -60}, 401),
    ({"exp": None}, 401),
    ({"exp": "tomorrow"}, 401),
    ({"exp": 1e400}, 401),
    ({"exp": 10**400}, 401),
    ({"nbf": 600}, 401),
    ({"nbf": -600}, 200),
    ({"iat": 3600}, 401),
    ({"iss": "https://evil.test"}, 401),
    ({"iss": None}, 401),
    ({"iss": ["x"]}, 401),
    ({"sub": None}, 401),
    ({"sub": 7}, 401),
]


async def test_a_token_has_to_be_valid_now_and_of_this_issuer(tmp_path: Path) -> None:
    async with running_authorization_server() as issuer, guarded(tmp_path, issuer) as server:
        found = [
            await server.status_of(issuer.sign(from_now({"aud": MCP, **claims})))
            for claims, _ in CLAIMS
        ]
        slash = await server.status_of(issuer.sign({"aud": MCP, "iss": f"{issuer.issuer}/"}))

    assert found == [status for _, status in CLAIMS]
    assert slash == 401


def hostile_tokens(issuer: AuthorizationServer) -> dict[str, str]:
    """Tokens that nobody but the issuer could have made, and that it has not made."""
    valid = issuer.sign({"aud": MCP})
    head, body, signature = valid.split(".")
    public = _pem(issuer.keys["first"])
    own_key = {"jwk": public_jwk(OTHER_RSA)}
    changed = _encode({**_decode(body), "sub": "somebody-else"})
    return {
        "not signed": f"{_encode({'alg': 'none'})}.{body}.",
        "not signed, with the key's name": f"{_encode({'alg': 'none', 'kid': 'first'})}.{body}.",
        "algorithm None": f"{_encode({'alg': 'None', 'kid': 'first'})}.{body}.{signature}",
        "signed by the public key": _signed_by_public_key(public, body),
        "another key": issuer.sign({"aud": MCP}, key=OTHER_RSA),
        "a key of its own": issuer.sign({"aud": MCP}, key=OTHER_RSA, header=own_key),
        "a key at an address of its own": issuer.sign(
            {"aud": MCP}, key=OTHER_RSA, header={"jku": "http://127.0.0.1:1/keys"}
        ),
        "a changed claim": f"{head}.{changed}.{signature}",
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "four parts": f"{valid}.{signature}",
        "another algorithm": f"{_encode({'alg': 'RS512', 'kid': 'first'})}.{body}.{signature}",
        "an extension that nobody knows": issuer.sign(
            {"aud": MCP}, header={"crit": ["exp"], "exp": 1}
        ),
        "a name of a key that is no text": f"{_encode({'alg': 'RS256', 'kid': 1})}.{body}.x",
        "a list of algorithms": f"{_encode({'alg': ['RS256'], 'kid': 'first'})}.{body}.{signature}",
        "not JSON": f"{base64.urlsafe_b64encode(b'{').decode()}.{body}.{signature}",
        "deep JSON": f"{base64.urlsafe_b64encode(b'[' * 3000).decode().rstrip('=')}.{body}.x",
        "long": f"{head}.{'A' * 20_000}.{signature}",
    }


def _signed_by_public_key(public: bytes, body: str) -> str:
    import hashlib  # noqa: PLC0415
    import hmac  # noqa: PLC0415

    signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT', 'kid': 'first'})}.{body}"
    digest = hmac.new(public, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def _pem(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _encode(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def _decode(part: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def test_a_forged_token_is_refused_with_a_challenge_and_one_line_without_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_authorization_server() as issuer, guarded(tmp_path, issuer) as server:
        hostile = hostile_tokens(issuer)
        answers = {name: await server.post(token) for name, token in hostile.items()}
        valid = await server.status_of(issuer.sign({"aud": MCP}))

    assert valid == 200
    for name, answer in answers.items():
        challenge = answer.headers["www-authenticate"]
        assert answer.status_code == 401, name
        assert 'error="invalid_token"' in challenge, name
        assert f'resource_metadata="{PUBLIC}/.well-known/oauth-protected-resource/mcp"' in challenge
        assert hostile[name][-40:] not in caplog.text + answer.text, name
    assert issuer.requests.count("/jwks") <= 2


async def test_two_headers_are_none_and_a_query_is_no_header(tmp_path: Path) -> None:
    async with running_authorization_server() as issuer, guarded(tmp_path, issuer) as server:
        token = issuer.sign({"aud": MCP})
        twice = await server.exchange_headers(
            ("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")
        )
        query = await server.post(path=f"/mcp?access_token={token}")

    assert (twice, query.status_code) == (401, 401)
    assert "error=" not in query.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (OTHER_RSA, "RS384"),
        (OTHER_RSA, "PS256"),
        (ELLIPTIC, "ES256"),
        (EDWARDS, "EdDSA"),
    ],
)
async def test_every_asymmetric_algorithm_is_taken(
    tmp_path: Path, key: PrivateKey, algorithm: str
) -> None:
    async with running_authorization_server() as issuer, guarded(tmp_path, issuer) as server:
        issuer.keys = {"first": key}
        named = await server.status_of(issuer.sign({"aud": MCP}, algorithm=algorithm))
        no_name = {"kid": None}
        unnamed = await server.status_of(
            issuer.sign({"aud": MCP}, algorithm=algorithm, header=no_name)
        )

    assert (named, unnamed) == (200, 200)


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits")
async def test_a_key_that_is_for_something_else_or_too_weak_verifies_nothing(
    tmp_path: Path,
) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - refused
    secret = base64.urlsafe_b64encode(b"0" * 32).decode().rstrip("=")
    async with running_authorization_server() as issuer, guarded(tmp_path, issuer) as server:
        issuer.keys = {"first": weak}
        issuer.published = [
            {"kty": "oct", "k": secret, "kid": "first"},
            {"kty": "RSA", "kid": "first", "n": "AQ"},
            {**public_jwk(weak), "kid": "first"},
            {**public_jwk(OTHER_RSA), "kid": "encryption", "use": "enc"},
            {**public_jwk(OTHER_RSA), "kid": "other", "alg": "RS512"},
        ]
        found = [
            await server.status_of(issuer.sign({"aud": MCP})),
            await server.status_of(
                issuer.sign({"aud": MCP}, key=OTHER_RSA, header={"kid": "encryption"})
            ),
            await server.status_of(
                issuer.sign({"aud": MCP}, key=OTHER_RSA, header={"kid": "other"})
            ),
            await server.status_of(
                jwt.encode(
                    {"iss": issuer.issuer, "aud": MCP, "sub": "x", "exp": int(time.time()) + 60},
                    "0" * 32,
                    algorithm="HS256",
                    headers={"kid": "first"},
                )
            ),
        ]

    assert found == [401] * 4


async def test_a_new_key_is_fetched_and_unknown_ones_do_not_make_it_ask_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_authorization_server() as issuer, guarded(tmp_path, issuer) as server:
        before = await server.status_of(issuer.sign({"aud": MCP}))
        issuer.keys["second"] = OTHER_RSA
        rotated = issuer.sign({"aud": MCP}, key=OTHER_RSA, header={"kid": "second"})
        soon = await server.status_of(rotated)
        monkeypatch.setattr(cached, "RENEW_SECONDS", 0.0)
        later = await server.status_of(rotated)
        monkeypatch.undo()
        for number in range(5):
            await server.status_of(
                issuer.sign({"aud": MCP}, key=OTHER_RSA, header={"kid": str(number)})
            )

    assert (before, soon, later) == (200, 401, 200)
    assert issuer.requests.count("/jwks") == 2


async def test_an_authorisation_server_that_fails_is_503_and_no_verdict(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_authorization_server() as issuer, guarded(tmp_path, issuer) as server:
        issuer.fails = True
        answers = [await server.post(issuer.sign({"aud": MCP})) for _ in range(3)]
        own = await server.status_of(server.add("alice"))
        garbage = await server.status_of("no-token-of-any-kind")
        asked = len(issuer.requests)

    assert [each.status_code for each in answers] == [503] * 3
    assert answers[0].headers["retry-after"]
    assert "www-authenticate" not in answers[0].headers
    assert (own, garbage) == (200, 401)
    assert asked == 1
    assert "GEEKAI_OAUTH_ISSUER" in caplog.text


async def test_keys_that_are_known_go_on_while_the_authorisation_server_fails(
    tmp_path: Path,
) -> None:
    async with running_authorization_server() as issuer, guarded(tmp_path, issuer) as server:
        token = issuer.sign({"aud": MCP})
        first = await server.status_of(token)
        issuer.fails = True

        assert (first, await server.status_of(token)) == (200, 200)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"issuer": "https://evil.test"}, "the same to the last character"),
        ({"jwks_uri": None}, "has no jwks_uri"),
        ({"jwks_uri": "http://192.0.2.1/jwks"}, "no https address"),
        ({"jwks_uri": "file:///etc/passwd"}, "no https address"),
        ({"jwks_uri": "{origin}/moved"}, "HTTP 307"),
        ({"jwks_uri": "{origin}/large"}, "more than 512 kB"),
        ({"jwks_uri": "{origin}/introspect"}, "HTTP 404"),
    ],
)
async def test_metadata_that_cannot_be_used_is_503_and_says_why_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, metadata: dict[str, Any], reason: str
) -> None:
    async with running_authorization_server() as issuer, guarded(tmp_path, issuer) as server:
        issuer.metadata = {
            name: value.replace("{origin}", issuer.origin) if value else value
            for name, value in metadata.items()
        }
        answer = await server.post(issuer.sign({"aud": MCP}))

    assert answer.status_code == 503
    assert reason in caplog.text
    assert reason not in answer.text


PATHS = [
    ("", "/.well-known/oauth-authorization-server"),
    ("", "/.well-known/openid-configuration"),
    ("/realms/team", "/.well-known/oauth-authorization-server/realms/team"),
    ("/realms/team", "/.well-known/openid-configuration/realms/team"),
    ("/realms/team", "/realms/team/.well-known/openid-configuration"),
    ("/", "/.well-known/openid-configuration"),
]


@pytest.mark.parametrize(("path", "metadata_path"), PATHS)
async def test_metadata_is_found_wherever_issuers_have_it(
    tmp_path: Path, path: str, metadata_path: str
) -> None:
    async with (
        running_authorization_server(path, metadata_path) as issuer,
        guarded(tmp_path, issuer) as server,
    ):
        assert await server.status_of(issuer.sign({"aud": MCP})) == 200


def test_metadata_is_looked_for_as_mcp_clients_look_for_it() -> None:
    assert list(metadata_urls("https://login.example.com/realms/team/")) == [
        "https://login.example.com/.well-known/oauth-authorization-server/realms/team",
        "https://login.example.com/.well-known/openid-configuration/realms/team",
        "https://login.example.com/realms/team/.well-known/openid-configuration",
    ]


SCOPES: list[tuple[dict[str, Any], int]] = [
    ({"scope": "video other"}, 200),
    ({"scope": ["video"]}, 200),
    ({"scp": "video"}, 200),
    ({"scp": ["video"]}, 200),
    ({"scope": "videos"}, 403),
    ({"scope": ""}, 403),
    ({"scope": 7}, 403),
    ({}, 403),
]


async def test_a_token_without_a_scope_is_told_which_one(tmp_path: Path) -> None:
    variables = {"GEEKAI_OAUTH_SCOPES": "video"}
    async with (
        running_authorization_server() as issuer,
        guarded(tmp_path, issuer, **variables) as server,
    ):
        answers = [await server.post(issuer.sign({"aud": MCP, **each})) for each, _ in SCOPES]
        static = await server.status_of(server.add("alice"))
        none = await server.post()

    assert [each.status_code for each in answers] == [status for _, status in SCOPES]
    challenge = answers[-1].headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="video"' in challenge
    assert "resource_metadata=" in challenge
    assert 'scope="video"' in none.headers["www-authenticate"]
    assert static == 200


async def test_the_metadata_leads_a_client_to_the_authorisation_server(tmp_path: Path) -> None:
    async with running_authorization_server() as issuer, guarded(tmp_path, issuer) as server:
        refused = await server.post()
        stream = await server.get("/sse")
        found = {
            place: (await server.get(f"/.well-known/oauth-protected-resource{place}")).json()
            for place in ("", "/mcp", "/sse")
        }

    assert {place: each["resource"] for place, each in found.items()} == {
        "": PUBLIC,
        "/mcp": MCP,
        "/sse": f"{PUBLIC}/sse",
    }
    assert all(each["authorization_servers"] == [issuer.issuer] for each in found.values())
    assert (
        f'"{PUBLIC}/.well-known/oauth-protected-resource/mcp"'
        in (refused.headers["www-authenticate"])
    )
    assert (
        f'"{PUBLIC}/.well-known/oauth-protected-resource/sse"'
        in (stream.headers["www-authenticate"])
    )


async def test_below_a_path_the_metadata_is_at_both_of_its_places(tmp_path: Path) -> None:
    public = f"{PUBLIC}/video"
    async with (
        running_authorization_server() as issuer,
        guarded(tmp_path, issuer, public) as server,
    ):
        refused = await server.post()
        at_root = await server.get("/.well-known/oauth-protected-resource/video/mcp")
        below = await server.get("/video/.well-known/oauth-protected-resource/mcp")
        stripped = await server.get("/.well-known/oauth-protected-resource/mcp")
        status = await server.status_of(issuer.sign({"aud": f"{public}/mcp"}))

    assert (
        f'"{public}/.well-known/oauth-protected-resource/mcp"'
        in (refused.headers["www-authenticate"])
    )
    assert at_root.json() == below.json() == stripped.json()
    assert at_root.json()["resource"] == f"{public}/mcp"
    assert status == 200


INTROSPECTED: list[tuple[dict[str, Any], int]] = [
    ({"active": True, "aud": MCP, "sub": "u"}, 200),
    ({"active": True, "aud": [MCP, "x"], "sub": "u", "exp": 60}, 200),
    ({"active": False, "aud": MCP, "sub": "u"}, 401),
    ({"active": "true", "aud": MCP, "sub": "u"}, 401),
    ({"active": 1, "aud": MCP, "sub": "u"}, 401),
    ({"aud": MCP, "sub": "u"}, 401),
    ({"active": True, "sub": "u"}, 401),
    ({"active": True, "aud": "https://other.example.com", "sub": "u"}, 401),
    ({"active": True, "aud": MCP, "sub": "u", "iss": "https://evil.test"}, 401),
    ({"active": True, "aud": MCP, "sub": "u", "exp": -60}, 401),
    ({"active": True, "aud": MCP, "sub": "u", "exp": "soon"}, 401),
    ({"active": True, "aud": MCP, "sub": "u", "exp": 10**400}, 401),
    ({"active": True, "aud": MCP, "sub": "u", "nbf": -(10**400)}, 401),
    ({"active": True, "aud": MCP, "sub": "u", "nbf": 600}, 401),
    ({"active": True, "aud": MCP}, 401),
]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_introspection_says_which_token_is_valid(tmp_path: Path, method: str) -> None:
    async with (
        running_authorization_server() as issuer,
        guarded(tmp_path, issuer, **INTROSPECTION) as server,
    ):
        issuer.metadata = {"introspection_endpoint_auth_methods_supported": [method]}
        issuer.active = {
            f"token-{i}": from_now(answer) for i, (answer, _) in enumerate(INTROSPECTED)
        }
        found = [await server.status_of(each) for each in issuer.active]
        jwt_alone = await server.status_of(issuer.sign({"aud": MCP}))

    assert found == [status for _, status in INTROSPECTED]
    assert jwt_alone == 401
    assert "/jwks" not in issuer.requests


async def test_an_answer_about_a_token_holds_for_seconds_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geekai_video_mcp.server.http.oauth import introspection  # noqa: PLC0415

    async with (
        running_authorization_server() as issuer,
        guarded(tmp_path, issuer, **INTROSPECTION) as server,
    ):
        issuer.active["opaque"] = {"active": True, "aud": MCP, "sub": "u"}
        first = [await server.status_of("opaque") for _ in range(3)]
        asked = issuer.requests.count("/introspect")
        monkeypatch.setattr(introspection, "CACHE_SECONDS", -1.0)
        await server.status_of("another")
        issuer.active.clear()
        revoked = await server.status_of("opaque-2")

    assert first == [200] * 3
    assert asked == 1
    assert revoked == 401


@pytest.mark.parametrize("wrong", ["secret", "down"])
async def test_an_introspection_that_fails_is_503(
    tmp_path: Path, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    variables = dict(INTROSPECTION)
    if wrong == "secret":
        variables["GEEKAI_OAUTH_CLIENT_SECRET"] = "canary-of-a-wrong-secret"
    async with (
        running_authorization_server() as issuer,
        guarded(tmp_path, issuer, **variables) as server,
    ):
        issuer.fails = wrong == "down"
        answers = [await server.post("opaque") for _ in range(3)]

    assert [each.status_code for each in answers] == [503] * 3
    assert len(issuer.requests) <= 3
    assert "canary" not in caplog.text


async def test_a_session_belongs_to_the_user_who_opened_it(tmp_path: Path) -> None:
    async with running_authorization_server() as issuer, guarded(tmp_path, issuer) as server:
        mine = issuer.sign({"aud": MCP})
        opened = await server.post(mine)
        session = opened.headers["mcp-session-id"]
        other = issuer.sign({"aud": MCP, "sub": "user-2"})
        stolen = await server.post(other, Mcp_Session_Id=session)
        renewed = issuer.sign({"aud": MCP, "jti": "a new token"})
        kept = await server.post(renewed, Mcp_Session_Id=session)

    assert opened.status_code == 200
    assert stolen.status_code == 404
    assert kept.status_code == 200


async def test_a_document_is_fetched_once_for_all_who_need_it_at_once() -> None:
    now, fetched, fails = [0.0], list[float](), [False]

    async def fetch() -> float:
        await anyio.lowlevel.checkpoint()
        if fails[0]:
            fetched.append(-1)
            msg = "down"
            raise AuthorizationServerFailed(msg)
        fetched.append(now[0])
        return now[0]

    document = Cached(fetch, clock=lambda: now[0])
    await _at_once(document.get, 20)
    assert fetched == [0.0]
    now[0] = cached.FRESH_SECONDS + 1
    await _at_once(document.get, 20)
    assert fetched == [0.0, now[0]]
    fails[0], now[0] = True, now[0] * 2 + 1
    before = await document.get()  # the old one, while none can be had
    await document.get()
    assert len(fetched) == 3
    now[0] += cached.KEPT_SECONDS
    with pytest.raises(AuthorizationServerFailed):
        await document.get()
    assert before == cached.FRESH_SECONDS + 1


async def _at_once(call: Callable[[], Any], times: int) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(times):
            tasks.start_soon(call)
