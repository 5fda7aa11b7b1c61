"""The environment as a value: checked whole, and never repeated in what is said of it."""

import os
import traceback
from pathlib import Path

import pytest

from geekai_video_mcp.config import FREE_MODEL, GEEKAI_URL, SANDBOX_MODEL, SANDBOX_URL, Settings
from geekai_video_mcp.domain.admission import Limits
from geekai_video_mcp.domain.public_hosts import is_loopback
from geekai_video_mcp.errors import ConfigError

KEY = "sk-canary-0123456789"


def mistakes(**environ: str) -> dict[str, str]:
    """What is said of each wrong variable."""
    with pytest.raises(ConfigError) as refused:
        Settings.from_env({f"GEEKAI_{name}": value for name, value in environ.items()})
    return {
        name.removeprefix("GEEKAI_"): problem for name, problem in refused.value.problems.items()
    }


WRAPPED = (
    *(
        f'"{KEY}"',
        f"'{KEY}'",
        f"{KEY};",
        f"{KEY},",
        f"`{KEY}`",
        f'"{KEY}",',
        f"“{KEY}”",
        f"‘{KEY}’",
    ),
    *(
        f"Bearer {KEY}",
        f"bearer\t{KEY}",
        f'"Bearer {KEY}"',
        f"Bearer '{KEY}'",
        f"\ufeff{KEY}\u200b",
    ),
    *(f"Authorization: Bearer {KEY}", f"X-API-Key: {KEY}", f"export GEEKAI_API_KEY='{KEY}'"),
    *(f"「{KEY}」", f"„{KEY}“", f"\u00a0{KEY}\u3000", f"GEEKAI_API_KEY = {KEY}", f"Bearer: {KEY}"),
)
"""As `docker run --env-file` hands on a value in quotation marks, and as people copy keys."""


@pytest.mark.parametrize("value", WRAPPED)
def test_what_surrounds_a_key_is_taken_off(value: str) -> None:
    settings = Settings.from_env({"GEEKAI_API_KEY": value})

    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == KEY
    assert settings.warnings == ()


@pytest.mark.parametrize("key", [f"{KEY}'x", f"{KEY},{KEY}", f"a`{KEY}", f'"{KEY}'])
def test_a_key_with_a_mark_that_none_has_is_refused_unseen(key: str) -> None:
    problem = mistakes(API_KEY=key)["API_KEY"]

    assert "quotation mark" in problem
    assert KEY not in problem


@pytest.mark.parametrize("nothing", ['""', "''", " ", '" "', "“”"])
def test_marks_around_nothing_are_no_key(nothing: str) -> None:
    assert Settings.from_env({"GEEKAI_API_KEY": nothing}) == Settings.from_env({})


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


@pytest.mark.parametrize(
    "url",
    [
        *("https://geekai.co/api/v1", "https://geekai.dev/api/v1//"),
        "HTTPS://GeekAI.co:443/api/v1/",
    ],
)
def test_geekai_is_known_by_any_spelling_of_its_addresses(url: str) -> None:
    assert Settings.from_env({"GEEKAI_API_KEY": KEY, "GEEKAI_BASE_URL": url}).at_geekai


@pytest.mark.parametrize(
    "url",
    [
        *("https://geekai.co/api/v2", "https://geekai.co:8443/api/v1"),
        *("https://geekai.co.example.com/api/v1", "https://api.example.com/geekai.co/api/v1"),
        *("http://127.0.0.1:8766/api/v1", SANDBOX_URL),
    ],
)
def test_a_gateway_and_the_sandbox_are_not_geekai(url: str) -> None:
    assert not Settings.from_env({"GEEKAI_API_KEY": KEY, "GEEKAI_BASE_URL": url}).at_geekai


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
        *("MAX_VIDEOS_PER_DAY", "MAX_IN_FLIGHT", "MAX_CNY_PER_DAY", "CONFIRM"),
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


