"""The tokens of a team: made, listed, revoked, and what becomes of a file that is not right."""

import json
import logging
import os
import stat
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from geekai_video_mcp.config.tokens_file import (
    LiveTokens,
    has_key_alone,
    load_tokens_file,
    settings_of_tenant,
    tokens_path,
)
from geekai_video_mcp.config.write_tokens import revoke_token
from geekai_video_mcp.errors import ConfigError, StorageUnavailable
from geekai_video_mcp.server.http import authorization
from support.process import MODULE, SERVE, environment, run_cli
from support.team_server import TeamServer, team_server, team_settings

KEY = {"GEEKAI_API_KEY": "sk-the-operators-own-key", "GEEKAI_BASE_URL": "http://127.0.0.1:9/v1"}
posix = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


def write(folder: Path, document: object) -> None:
    path = tokens_path(folder / "state")
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")
    path.chmod(0o600)


def tenants_only(**tenants: object) -> dict[str, object]:
    return {"version": 1, "tenants": tenants}


async def test_a_token_is_shown_once_and_stored_as_a_hash(tmp_path: Path) -> None:
    status, out, err = await run_cli(tmp_path, "tokens", "add", "alice", "--max-in-flight", "3")
    host = json.loads(out)["mcpServers"]["geekai-video"]
    token = host["headers"]["Authorization"].removeprefix("Bearer ")
    stored = tokens_path(tmp_path / "state").read_text("utf-8")
    _, listed, _ = await run_cli(tmp_path, "tokens", "list")

    assert status == 0
    assert len(token) == 43
    assert host["url"] == "http://127.0.0.1:8765/mcp"
    assert "tokens revoke alice" in err
    assert token not in stored + listed + err
    assert stat.S_IMODE(tokens_path(tmp_path / "state").stat().st_mode) == 0o600
    assert listed.splitlines()[1].split()[:2] == ["alice", "alice"]
    assert " 3 " in listed


async def test_a_token_is_made_without_loading_the_server(tmp_path: Path) -> None:
    """The protocol's types alone would take ten times as long as all the rest."""
    python, *module = MODULE
    done = await anyio.run_process(
        [python, "-X", "importtime", *module, "tokens", "add", "alice"], env=environment(tmp_path)
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines()}

    assert "geekai_video_mcp.config.write_tokens" in loaded
    assert {"geekai_video_mcp.server", "mcp_types", "starlette"} & loaded == set()


async def test_the_printed_configuration_has_the_address_that_others_use(tmp_path: Path) -> None:
    add = ("tokens", "add", "a", "--port", "1234", "--host", "video.lan", "--transport", "sse")
    public = {"GEEKAI_PUBLIC_URL": "https://video.example.com/tools"}
    printed = [
        json.loads((await run_cli(tmp_path / name, *add, **variables))[1])
        for name, variables in (("local", dict[str, str]()), ("public", public))
    ]

    assert [each["mcpServers"]["geekai-video"]["url"] for each in printed] == [
        "http://video.lan:1234/sse",
        "https://video.example.com/tools/sse",
    ]


async def test_a_token_lets_its_tenant_in_until_it_is_revoked(tmp_path: Path) -> None:
    """Both while the server runs, and the second at once."""
    async with team_server(tmp_path, variables=KEY) as server:
        token = (await run_cli(tmp_path, "tokens", "add", "alice", "--raw"))[1].strip()
        before = await server.who_is(token)
        status, _, err = await run_cli(tmp_path, "tokens", "revoke", "alice")
        after = await server.post(token)

    assert before["tenant"] == "alice"
    assert (status, after.status_code) == (0, 401)
    assert "remain" in err


@pytest.mark.parametrize("path", ["/sse", "/mcp"])
async def test_a_stream_ends_with_its_token(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What happens to the tenant's tasks is not told to whoever had the token."""
    monkeypatch.setattr(authorization, "RECHECK_SECONDS", 0.02)
    async with team_server(tmp_path, variables=KEY) as server:
        token = server.add("alice")
        other = server.add("bob")
        session = (await server.post(token)).headers["mcp-session-id"]
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "text/event-stream",
            "Mcp-Session-Id": session,
        }
        async with (
            httpx.AsyncClient(timeout=20) as client,
            client.stream("GET", server.origin + path, headers=headers) as stream,
        ):
            revoke_token(server.settings, "alice")
            with anyio.fail_after(20):
                async for _ in stream.aiter_raw():
                    pass
        still_there = await server.status_of(other)

    assert stream.status_code == still_there == 200
    assert "ended a stream" in caplog.text
    assert "without completing" not in caplog.text


