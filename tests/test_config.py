"""The environment as a value: checked whole, and never repeated in what is said of it."""

import os
import traceback
from pathlib import Path

import pytest

from geekai_video_mcp.config import (
    FREE_MODEL,
    GEEKAI_URL,
    SANDBOX_MODEL,
    SANDBOX_URL,
    Settings,
    is_loopback,
)
from geekai_video_mcp.domain.admission import Limits
from geekai_video_mcp.errors import ConfigError

KEY = "sk-canary-0123456789"


def mistakes(**environ: str) -> dict[str, str]:
    """What is said of each wrong variable."""
    with pytest.raises(ConfigError) as refused:
        Settings.from_env({f"GEEKAI_{name}": value for name, value in environ.items()})
    return {
        name.removeprefix("GEEKAI_"): problem for name, problem in refused.value.problems.items()
    }


def test_without_a_key_the_service_is_the_sandbox() -> None:
    settings = Settings.from_env({})

    assert (settings.api_key, settings.base_url, settings.sandbox) == (None, SANDBOX_URL, True)
    assert settings.default_model == SANDBOX_MODEL
    assert settings.log_level == "WARNING"
    assert settings.output_dir.is_absolute()
    assert settings.state_dir.is_absolute()


def test_a_preview_is_known_for_one_even_where_there_is_a_key() -> None:
    """By the task's service: a preview must not be shown as a video that was paid for."""
    settings = Settings.from_env({"GEEKAI_API_KEY": KEY, "GEEKAI_BASE_URL": SANDBOX_URL})

    assert settings.sandbox
    assert settings.account == SANDBOX_URL


def test_with_a_key_the_service_is_geekai_and_the_model_is_free() -> None:
    settings = Settings.from_env({"GEEKAI_API_KEY": f"  {KEY}\n"})

    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == KEY
    assert (settings.base_url, settings.sandbox) == (GEEKAI_URL, False)
    assert settings.default_model == FREE_MODEL


def test_pictures_may_be_read_from_several_folders(tmp_path: Path) -> None:
    listed = os.pathsep.join([str(tmp_path), "~/Pictures", " ", ""])

    settings = Settings.from_env({"GEEKAI_IMAGE_DIRS": listed})

    assert settings.image_dirs == (tmp_path, Path("~/Pictures").expanduser())
    assert Settings.from_env({}).image_dirs == ()


@pytest.mark.parametrize("wrong", ["pictures", "~nobody-of-this-name/a", __file__])
def test_one_wrong_folder_of_pictures_is_named_by_its_variable(tmp_path: Path, wrong: str) -> None:
    assert list(mistakes(IMAGE_DIRS=os.pathsep.join([str(tmp_path), wrong]))) == ["IMAGE_DIRS"]


def test_a_gateway_needs_no_key() -> None:
    settings = Settings.from_env({"GEEKAI_BASE_URL": "http://127.0.0.1:8766/api/v1/"})

    assert (settings.base_url, settings.sandbox) == ("http://127.0.0.1:8766/api/v1", False)
    assert settings.account == settings.base_url


def test_every_variable_is_read(tmp_path: Path) -> None:
    settings = Settings.from_env(
        {
            "GEEKAI_API_KEY": KEY,
            "GEEKAI_BASE_URL": "https://geekai.dev/api/v1",
            "GEEKAI_DEFAULT_MODEL": " veo-3.1-fast ",
            "GEEKAI_OUTPUT_DIR": str(tmp_path / "videos"),
            "GEEKAI_STATE_DIR": "~/state",
            "GEEKAI_LOG_LEVEL": "debug",
            "GEEKAI_UNHEARD_OF": "x",
            "PATH": "/bin",
        }
    )

    assert settings.base_url == "https://geekai.dev/api/v1"
    assert settings.default_model == "veo-3.1-fast"
    assert settings.output_dir == tmp_path / "videos"
    assert settings.state_dir == Path.home() / "state"
    assert settings.log_level == "DEBUG"


def test_an_empty_variable_is_not_set() -> None:
    names = (
        *("API_KEY", "BASE_URL", "DEFAULT_MODEL", "OUTPUT_DIR", "STATE_DIR", "LOG_LEVEL"),
        *("MAX_VIDEOS_PER_DAY", "MAX_IN_FLIGHT", "CONFIRM"),
    )

    for nothing in ("", "  "):
        environ = {f"GEEKAI_{name}": nothing for name in names}
        assert Settings.from_env(environ) == Settings.from_env({})


def test_caps_are_on_unless_set_and_the_sandbox_has_none() -> None:
    assert Settings.from_env({}).limits is None
    assert Settings.from_env({"GEEKAI_API_KEY": KEY}).limits == Limits(per_day=50, in_flight=10)
    set_ = {"GEEKAI_MAX_VIDEOS_PER_DAY": "0", "GEEKAI_MAX_IN_FLIGHT": " 100 "}
    settings = Settings.from_env({"GEEKAI_API_KEY": KEY, **set_})
    assert settings.limits == Limits(per_day=0, in_flight=100)


@pytest.mark.parametrize("cap", ["-1", "ten", "1.5", "٣", "1e3", "99999999", "0x10"])
def test_a_cap_is_a_whole_number(cap: str) -> None:
    assert set(mistakes(MAX_VIDEOS_PER_DAY=cap)) == {"MAX_VIDEOS_PER_DAY"}