@pytest.mark.parametrize(("rate", "per_second"), [("50", 50), (" 0.1 ", 0.1), ("10000", 10000)])
def test_the_rate_of_requests_is_two_a_second_unless_set(rate: str, per_second: float) -> None:
    assert Settings.from_env({}).requests_per_second == 2
    settings = Settings.from_env({"GEEKAI_REQUESTS_PER_SECOND": rate})
    assert settings.requests_per_second == per_second


@pytest.mark.parametrize("rate", ["0", "0.09", "10000.5", "10001", "-1", "two", "1e3", "nan", "٣"])
def test_a_rate_of_requests_is_a_number_within_bounds(rate: str) -> None:
    assert set(mistakes(REQUESTS_PER_SECOND=rate)) == {"REQUESTS_PER_SECOND"}


@pytest.mark.parametrize("cap", ["-1", "ten", "1.5", "٣", "1e3", "99999999", "0x10"])
def test_a_cap_is_a_whole_number(cap: str) -> None:
    assert set(mistakes(MAX_VIDEOS_PER_DAY=cap)) == {"MAX_VIDEOS_PER_DAY"}


@pytest.mark.parametrize(("cap", "cny"), [("20", 20), (" 12.50 ", 12.5), ("0", 0)])
def test_a_cap_in_cny_is_off_unless_set(cap: str, cny: float) -> None:
    settings = Settings.from_env({"GEEKAI_API_KEY": KEY, "GEEKAI_MAX_CNY_PER_DAY": cap})

    assert settings.limits == Limits(per_day=50, in_flight=10, cny_per_day=cny)
    assert Settings.from_env({"GEEKAI_MAX_CNY_PER_DAY": cap}).limits is None


@pytest.mark.parametrize("cap", ["-1", "ten", "1e3", "nan", "inf", "1.2345", "¥20", "20,5", "٣"])
def test_a_cap_in_cny_is_an_amount(cap: str) -> None:
    assert set(mistakes(MAX_CNY_PER_DAY=cap)) == {"MAX_CNY_PER_DAY"}


@pytest.mark.parametrize(
    ("policy", "above"),
    [("never", None), ("Always", -1.0), ("above:0", 0.0), (" above:2.50 ", 2.5)],
)
def test_who_is_asked_before_paying_is_the_operators_to_say(
    policy: str, above: float | None
) -> None:
    assert Settings.from_env({"GEEKAI_CONFIRM": policy}).confirm_above == above


@pytest.mark.parametrize(
    "policy", ["yes", "above", "above:", "above:-1", "above:nan", "above:1e3", "5"]
)
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


@pytest.mark.parametrize("key", ["two words", "sk-\u2013dash", "sk-\x01", "sk-\nline", "ключ"])
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


# A user without a home, and defaults


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container with `USER 12345`: no HOME, and no entry among the users."""
    for name in ("HOME", "USERPROFILE", "HOMEPATH", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(*_: object) -> object:
        msg = "uid not found"
        raise KeyError(msg)

    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.setattr("pwd.getpwnam", nobody)


posix = pytest.mark.skipif(os.name == "nt", reason="homes and links are POSIX's here")


@posix
@pytest.mark.usefixtures("homeless")
def test_without_a_home_both_folders_have_to_be_set_and_then_all_is_well(tmp_path: Path) -> None:
    folders = {"GEEKAI_OUTPUT_DIR": str(tmp_path / "v"), "GEEKAI_STATE_DIR": str(tmp_path / "s")}

    assert Settings.from_env(folders).state_dir == tmp_path / "s"
    problems = mistakes()
    assert set(problems) == {"OUTPUT_DIR", "STATE_DIR"}
    for problem in problems.values():
        assert "is not set" in problem
        assert "no home directory" in problem
    assert set(mistakes(OUTPUT_DIR=str(tmp_path))) == {"STATE_DIR"}
    assert set(mistakes(STATE_DIR=str(tmp_path))) == {"OUTPUT_DIR"}


@posix
@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("path", ["~", "~/videos", "~root/videos"])
def test_without_a_home_a_tilde_is_refused_in_words(tmp_path: Path, path: str) -> None:
    problems = mistakes(OUTPUT_DIR=path, STATE_DIR=str(tmp_path), IMAGE_DIRS=path)

    assert set(problems) == {"OUTPUT_DIR", "IMAGE_DIRS"}
    assert "home directory is not known" in problems["OUTPUT_DIR"]


@posix
@pytest.mark.parametrize("home", ["", "relative", "./x"])
def test_a_home_that_is_not_absolute_never_gives_a_folder_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str
) -> None:
    """An empty HOME would make ~/videos the folder /videos, and a relative one is the host's."""
    monkeypatch.setenv("HOME", home)

    assert set(mistakes(OUTPUT_DIR="~/videos", STATE_DIR=str(tmp_path))) == {"OUTPUT_DIR"}