async def test_several_tokens_share_a_tenant_and_its_caps(tmp_path: Path) -> None:
    async with team_server(tmp_path, variables=KEY) as server:
        laptop = server.add("alice-laptop", "alice", max_videos_per_day=5)
        phone = server.add("alice-phone", "alice", quota_mb=100)
        seen = [await server.who_is(each) for each in (laptop, phone)]
        tokens = load_tokens_file(server.settings)

    assert [each["tenant"] for each in seen] == ["alice", "alice"]
    assert tokens.tenants["alice"].max_videos_per_day == 5
    assert tokens.tenants["alice"].quota_mb == 100


async def test_the_operators_own_token_goes_on_beside_the_others(tmp_path: Path) -> None:
    async with team_server(tmp_path, variables=KEY) as server:
        server.add("alice")
        own = (tmp_path / "state" / "http-token").read_text("utf-8").strip()

        assert (await server.who_is(own))["tenant"] == "local"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("add", "Alice"), "cannot be a tenant"),
        (("add", "local"), "cannot be a tenant"),
        (("add", "oauth-1"), "cannot be a tenant"),
        (("add", "a b", "--tenant", "ab"), "cannot be a token's name"),
        (("add", "known"), "There is a token"),
        (("revoke", "nobody"), "There is no token"),
    ],
)
async def test_a_name_that_cannot_be_is_refused_and_changes_nothing(
    tmp_path: Path, command: tuple[str, ...], reason: str
) -> None:
    await run_cli(tmp_path, "tokens", "add", "known")
    before = tokens_path(tmp_path / "state").read_bytes()
    status, out, err = await run_cli(tmp_path, "tokens", *command)

    assert (status, out) == (1, "")
    assert reason in err
    assert tokens_path(tmp_path / "state").read_bytes() == before


async def test_a_token_that_nobody_could_read_is_not_made(tmp_path: Path) -> None:
    import anyio  # noqa: PLC0415

    reader, writer = os.pipe()
    os.close(reader)
    done = await anyio.run_process(
        [*MODULE, "tokens", "add", "alice"],
        env=environment(tmp_path),
        stdout=writer,
        check=False,
    )
    os.close(writer)

    assert done.returncode == 1
    assert "No token was made" in done.stderr.decode()
    assert load_tokens_file(team_settings(tmp_path)).tokens == ()


TOKEN = {"name": "a", "tenant": "alice", "sha256": "0" * 64, "created_at": ""}
BAD_ENTRIES: list[tuple[object, str]] = [
    ("", "is not JSON"),
    ("[1]", '"version": 1'),
    ('{"version": 2}', '"version": 1'),
    ('{"version": true}', '"version": 1'),
    ("[" * 100_000, "is not JSON"),
    ('{"version": 1, "version": 1}', 'two entries "version"'),
    ('{"version": 1, "tenants": {"alice": {}, "alice": {}}}', 'two entries "alice"'),
    ('{"version": 1, "tenants": {"alice": {"max_cny_per_day": NaN}}}', "is not JSON"),
    ({"version": 1, "token": []}, '"token"'),
    ({"version": 1, "tokens": {}}, "tokens"),
    ({"version": 1, "tokens": ["x"]}, "token 1"),
    ({"version": 1, "tokens": [{**TOKEN, "name": "a b"}]}, "token 1"),
    ({"version": 1, "tokens": [{**TOKEN, "tenant": "local"}]}, 'token "a"'),
    ({"version": 1, "tokens": [{**TOKEN, "tenant": "../x"}]}, 'token "a"'),
    ({"version": 1, "tokens": [{**TOKEN, "sha256": "sk-secret"}]}, 'token "a"'),
    ({"version": 1, "tokens": [{**TOKEN, "expires": 1}]}, 'token "a"'),
    ({"version": 1, "tokens": [TOKEN, {**TOKEN, "sha256": "1" * 64}]}, "name of another token"),
    ({"version": 1, "tokens": [TOKEN, {**TOKEN, "name": "b"}]}, 'same token as "a"'),
    (tenants_only(local={}), 'tenant "local"'),
    (tenants_only(**{"oauth-1": dict[str, object]()}), 'tenant "oauth-1"'),
    (tenants_only(alice=5), 'tenant "alice"'),
    (tenants_only(alice={"max_video_per_day": 1}), "max_video_per_day"),
    (tenants_only(alice={"max_videos_per_day": -1}), "max_videos_per_day"),
    (tenants_only(alice={"max_videos_per_day": True}), "max_videos_per_day"),
    (tenants_only(alice={"max_videos_per_day": "5"}), "max_videos_per_day"),
    (tenants_only(alice={"quota_mb": 0}), "quota_mb"),
    (tenants_only(alice={"output_dir": "videos"}), "output_dir"),
    (tenants_only(alice={"api_key": "your-key"}), "api_key"),
    (tenants_only(alice={"api_key": "sk-a", "api_key_file": "/k"}), "Remove one"),
    (tenants_only(alice={"api_key_file": "/no/such/file"}), "does not exist"),
    ({"version": 1, "oauth": {"me@x": "local"}}, 'oauth "me@x"'),
]


