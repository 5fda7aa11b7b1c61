"""A wrong proxy or certificate variable is named before anything is paid; its value never is."""

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx
import pytest
from pydantic import SecretStr

from geekai_video_mcp.app import open_app
from geekai_video_mcp.config import Settings
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.provider.network_settings import find_wrong_variable
from support.world import now

pytestmark = pytest.mark.usefixtures("virtual_time")

SECRET: Final = "hunter2-canary"
SOCKS: Final = importlib.util.find_spec("socksio") is not None

WRONG: Final[dict[str, tuple[Mapping[str, str], str]]] = {
    "a scheme": ({"HTTPS_PROXY": f"nonsense://u:{SECRET}@h:1"}, "HTTPS_PROXY has a scheme"),
    "socks4": ({"ALL_PROXY": "socks4://127.0.0.1:1"}, "ALL_PROXY has a scheme"),
    "a port": ({"http_proxy": f"http://u:{SECRET}@h:x"}, "http_proxy is not a valid URL"),
    "a port too high": ({"HTTPS_PROXY": "http://h:99999"}, "HTTPS_PROXY is not a valid URL"),
    "port nought": ({"HTTPS_PROXY": "h:0"}, "HTTPS_PROXY is not a valid URL"),
    "no host": ({"all_proxy": "http://"}, "all_proxy is not a valid URL"),
    "half an address": ({"HTTPS_PROXY": "http://[::1"}, "HTTPS_PROXY is not a valid URL"),
    "a bare address": ({"HTTPS_PROXY": "http://::1:80"}, "HTTPS_PROXY is not a valid URL"),
    "a # in a password": ({"HTTPS_PROXY": f"http://u:{SECRET}#@h:80"}, "percent-encoded"),
    "blanks": ({"HTTPS_PROXY": " "}, "HTTPS_PROXY contains a character"),
    "a line end": ({"HTTPS_PROXY": "http://h\n:80"}, "HTTPS_PROXY contains a character"),
    "lower case wins": (
        {"HTTPS_PROXY": "http://h:80", "https_proxy": f"{SECRET}://h"},
        "https_proxy has a scheme",
    ),
    "mixed case": ({"Https_Proxy": "bad://h"}, "Https_Proxy has a scheme"),
    "an address in brackets": ({"NO_PROXY": "a.com,[::1]"}, "NO_PROXY cannot be read: entry 2"),
    "a network": ({"no_proxy": "fe80::/10"}, "no_proxy cannot be read: entry 1 is an IPv6 network"),
    "an address with a port": ({"NO_PROXY": "[::1]:80"}, "NO_PROXY cannot be read: entry 1"),
    "a zone": ({"NO_PROXY": "fe80::1%eth0/64"}, "NO_PROXY cannot be read: entry 1 is an IPv6"),
    "a word for a port": ({"NO_PROXY": "a,b:c"}, "NO_PROXY cannot be read: entry 2"),
    "an address with a scheme": ({"NO_PROXY": "http://::1"}, "NO_PROXY cannot be read: entry 1"),
    "a host that is not ASCII": ({"NO_PROXY": "ü.com"}, "NO_PROXY cannot be read: entry 1"),
    "no file": ({"SSL_CERT_FILE": "/nowhere/ca.pem"}, "SSL_CERT_FILE cannot be used: it does not"),
    "a folder for a file": ({"SSL_CERT_FILE": os.sep}, "SSL_CERT_FILE cannot be used: a folder"),
    "no certificates": ({"SSL_CERT_FILE": __file__}, "SSL_CERT_FILE cannot be used: it holds no"),
    "no folder": ({"SSL_CERT_DIR": "/nowhere"}, "SSL_CERT_DIR cannot be used: it does not exist"),
    "a file for a folder": ({"SSL_CERT_DIR": __file__}, "SSL_CERT_DIR cannot be used: a part"),
    "a folder of other files": (
        {"SSL_CERT_DIR": str(Path(__file__).parent)},
        "SSL_CERT_DIR cannot be used: it holds no certificate",
    ),
}
RIGHT: Final[tuple[Mapping[str, str], ...]] = (
    {"HTTPS_PROXY": "http://127.0.0.1:7890", "NO_PROXY": "localhost,127.0.0.1,::1"},
    {"HTTPS_PROXY": "127.0.0.1:7890", "no_proxy": "10.0.0.0/8, .local , *.corp.com,,"},
    {"ALL_PROXY": "https://u:p%40@proxy.example:443", "NO_PROXY": "h:8080,::ffff:1.2.3.4"},
    {"ALL_PROXY": "nonsense://x", "NO_PROXY": "a,*,[::1]"},
    {"https_proxy": "", "HTTPS_PROXY": "nonsense://x"},
    {"SSL_CERT_FILE": "", "SSL_CERT_DIR": ""},
    {"NO_PROXY": "example.com:443,http://a.com,https://a.com:8080"},
)


@pytest.fixture(autouse=True)
def no_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT_"):
            monkeypatch.delenv(name)


def set_all(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


async def refused_message(tmp_path: Path, **changes: SecretStr | None) -> str:
    """What a request of a server with these variables is refused with."""
    settings = Settings(
        api_key=changes.get("api_key", SecretStr("sk-any")),
        base_url="https://geekai.invalid/api/v1",
        default_model="m",
        output_dir=tmp_path / "videos",
        state_dir=tmp_path / "state",
        log_level="WARNING",
    )
    async with open_app(settings, clock=now) as app:
        request = GenerationRequest(Media.VIDEO, {"model": "m", "prompt": "a fox"})
        task, _ = await app.engine.submit(request)
        assert task.status is Status.REJECTED
        return str(task.error_message)


@pytest.mark.skipif(os.name == "nt", reason="variables have one case there")
@pytest.mark.parametrize("name", WRONG)
async def test_the_variable_that_is_wrong_is_named_and_nothing_is_charged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    variables, words = WRONG[name]
    set_all(monkeypatch, variables)

    message = await refused_message(tmp_path)

    assert message.startswith("No request can be sent: ")
    assert words in message
    assert "Nothing was charged. The operator corrects this variable" in message
    assert SECRET not in message
    others = {"HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE"} - set(variables)
    assert not any(other in message for other in others)


@pytest.mark.skipif(SOCKS, reason="the package for SOCKS is installed here")
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_a_socks_proxy_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://u:{SECRET}@127.0.0.1:1080")

    message = await refused_message(tmp_path)

    assert "ALL_PROXY is a SOCKS proxy" in message
    assert "pip install 'geekai-video-mcp[socks]'" in message
    assert SECRET not in message


@pytest.mark.parametrize("variables", RIGHT)
def test_what_httpx_can_use_is_not_refused(
    monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]
) -> None:
    set_all(monkeypatch, variables)

    assert find_wrong_variable() is None
    httpx.AsyncClient()


@pytest.mark.parametrize("name", WRONG)
def test_nothing_is_refused_that_httpx_would_send_with(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It raises for most; the others are those that would fail at every request."""
    variables, _ = WRONG[name]
    set_all(monkeypatch, variables)
    silent = {"a port too high", "port nought", "no host", "blanks", "no folder"}
    silent |= {"a file for a folder", "a folder of other files"}
    if name in silent:
        httpx.AsyncClient()
        return
    with pytest.raises(Exception):  # noqa: B017, PT011 - of any class, which is the point
        httpx.AsyncClient()