@posix
@pytest.mark.parametrize("default", ["~/.local/state", "relative/state", "/home/\udcff/state"])
def test_a_default_that_is_not_absolute_or_not_utf8_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, default: str
) -> None:
    """Older platformdirs answer ~ literally if there is no home, or take XDG's word for it."""
    monkeypatch.setattr("platformdirs.user_state_path", lambda *_, **__: Path(default))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]

    assert set(mistakes(OUTPUT_DIR=str(tmp_path))) == {"STATE_DIR"}


@posix
@pytest.mark.parametrize("bad", ["/videos/\udcff", "/videos/\0/x"])
def test_a_value_that_no_result_could_show_is_refused(bad: str) -> None:
    names = ("OUTPUT_DIR", "STATE_DIR", "IMAGE_DIRS", "DEFAULT_MODEL", "BASE_URL", "API_KEY")
    problems = mistakes(**dict.fromkeys(names, bad))

    assert set(problems) == set(names)
    for problem in problems.values():
        assert problem.isascii()
        assert "videos" not in problem


@posix
def test_a_loop_of_links_and_a_name_too_long_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")

    problems = mistakes(OUTPUT_DIR=str(tmp_path / "a"), STATE_DIR="/" + "x" * 300)

    assert "loop of symbolic links" in problems["OUTPUT_DIR"]
    assert "too long" in problems["STATE_DIR"]


# Placeholders and misspelt names

PLACEHOLDERS = (
    *("your-key-here", "<your key>", "<key>", "YOUR_API_KEY", "your key", "sk-your-key"),
    *("sk-xxx", "sk-XXXX-XXXX", "xxxxxxxx", "sk-...", "sk-…", "sk-****", "sk-", "***", "[key]"),
    *("PASTE_YOUR_KEY_HERE", "insert-key-here", "replace-with-your-key", "api-key", "API_KEY"),
    # What templates and programs write where a key belongs.
    *("GEEKAI_API_KEY", "change-me", "changeme", "placeholder", "todo", "null", "undefined"),
    *("PUT-KEY-HERE", "my_api_key", "MY-GEEKAI-API-KEY", "请粘贴密钥"),
    *("你的密钥", "在此填写密钥", "sk-<key>", "your_geekai_key", "none"),
)
REFERENCES = (
    *("${GEEKAI_API_KEY}", "$GEEKAI_API_KEY", "%GEEKAI_API_KEY%", "{env:GEEKAI_API_KEY}"),
    *("${input:geekai-key}", "${env:KEY}", "{{GEEKAI_API_KEY}}", "$(cat key)", "${{ secrets.K }}"),
)


def assert_no_key(value: str, said: str) -> None:
    settings = Settings.from_env({"GEEKAI_API_KEY": value})

    assert settings.sandbox
    assert settings.unusable_key == f"GEEKAI_API_KEY {said}."
    (warning,) = settings.warnings
    assert warning.startswith(f"GEEKAI_API_KEY {said}. The sandbox is used")
    assert f"GEEKAI_API_KEY {said}" in (settings.sandbox_reason or "")


@pytest.mark.parametrize("key", [*PLACEHOLDERS, "Bearer", "Bearer <your key>", '"sk-..."'])
def test_a_placeholder_is_no_key_and_is_said_to_be_one(key: str) -> None:
    assert_no_key(key, "is a placeholder and not a key")