@pytest.mark.parametrize(("document", "reason"), BAD_ENTRIES)
def test_a_bad_entry_is_named_and_no_value_is_repeated(
    tmp_path: Path, document: object, reason: str
) -> None:
    write(tmp_path, document)
    with pytest.raises(ConfigError) as refused:
        load_tokens_file(team_settings(tmp_path))

    assert reason in refused.value.message
    assert "tokens.json" in refused.value.message
    assert "sk-" not in refused.value.message


FOLDERS: list[tuple[dict[str, object], str]] = [
    ({"alice": {"output_dir": "{t}/a"}, "bob": {"output_dir": "{t}/a"}}, "bob"),
    ({"alice": {"output_dir": "{t}/a"}, "bob": {"output_dir": "{t}/a/b"}}, "bob"),
    ({"alice": {"output_dir": "{t}/a/b"}, "bob": {"output_dir": "{t}/a"}}, "alice"),
    ({"alice": {"output_dir": "{t}/a"}, "bob": {"output_dir": "{t}/x/../a"}}, "bob"),
    ({"alice": {"output_dir": "{t}/real"}, "bob": {"output_dir": "{t}/link"}}, "bob"),
    ({"alice": {"output_dir": "{t}/real"}, "bob": {"output_dir": "{t}/link/deep"}}, "bob"),
    ({"alice": {}, "bob": {"output_dir": "{t}/videos/tenants/alice"}}, "bob"),
    ({"bob": {"output_dir": "{t}/videos/tenants/alice"}}, "bob"),
    ({"bob": {"output_dir": "{t}/videos/tenants/oauth-0123456789abcdef"}}, "bob"),
    ({"bob": {"output_dir": "{t}/videos/tenants"}}, "bob"),
    ({"bob": {"output_dir": "{t}/videos"}}, "bob"),
    ({"bob": {"output_dir": "{t}"}}, "bob"),
    ({"bob": {"output_dir": "{t}/state"}}, "bob"),
    ({"bob": {"output_dir": "{t}/state/x"}}, "bob"),
]


