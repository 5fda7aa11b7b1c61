"""`setup` as a person meets it: at a terminal, with a service on loopback and a home of its own."""

import json
import stat
import sys
import tomllib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.key_service import running_key_service
from support.terminal import CTRL_C, CTRL_D, Terminal, terminal

KEY = "sk-canary-0123456789abcdef"
OTHER = "sk-others-fedcba9876543210"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals are POSIX's here")

QUESTIONS = ("finished videos", "to begin with", "pictures per day", "CNY per day")


@dataclass
class Home:
    """A user's home without hosts, and the service that the settings lead to."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "config" / "geekai-video-mcp" / "settings.toml"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "PATH": "/usr/bin:/bin",
            "GEEKAI_SETTINGS_FILE": "",
            "GEEKAI_OUTPUT_DIR": "",
            "GEEKAI_STATE_DIR": "",
        }

    def settings(self) -> dict[str, Any]:
        return tomllib.loads(self.path.read_text("utf-8"))

    def write(self, text: str) -> None:
        self.path.parent.mkdir(parents=True)
        self.path.write_text(text, "utf-8")

    @asynccontextmanager
    async def setup(self, *options: str, **settings: str) -> AsyncGenerator[Terminal]:
        environ = {**self.environ, **settings}
        async with terminal(self.folder, "setup", *options, settings=environ) as shown:
            yield shown


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def answer_the_rest(shown: Terminal, *answers: str) -> str:
    """Answer the questions after the key; returns what is shown to be written."""
    for question, answer in zip(QUESTIONS, answers or [""] * len(QUESTIONS), strict=True):
        await shown.answer(question, answer)
    return await shown.expect("[Y/n]: ")


async def test_the_answers_are_written_for_this_user_alone(home: Home) -> None:
    async with (
        running_key_service(KEY) as service,
        home.setup("--base-url", service.base) as shown,
    ):
        about = await shown.answer("not shown while you type", KEY)
        await shown.expect("accepts the key.")
        summary = await answer_the_rest(shown, "~/Films", "", "5", "12.50")
        shown.type("y\n")
        assert await shown.end() == 0

    assert "https://geekai.co" in about
    assert "cost nothing" in " ".join(about.split())
    assert KEY not in shown.shown
    assert "...cdef" in summary
    assert str(home.path) in summary.replace("\n", "")
    assert home.settings() == {
        "GEEKAI_API_KEY": KEY,
        "GEEKAI_BASE_URL": service.base,
        "GEEKAI_OUTPUT_DIR": "~/Films",
        "GEEKAI_MAX_VIDEOS_PER_DAY": 5,
        "GEEKAI_MAX_CNY_PER_DAY": 12.5,
    }
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.path.parent.stat().st_mode) == 0o700
    assert service.requests == ["GET task"]
    lines = shown.shown.splitlines()
    assert max(len(line) for line in lines if str(home.folder) not in line) <= 80


async def test_enter_keeps_what_is_there_and_a_hyphen_removes_it(home: Home) -> None:
    async with running_key_service(KEY) as service:
        home.write(
            f'# mine\nGEEKAI_API_KEY = "{KEY}"\nGEEKAI_BASE_URL = "{service.base}"\n'
            "GEEKAI_MAX_VIDEOS_PER_DAY = 7 # a week\nGEEKAI_MAX_CNY_PER_DAY = 20\n"
        )
        async with home.setup() as shown:
            await shown.answer("[...cdef]")
            await shown.answer("finished videos")
            await shown.answer("to begin with")
            await shown.answer("pictures per day at most [7]")
            await shown.answer("such as 20 [20]", "-")
            summary = await shown.answer("[Y/n]: ")
            assert await shown.end() == 0

    assert "(removed)" in summary
    assert home.path.read_text("utf-8").startswith("# mine\n")
    assert "= 7 # a week\n" in home.path.read_text("utf-8")
    assert "GEEKAI_MAX_CNY_PER_DAY" not in home.settings()
    assert home.settings()["GEEKAI_API_KEY"] == KEY


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D])
@pytest.mark.parametrize("question", ["not shown", *QUESTIONS, "[Y/n]: "])
async def test_at_any_question_a_person_may_go_and_nothing_is_written(
    home: Home, key: str, question: str
) -> None:
    async with home.setup("--no-check") as shown:
        for each in ("not shown", *QUESTIONS, "[Y/n]: "):
            await shown.expect(each)
            if each == question:
                break
            shown.type(KEY + "\n" if each == "not shown" else "\n")
        if key == CTRL_C:
            assert await shown.interrupt() == 130
        else:
            shown.type(CTRL_D)
            assert await shown.end() == 130

    assert shown.shown.endswith("Nothing was written.\n")
    assert not home.path.parent.exists()


async def test_a_key_that_is_refused_may_be_typed_again(home: Home) -> None:
    async with (
        running_key_service(KEY) as service,
        home.setup("--base-url", service.base) as shown,
    ):
        await shown.answer("not shown", OTHER)
        await shown.expect("refuses the key (HTTP 401).")
        await shown.answer("[o]: ")
        await shown.answer("not shown", KEY)
        await shown.expect("accepts the key.")
        await answer_the_rest(shown)
        shown.type("\n")
        assert await shown.end() == 0

    assert home.settings()["GEEKAI_API_KEY"] == KEY


async def test_a_key_that_is_refused_is_kept_if_a_person_says_so(home: Home) -> None:
    """Also at a service that shows its models to everybody."""
    async with (
        running_key_service(KEY, shows_models=True) as service,
        home.setup("--base-url", service.base) as shown,
    ):
        await shown.answer("not shown", OTHER)
        await shown.expect("refuses the key (HTTP 401).")
        await shown.answer("[o]: ", "k")
        await answer_the_rest(shown)
        shown.type("\n")
        assert await shown.end() == 0

    assert home.settings()["GEEKAI_API_KEY"] == OTHER


async def test_without_a_network_the_key_is_kept_unchecked(home: Home) -> None:
    async with home.setup("--base-url", "http://127.0.0.1:9/api/v1") as shown:
        await shown.answer("not shown", KEY)
        printed = await shown.answer("[k]: ")
        await answer_the_rest(shown)
        shown.type("\n")
        assert await shown.end() == 0

    assert "127.0.0.1" in printed
    assert home.settings()["GEEKAI_API_KEY"] == KEY


async def test_the_entry_is_asked_for_where_none_can_be_tried(home: Home) -> None:
    """Both of GeekAI's addresses are behind a proxy that is not there."""
    async with home.setup(HTTPS_PROXY="http://127.0.0.1:9") as shown:
        await shown.answer("not shown", KEY)
        printed = await shown.answer("[k]: ")
        await shown.answer("co, or dev overseas", "dev")
        await answer_the_rest(shown)
        shown.type("\n")
        assert await shown.end() == 0

    assert "geekai.co and geekai.dev" in printed
    assert home.settings()["GEEKAI_BASE_URL"] == "https://geekai.dev/api/v1"


