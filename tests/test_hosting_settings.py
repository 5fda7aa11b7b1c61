"""The settings of a server that several people use: what is taken, and what is refused."""

import pytest

from geekai_video_mcp.config import Settings
from geekai_video_mcp.domain.tenants import is_tenant_name, oauth_tenant
from geekai_video_mcp.errors import ConfigError

SECRET = "3f9c" * 8  # 32 bytes


def load(**variables: str) -> Settings:
    return Settings.from_env(
        {"HOME": "/nonexistent", "GEEKAI_OUTPUT_DIR": "/o", **_named(variables)}
    )


def _named(variables: dict[str, str]) -> dict[str, str]:
    named = {f"GEEKAI_{name.upper()}": value for name, value in variables.items()}
    return {"GEEKAI_STATE_DIR": "/s", **named}


def test_every_setting_is_read() -> None:
    hosting = load(
        allowed_hosts="Video.example.com, host.docker.internal [::1]",
        trusted_proxies="127.0.0.1 10.0.0.0/8",
        public_url="https://video.example.com/studio/",
        secret=SECRET,
        client_keys="ALLOW",
        oauth_issuer="https://login.example.com/realms/a/",
        oauth_client_id="video",
        oauth_client_secret="hush",
        oauth_scopes="video read",
        oauth_tenant_claim="email",
        keep_days="30",
        quota_mb="5000",
        max_calls_per_minute="60",
        log_format="json",
    ).hosting

    assert hosting.allowed_hosts == ("video.example.com", "host.docker.internal", "[::1]")
    assert [str(network) for network in hosting.trusted_proxies] == ["127.0.0.1/32", "10.0.0.0/8"]
    assert hosting.public_url == "https://video.example.com/studio"
    assert hosting.client_keys == "allow"
    assert hosting.oauth is not None
    assert hosting.oauth.issuer == "https://login.example.com/realms/a/"
    assert (hosting.oauth.scopes, hosting.oauth.tenant_claim) == (("video", "read"), "email")
    assert (hosting.keep_days, hosting.quota_mb, hosting.max_calls_per_minute) == (30, 5000, 60)
    assert hosting.log_format == "json"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allowed_hosts", "*"),
        ("allowed_hosts", "*.example.com"),
        ("allowed_hosts", "https://video.example.com"),
        ("allowed_hosts", "video.example.com:443"),
        ("allowed_hosts", "video.example.com/mcp"),
        ("allowed_hosts", "-video"),
        ("trusted_proxies", "nginx"),
        ("trusted_proxies", "10.0.0.1/8"),
        ("trusted_proxies", "10.0.0.0/33"),
        ("public_url", "video.example.com"),
        ("public_url", "http://video.example.com"),
        ("public_url", "https://me:pass@video.example.com"),
        ("public_url", "https://video.example.com?a=1"),
        ("secret", "short"),
        ("secret", "x" * 31),
        ("client_keys", "yes"),
        ("oauth_issuer", "http://login.example.com"),
        ("oauth_issuer", "login"),
        ("oauth_scopes", 'a"b'),
        ("oauth_tenant_claim", "a claim"),
        ("keep_days", "0"),
        ("keep_days", "-1"),
        ("quota_mb", "1.5"),
        ("max_calls_per_minute", "many"),
        ("log_format", "xml"),
    ],
)
def test_a_wrong_value_is_named_and_not_repeated(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(**{name: value})

    assert f"GEEKAI_{name.upper()}" in caught.value.problems
    assert value not in caught.value.problems[f"GEEKAI_{name.upper()}"].split()


@pytest.mark.parametrize("given", ["oauth_client_id", "oauth_client_secret"])
def test_introspection_needs_both_halves_of_its_credentials(given: str) -> None:
    with pytest.raises(ConfigError, match="belong together"):
        load(
            oauth_issuer="https://login.example.com",
            public_url="https://video.example.com",
            **{given: "one"},
        )


def test_oauth_needs_the_address_that_tokens_are_issued_for() -> None:
    with pytest.raises(ConfigError, match="GEEKAI_PUBLIC_URL"):
        load(oauth_issuer="https://login.example.com")


@pytest.mark.parametrize("name", ["alice", "team-7", "a_b", "0", "a" * 40])
def test_a_tenant_has_a_name_that_is_a_folder_everywhere(name: str) -> None:
    assert is_tenant_name(name)


@pytest.mark.parametrize(
    "name", ["", "Alice", "../x", "a/b", "a.b", "-a", "a b", "a" * 41, "oauth-1", "é", "a\n"]
)
def test_what_is_no_safe_folder_is_no_tenant(name: str) -> None:
    assert not is_tenant_name(name)


def test_the_same_user_of_two_issuers_is_two_tenants() -> None:
    assert oauth_tenant("https://a.example", "7") != oauth_tenant("https://b.example", "7")
    assert oauth_tenant("https://a.example", "7").startswith("oauth-")