@pytest.mark.parametrize(("tenants", "named"), FOLDERS)
def test_a_folder_that_two_tenants_would_reach_is_refused_by_name(
    tmp_path: Path, tenants: dict[str, object], named: str
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    text = json.dumps({"version": 1, "tenants": tenants}).replace("{t}", str(tmp_path))
    write(tmp_path, text)
    with pytest.raises(ConfigError, match=f'tenant \\\\?"{named}'):
        load_tokens_file(team_settings(tmp_path))


def test_folders_apart_from_each_other_are_taken(tmp_path: Path) -> None:
    write(
        tmp_path,
        tenants_only(
            alice={"output_dir": str(tmp_path / "a")},
            bob={"output_dir": str(tmp_path / "videos" / "of-bob")},
            carol={"output_dir": str(tmp_path / "videos" / "tenants" / "carol")},
            dave={},
        ),
    )

    assert len(load_tokens_file(team_settings(tmp_path)).tenants) == 4


@posix
@pytest.mark.parametrize("damage", ["mode", "link", "folder", "text"])
async def test_a_file_that_cannot_be_trusted_stops_the_start(tmp_path: Path, damage: str) -> None:
    await run_cli(tmp_path, "tokens", "add", "alice")
    damage_file(tmp_path, damage)
    for command in (SERVE, ("tokens", "list")):
        status, out, err = await run_cli(tmp_path, *command)

        assert (status, out) == (2, "")
        assert "tokens.json" in err
        assert "Traceback" not in err


@posix
@pytest.mark.parametrize("damage", ["mode", "link", "text", "entry"])
async def test_while_the_file_cannot_be_read_nobody_of_it_is_let_in(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with team_server(tmp_path, variables=KEY) as server:
        token = server.add("alice")
        own = (tmp_path / "state" / "http-token").read_text("utf-8").strip()
        right = tokens_path(tmp_path / "state").read_bytes()
        before = await server.status_of(token)
        damage_file(tmp_path, damage)
        refused = await server.post(token)
        operator = await server.status_of(own)
        put_right(tmp_path, right)
        after = await server.status_of(token)

    assert (before, refused.status_code, after) == (200, 503, 200)
    assert operator == 200
    assert refused.headers["retry-after"]
    assert refused.json()["error"] == "temporarily_unavailable"
    assert "tokens.json" in caplog.text
    assert "tokens.json" not in refused.text
    assert token not in caplog.text


async def test_a_file_that_was_deleted_lets_nobody_in(tmp_path: Path) -> None:
    async with team_server(tmp_path, variables=KEY) as server:
        token = server.add("alice")
        tokens_path(tmp_path / "state").unlink()

        assert await server.status_of(token) == 401


def damage_file(folder: Path, damage: str) -> None:
    path = tokens_path(folder / "state")
    if damage == "mode":
        path.chmod(0o644)
    elif damage == "text":
        path.write_text('{"version": 1, "tok', "utf-8")
    elif damage == "entry":
        document = json.loads(path.read_text("utf-8"))
        write(folder, {**document, "tenants": {"alice": {"max_in_flight": -1}}})
    else:
        path.rename(path.with_name("elsewhere"))
        if damage == "link":
            path.symlink_to(path.with_name("elsewhere"))
        else:
            path.mkdir()


def put_right(folder: Path, content: bytes) -> None:
    path = tokens_path(folder / "state")
    path.unlink()
    path.write_bytes(content)
    path.chmod(0o600)


def test_a_file_that_has_changed_is_read_again_and_no_other(tmp_path: Path) -> None:
    write(tmp_path, tenants_only(alice={"max_in_flight": 1}))
    live = LiveTokens(team_settings(tmp_path))
    first = live.read()
    same = live.read()
    write(tmp_path, tenants_only(alice={"max_in_flight": 2}))
    changed = live.changed()

    assert same is first
    assert changed
    assert live.read().tenants["alice"].max_in_flight == 2
    assert not live.changed()


def test_a_mistake_is_reported_until_it_is_put_right(tmp_path: Path) -> None:
    write(tmp_path, tenants_only(alice={}))
    live = LiveTokens(team_settings(tmp_path))
    tokens_path(tmp_path / "state").chmod(0o644)
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            live.read()
    tokens_path(tmp_path / "state").chmod(0o600)

    assert live.read().tenants.keys() == {"alice"}


def test_a_tenant_has_its_own_folder_caps_and_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-of-alice-alone-1234\n", "utf-8")
    write(
        tmp_path,
        tenants_only(
            alice={
                "max_videos_per_day": 3,
                "max_cny_per_day": 1.5,
                "quota_mb": 7,
                "api_key_file": str(tmp_path / "key"),
            },
            bob={"output_dir": str(tmp_path / "of-bob")},
        ),
    )
    operator = team_settings(tmp_path, **KEY, GEEKAI_IMAGE_DIRS=str(tmp_path), GEEKAI_QUOTA_MB="9")
    tokens = load_tokens_file(operator)
    alice, bob = (settings_of_tenant(operator, tokens, each) for each in ("alice", "bob"))

    assert alice.tenant == "alice"
    assert alice.output_dir == tmp_path / "videos" / "tenants" / "alice"
    assert (alice.max_videos_per_day, alice.max_in_flight) == (3, operator.max_in_flight)
    assert (alice.max_cny_per_day, alice.hosting.quota_mb) == (1.5, 7)
    assert alice.api_key is not None
    assert alice.api_key.get_secret_value() == "sk-of-alice-alone-1234"
    assert alice.image_dirs == bob.image_dirs == ()
    assert bob.output_dir == tmp_path / "of-bob"
    assert bob.api_key == operator.api_key
    assert (bob.max_videos_per_day, bob.hosting.quota_mb) == (operator.max_videos_per_day, 9)
    assert settings_of_tenant(operator, tokens, "local") is operator
    assert has_key_alone(operator, tokens, "alice")
    assert not has_key_alone(operator, tokens, "bob")
    assert not has_key_alone(operator, tokens, "local")


def test_a_key_in_a_server_without_one_asks_geekai_and_not_the_sandbox(tmp_path: Path) -> None:
    write(tmp_path, tenants_only(alice={"api_key": "sk-of-alice-alone-1234"}, bob={}))
    operator = team_settings(tmp_path)
    tokens = load_tokens_file(operator)
    alice, bob = (settings_of_tenant(operator, tokens, each) for each in ("alice", "bob"))

    assert operator.sandbox
    assert bob.sandbox
    assert alice.at_geekai
    assert alice.default_model == "cogvideox-flash"
    assert alice.limits is not None


def test_two_tenants_with_one_key_do_not_have_it_alone(tmp_path: Path) -> None:
    same = {"api_key": "sk-of-both-of-them-1234"}
    write(tmp_path, tenants_only(alice=same, bob=same))
    operator = team_settings(tmp_path, **KEY)
    tokens = load_tokens_file(operator)

    assert not has_key_alone(operator, tokens, "alice")
    assert has_key_alone(operator, tokens, "local")


async def test_a_client_sends_a_key_of_its_own_where_the_operator_allows_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = "sk-canary-of-the-client-1"
    variables = {**KEY, "GEEKAI_CLIENT_KEYS": "allow"}
    async with team_server(tmp_path, variables=variables) as server:
        token = server.add("alice")
        with_key = await server.who_is(token, X_GeekAI_Key=f"Bearer {key}")
        without = await server.who_is(token)
        empty = await server.who_is(token, X_GeekAI_Key="")

    assert (with_key["tenant"], with_key["key"]) == ("alice", key)
    assert without["key"] == empty["key"] == ""
    assert key not in caplog.text


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("your-api-key", "placeholder"),
        ("${GEEKAI_API_KEY}", "refers to another variable"),
        ("sk-two keys-in-one", "printable ASCII"),
        ("sk-a,sk-b", "comma"),
    ],
)
async def test_what_is_no_key_is_refused_and_not_repeated(
    tmp_path: Path, sent: str, reason: str
) -> None:
    variables = {**KEY, "GEEKAI_CLIENT_KEYS": "allow"}
    async with team_server(tmp_path, variables=variables) as server:
        refused = await server.post(server.add("alice"), X_GeekAI_Key=sent)

    assert refused.status_code == 400
    assert reason in refused.json()["error_description"]
    assert sent not in refused.text