async def test_a_person_who_goes_at_the_hosts_has_the_settings(home: Home) -> None:
    (home.folder / ".cursor").mkdir()
    async with home.setup("--no-check") as shown:
        await shown.answer("not shown", KEY)
        await answer_the_rest(shown)
        shown.type("\n")
        await shown.expect("Have Cursor start this server? [Y/n]: ")
        shown.type(CTRL_D)
        assert await shown.end() == 130

    assert shown.shown.endswith("The settings are written. No other host was changed.\n")
    assert home.settings() == {"GEEKAI_API_KEY": KEY}
    assert not (home.folder / ".cursor" / "mcp.json").exists()


async def test_a_hyphen_for_the_key_leads_to_the_sandbox(home: Home) -> None:
    home.write(f'GEEKAI_API_KEY = "{KEY}"\nGEEKAI_BASE_URL = "https://geekai.dev/api/v1"\n')
    async with home.setup() as shown:
        await shown.answer("not shown", "-")
        summary = await answer_the_rest(shown)
        shown.type("\n")
        assert await shown.end() == 0

    assert summary.count("(removed)") == 2
    assert home.settings() == {}


@pytest.mark.parametrize("wrong", ["sk-...", "${GEEKAI_API_KEY}", "two words", "ключ"])
async def test_what_is_no_key_is_asked_for_again(home: Home, wrong: str) -> None:
    async with home.setup("--no-check") as shown:
        await shown.answer("not shown", wrong)
        printed = await shown.answer("not shown")
        for question in QUESTIONS:
            await shown.answer(question)
        assert await shown.end() == 0

    assert "What you typed" in printed
    assert wrong not in shown.shown
    assert not home.path.exists()


async def test_a_value_that_is_wrong_is_asked_for_again(home: Home) -> None:
    async with home.setup() as shown:
        await shown.answer("not shown")
        await shown.answer("finished videos", "relative")
        await shown.expect("must be an absolute path")
        await shown.answer("finished videos", "/films")
        await shown.answer("to begin with", "/a:/b")
        await shown.answer("pictures per day")
        await shown.answer("CNY per day", "free")
        await shown.expect("must be an amount in CNY")
        await shown.answer("CNY per day", "0")
        await shown.answer("[Y/n]: ")
        assert await shown.end() == 0

    assert home.settings()["GEEKAI_IMAGE_DIRS"] == ["/a", "/b"]


async def test_a_host_that_is_found_is_offered_and_gets_no_key(home: Home) -> None:
    (home.folder / ".cursor").mkdir()
    async with home.setup("--no-check", GEEKAI_API_KEY=OTHER) as shown:
        await shown.answer("not shown", KEY)
        summary = await answer_the_rest(shown)
        shown.type("\n")
        await shown.answer("Have Cursor start this server? [Y/n]: ")
        assert await shown.end() == 0

    assert "GEEKAI_API_KEY is also set in this terminal's environment" in summary
    text = (home.folder / ".cursor" / "mcp.json").read_text("utf-8")
    assert "geekai-video" in json.loads(text)["mcpServers"]
    assert KEY not in text
    assert OTHER not in text


async def test_a_folder_that_cannot_be_written_is_named(home: Home) -> None:
    (home.folder / "config").write_text("a file", "utf-8")
    async with home.setup("--no-check") as shown:
        await shown.answer("not shown", KEY)
        await answer_the_rest(shown)
        shown.type("\n")
        assert await shown.end() == 1

    assert "could not be written" in shown.shown
    assert "Traceback" not in shown.shown