KEY_REFERENCES = (
    *("${user_config.api_key}", "$env:KEY", "__GEEKAI_API_KEY__", "op://vault/geekai/key"),
    *("Bearer ${GEEKAI_API_KEY}", "'$GEEKAI_API_KEY'", "{GEEKAI_API_KEY}", "input:geekai-key"),
    *("process.env.GEEKAI_API_KEY", "os.environ/GEEKAI_API_KEY", "env.KEY"),
    *("@GEEKAI_API_KEY@", "!GEEKAI_API_KEY!", "#{KEY}#", "env:KEY", "<% KEY %>", "!secret key"),
)


@pytest.mark.parametrize("key", [*REFERENCES, *KEY_REFERENCES])
def test_a_reference_in_the_place_of_a_key_is_no_key(key: str) -> None:
    said = "refers to another variable, which the program that starts this server left as it is"
    assert_no_key(key, said)


@pytest.mark.parametrize("value", REFERENCES)
def test_a_reference_that_the_host_left_is_said_to_be_one(value: str) -> None:
    for name in ("BASE_URL", "DEFAULT_MODEL", "OUTPUT_DIR", "IMAGE_DIRS"):
        assert "has not replaced it" in mistakes(**{name: value})[name]


@pytest.mark.parametrize(
    "key",
    [
        *("sk-8f3kQz", "test", "dummy", "my-gateway-key", "sk-mykey-123", "0123456789abcdef"),
        *("gk_live_x", "sk-x", "sk-xa", "yours3cr3t", "Zm9vYmFy", "a.b.c"),
    ],
)
def test_a_key_that_only_looks_simple_is_taken(key: str) -> None:
    settings = Settings.from_env({"GEEKAI_API_KEY": key})

    assert settings.api_key is not None
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GEEKAI_OUTPUT_FOLDER", "GEEKAI_OUTPUT_DIR"),
        ("GEEKAI_OUTPUT", "GEEKAI_OUTPUT_DIR"),
        ("GEEKAI_STATE_FOLDER", "GEEKAI_STATE_DIR"),
        ("GEEKAI_APIKEY", "GEEKAI_API_KEY"),
        ("GEEKAI_KEY", "GEEKAI_API_KEY"),
        ("GEEK_AI_API_KEY", "GEEKAI_API_KEY"),
        ("GEEKAI-API-KEY", "GEEKAI_API_KEY"),
        ("geekai_api_key", "GEEKAI_API_KEY"),
        ("GEEKAI_URL", "GEEKAI_BASE_URL"),
        ("GEEKAI_MODEL", "GEEKAI_DEFAULT_MODEL"),
        ("GEEKAI_IMAGES_DIR", "GEEKAI_IMAGE_DIRS"),
        ("GEEKAI_MAX_VIDEOS", "GEEKAI_MAX_VIDEOS_PER_DAY"),
        ("GEEKAI_MAX_CNY", "GEEKAI_MAX_CNY_PER_DAY"),
        ("GEEKAI_LOGLEVEL", "GEEKAI_LOG_LEVEL"),
        ("GEEKAI_CONFIRM_ABOVE", "GEEKAI_CONFIRM"),
    ],
)
def test_a_misspelt_name_is_told_with_the_nearest_real_one(name: str, meant: str) -> None:
    settings = Settings.from_env({name: KEY})

    (warning,) = settings.warnings
    assert warning == f'"{name}" is not a setting of this server; did you mean {meant}?'
    assert settings.api_key is None


def test_a_name_like_none_of_ours_is_told_and_no_other_programs_is() -> None:
    environ = {"GEEKAI_UNHEARD_OF": "x", "GEEK": "x", "OPENAI_API_KEY": "x", "PATH": "/bin"}
    settings = Settings.from_env(environ)

    assert settings.warnings == ('"GEEKAI_UNHEARD_OF" is not a setting of this server.',)


def test_a_name_that_is_hostile_is_told_as_data() -> None:
    (warning,) = Settings.from_env({"GEEKAI_\x1b[31m\n\u202eX" + "y" * 900: "x"}).warnings

    assert not {"\n", "\x1b", "\u202e"} & set(warning)
    assert len(warning) < 200