async def test_a_key_that_the_operator_does_not_take_is_refused_and_not_ignored(
    tmp_path: Path,
) -> None:
    """Ignored, the operator would pay for what the client believes to pay for itself."""
    async with team_server(tmp_path, variables=KEY) as server:
        refused = await server.post(server.add("alice"), X_GeekAI_Key="sk-of-the-client-1")
    variables = {**KEY, "GEEKAI_CLIENT_KEYS": "allow"}
    async with team_server(tmp_path, variables=variables) as server:
        own = (tmp_path / "state" / "http-token").read_text("utf-8").strip()
        operator = await server.post(own, X_GeekAI_Key="sk-of-the-client-1")

    assert refused.status_code == operator.status_code == 403
    assert "GEEKAI_CLIENT_KEYS" in refused.json()["error_description"]
    assert "tokens add" in operator.json()["error_description"]


async def test_a_refused_token_is_one_line_of_the_log_without_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = "canary-token-of-somebody-else-0123456789abc"
    async with team_server(tmp_path, variables=KEY) as server:
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "geekai_video_mcp"):
            answer = await server.post(wrong)
        lines = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
        in_query = await refusal_of_query(server, wrong)

    assert answer.status_code == in_query.status_code == 401
    assert answer.headers["www-authenticate"] == (
        'Bearer realm="geekai-video-mcp", error="invalid_token"'
    )
    assert in_query.headers["www-authenticate"] == 'Bearer realm="geekai-video-mcp"'
    assert lines == ["refused a request with a wrong token: it is unknown"]
    assert "tokens add" in answer.json()["error_description"]
    assert wrong not in caplog.text + answer.text + in_query.text


async def refusal_of_query(server: TeamServer, token: str) -> Any:  # noqa: ANN401 - a response
    return await server.get(f"/mcp?access_token={token}&token={token}")


async def test_without_an_authorisation_server_nothing_starts_a_login(tmp_path: Path) -> None:
    async with team_server(tmp_path, variables=KEY) as server:
        server.add("alice")
        paths = (
            "oauth-protected-resource",
            "oauth-protected-resource/mcp",
            "oauth-authorization-server",
            "openid-configuration",
        )
        found = [(await server.get(f"/.well-known/{each}")).status_code for each in paths]
        refused = await server.post()

    assert set(found) == {404}
    assert "resource_metadata" not in refused.headers["www-authenticate"]
    assert "Authorization: Bearer TOKEN" in refused.json()["error_description"]


async def test_tokens_protect_the_sandbox_as_well(tmp_path: Path) -> None:
    await run_cli(tmp_path, "tokens", "add", "alice")
    async with team_server(tmp_path) as server:
        assert await server.status_of() == 401