@pytest.mark.parametrize(
    ("policy", "above"),
    [("never", None), ("Always", -1.0), ("above:0", 0.0), (" above:2.50 ", 2.5)],
)
def test_who_is_asked_before_paying_is_the_operators_to_say(
    policy: str, above: float | None
) -> None:
    assert Settings.from_env({"GEEKAI_CONFIRM": policy}).confirm_above == above


@pytest.mark.parametrize("policy", ["yes", "above", "above:", "above:-1", "above:nan", "above:1e3"])
def test_a_policy_that_is_none_is_refused_and_never_taken_for_never(policy: str) -> None:
    assert set(mistakes(CONFIRM=policy)) == {"CONFIRM"}


def test_every_mistake_is_in_one_error_by_variable_name() -> None:
    problems = mistakes(
        API_KEY="two words",
        BASE_URL="geekai.co",
        OUTPUT_DIR="videos",
        STATE_DIR="./state",
        LOG_LEVEL="loud",
    )

    assert set(problems) == {"API_KEY", "BASE_URL", "OUTPUT_DIR", "STATE_DIR", "LOG_LEVEL"}
    assert "https://" in problems["BASE_URL"]
    assert "absolute" in problems["OUTPUT_DIR"]
    assert "WARNING" in problems["LOG_LEVEL"]


@pytest.mark.parametrize(
    "url",
    [
        "geekai.co/api/v1",
        "ftp://geekai.co/api/v1",
        "https://",
        "https:///api/v1",
        "https://[::1/api",
        f"https://[{KEY}]/api",
        f"https://user:{KEY}\u2100@geekai.co/api/v1",
        f"https://user:{KEY}@geekai.co/api/v1",
        f"https://{KEY}@geekai.co/api/v1",
        "https://@geekai.co/api/v1",
        f"https://geekai.co/api/v1?key={KEY}",
        "https://geekai.co/api/v1?",
        "https://geekai.co/api/v1#",
        "https://geekai.co:99999/api/v1",
        "https://geekai.co:port/api/v1",
        "https://geek ai.co/api/v1",
        "https://geekai.co/api\n/v1",
        "https://geekai.co/\x00api",
        "http://geekai.co/api/v1",
        "http://192.168.1.20/api/v1",
        "http://10.0.0.1/api/v1",
        "http://localhost.example.com/api/v1",
        "http://127.0.0.1.example.com/api/v1",
    ],
)
def test_a_base_url_that_could_lose_the_key_or_lead_nowhere_is_refused(url: str) -> None:
    problems = mistakes(API_KEY=KEY, BASE_URL=url)

    assert list(problems) == ["BASE_URL"]
    assert KEY not in problems["BASE_URL"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8766/api/v1",
        "http://localhost/api/v1",
        "http://[::1]:8766/api/v1",
        "http://127.9.9.9/v1",
        "https://192.168.1.20:8443/api/v1",
        "https://例え.jp/api/v1",
    ],
)
def test_a_gateway_on_this_machine_or_over_https_is_taken(url: str) -> None:
    assert Settings.from_env({"GEEKAI_BASE_URL": url}).base_url == url


@pytest.mark.parametrize("key", ["two words", "sk-\u2013dash", "sk-\x00", "sk-\nline", "ключ"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(key: str) -> None:
    problems = mistakes(API_KEY=key)["API_KEY"]

    assert key not in problems
    assert "console" in problems


@pytest.mark.parametrize(
    "path", ["videos", "./videos", "~nobody-of-this-name/videos", "/" + "x" * 300]
)
def test_a_folder_that_cannot_be_is_refused(path: str) -> None:
    assert list(mistakes(OUTPUT_DIR=path)) == ["OUTPUT_DIR"]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "videos").touch()

    assert "is a file" in mistakes(OUTPUT_DIR=str(tmp_path / "videos"))["OUTPUT_DIR"]


def test_the_key_is_in_no_words_about_the_settings() -> None:
    settings = Settings.from_env({"GEEKAI_API_KEY": KEY})

    assert KEY not in f"{settings} {settings!r} {settings.account}"


def test_the_key_is_in_no_traceback_of_the_error() -> None:
    environ = {"GEEKAI_API_KEY": f"{KEY} {KEY}", "GEEKAI_BASE_URL": f"http://{KEY}"}

    with pytest.raises(ConfigError) as refused:
        Settings.from_env(environ)

    assert KEY not in "".join(traceback.format_exception(refused.value))
    assert refused.value.__context__ is None


def test_the_service_tells_keys_and_hosts_apart() -> None:
    def service(**environ: str) -> str:
        return Settings.from_env({f"GEEKAI_{k}": v for k, v in environ.items()}).account

    services = [
        service(),
        service(API_KEY=KEY),
        service(API_KEY=f"{KEY}0"),
        service(API_KEY=KEY, BASE_URL="https://geekai.dev/api/v1"),
    ]

    assert len(set(services)) == 4
    assert service(API_KEY=KEY) == service(API_KEY=KEY, BASE_URL=f"{GEEKAI_URL}/")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.0.1", "::1", "[::1]"])
def test_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "localhost.evil.com", "127.1", "192.168.0.1"])  # noqa: S104 - refused
def test_nothing_else_is_loopback(host: str) -> None:
    assert not is_loopback(host)
