"""Where each setting comes from, and what writing one leaves as it was."""

import os
import stat
import sys
import tomllib
from pathlib import Path

import pytest

from geekai_video_mcp.config import (
    GEEKAI_URL,
    SANDBOX_URL,
    VARIABLES,
    Settings,
    settings_path,
    write_settings,
)
from geekai_video_mcp.errors import ConfigError, StorageUnavailable

KEY = "sk-canary-0123456789"
OTHER = "sk-others-9876543210"
THIRD = "sk-thirds-5555555555"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "settings.toml"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    path.chmod(0o600)


def load(path: Path, **environ: str) -> Settings:
    named = {f"GEEKAI_{name}": value for name, value in environ.items()}
    return Settings.load({"GEEKAI_SETTINGS_FILE": str(path), **named})


def key_of(settings: Settings) -> str | None:
    return settings.api_key.get_secret_value() if settings.api_key is not None else None


def test_the_environment_wins_and_an_empty_variable_is_none(path: Path) -> None:
    write(path, 'GEEKAI_DEFAULT_MODEL = "veo"\nGEEKAI_MAX_IN_FLIGHT = 3\nGEEKAI_LOG_LEVEL = "INFO"')

    settings = load(path, DEFAULT_MODEL="kling", MAX_IN_FLIGHT="", CHECKS="warn")

    assert settings.default_model == "kling"
    assert settings.max_in_flight == 3
    assert settings.settings_file == path
    assert settings.sources.keys() == set(VARIABLES)
    assert {name: source for name, source in settings.sources.items() if source != "default"} == {
        "GEEKAI_DEFAULT_MODEL": "environment",
        "GEEKAI_MAX_IN_FLIGHT": "settings file",
        "GEEKAI_LOG_LEVEL": "settings file",
        "GEEKAI_CHECKS": "environment",
        "GEEKAI_SETTINGS_FILE": "environment",
    }


def test_the_environment_alone_is_read_by_from_env(path: Path) -> None:
    write(path, f'GEEKAI_API_KEY = "{KEY}"\n')

    assert Settings.from_env({"GEEKAI_SETTINGS_FILE": str(path)}).sandbox
    assert key_of(load(path)) == KEY


def test_the_null_device_stands_for_no_file() -> None:
    settings = Settings.load({"GEEKAI_SETTINGS_FILE": os.devnull})

    assert settings.sandbox
    assert settings.warnings == ()
    # To write into it would put a file in the place of the device.
    assert settings_path({"GEEKAI_SETTINGS_FILE": os.devnull}) is None


def test_the_key_is_that_of_the_first_place_that_has_one(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"\ufeff{OTHER}\n", "utf-8")
    write(path, f'GEEKAI_API_KEY_FILE = "{file}"\n')
    by_file = load(path)
    assert (key_of(by_file), by_file.sources["GEEKAI_API_KEY"]) == (OTHER, "GEEKAI_API_KEY_FILE")
    assert by_file.sources["GEEKAI_API_KEY_FILE"] == "settings file"

    write(path, f'GEEKAI_API_KEY = "{KEY}"\n')
    assert key_of(load(path)) == KEY
    assert load(path).sources["GEEKAI_API_KEY"] == "settings file"
    assert key_of(load(path, API_KEY_FILE=str(file))) == OTHER
    assert key_of(load(path, API_KEY=THIRD)) == THIRD
    assert load(path, API_KEY=THIRD).sources["GEEKAI_API_KEY"] == "environment"


@pytest.mark.parametrize("placeholder", ["${KEY}", "sk-...", "YOUR_API_KEY", "%KEY%", "<key>"])
def test_a_placeholder_makes_room_for_the_next_place(path: Path, placeholder: str) -> None:
    write(path, f'GEEKAI_API_KEY = "{KEY}"\n')

    settings = load(path, API_KEY=placeholder)

    assert key_of(settings) == KEY
    assert settings.unusable_key is not None
    assert settings.sandbox_reason is None
    (warning,) = settings.warnings
    assert warning.endswith("The key of the settings file is used.")


def test_the_word_sandbox_is_its_address_whatever_key_there_is(path: Path) -> None:
    write(path, f'GEEKAI_API_KEY = "{KEY}"\nGEEKAI_BASE_URL = "https://geekai.dev/api/v1"\n')

    assert load(path, BASE_URL="Sandbox").base_url == SANDBOX_URL
    assert load(path, BASE_URL="Sandbox").warnings == ()
    assert load(path).base_url == "https://geekai.dev/api/v1"


@pytest.mark.parametrize("url", [GEEKAI_URL, "https://geekai.dev/api/v1/"])
def test_geekai_without_a_key_is_the_sandbox(path: Path, url: str) -> None:
    """As of a host that fills in the address and leaves the key empty."""
    write(path, "")
    settings = load(path, BASE_URL=url)
    unusable = load(path, BASE_URL=url, API_KEY="${KEY}")

    assert settings.sandbox
    assert settings.sandbox_reason is None
    assert "there is no key" in settings.warnings[0]
    assert unusable.sandbox
    assert "GEEKAI_API_KEY refers to another variable" in (unusable.sandbox_reason or "")
    assert not load(path, BASE_URL="http://127.0.0.1:1/api/v1", API_KEY="${KEY}").sandbox


@pytest.mark.parametrize("value", ['"/a"', "'/a'", '" /a "'])
def test_quotes_that_a_program_left_around_a_value_are_taken_off(path: Path, value: str) -> None:
    write(path, "")

    assert load(path, OUTPUT_DIR=value).output_dir == Path("/a")


def test_folders_may_be_a_list(path: Path, tmp_path: Path) -> None:
    write(path, f"GEEKAI_IMAGE_DIRS = [\n  '{tmp_path}', # one\n  '~/x',\n]\n")
    assert load(path).image_dirs == (tmp_path, Path("~/x").expanduser())

    write(path, f"GEEKAI_IMAGE_DIRS = '{tmp_path}'\n")
    assert load(path).image_dirs == (tmp_path,)


# Writing


def test_a_new_file_is_read_back_as_it_was_meant(path: Path) -> None:
    changes = {
        "GEEKAI_API_KEY": KEY,
        "GEEKAI_OUTPUT_DIR": "/films/'a' \"b\"",
        "GEEKAI_IMAGE_DIRS": os.pathsep.join(["/a", "/b c"]),
        "GEEKAI_MAX_VIDEOS_PER_DAY": "007",
        "GEEKAI_MAX_CNY_PER_DAY": "12.50",
        "GEEKAI_DEFAULT_MODEL": None,
    }
    write_settings(path, changes)
    settings = load(path)

    assert key_of(settings) == KEY
    assert settings.output_dir == Path("/films/'a' \"b\"")
    assert settings.image_dirs == (Path("/a"), Path("/b c"))
    assert (settings.max_videos_per_day, settings.max_cny_per_day) == (7, 12.5)
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["settings.toml"]


BEFORE = '''\
# mine
"GEEKAI_API_KEY" = "sk-old"   # from the console # really
GEEKAI_IMAGE_DIRS = [
  "/a", # GEEKAI_CHECKS = "warn"
  "/b",
]
GEEKAI_CONFIRM = """
GEEKAI_API_KEY = "no"
"""

unknown = 1
# the end
'''


def test_other_lines_and_comments_stay(path: Path) -> None:
    write(path, BEFORE)
    path.chmod(0o644)
    write_settings(
        path, {"GEEKAI_API_KEY": KEY, "GEEKAI_IMAGE_DIRS": None, "GEEKAI_CHECKS": "warn"}
    )

    after = BEFORE.replace('"GEEKAI_API_KEY" = "sk-old"', f'GEEKAI_API_KEY = "{KEY}"')
    start, _, rest = after.partition("GEEKAI_IMAGE_DIRS")
    after = start + rest.partition("]\n")[2] + 'GEEKAI_CHECKS = "warn"\n'
    assert path.read_text("utf-8") == after
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_lines_of_windows_and_paths_of_windows_stay_so(path: Path) -> None:
    write(path, "\ufeff# mine\r\nGEEKAI_MAX_IN_FLIGHT = 2\r\n")
    write_settings(path, {"GEEKAI_OUTPUT_DIR": "C:\\Users\\me", "GEEKAI_MAX_IN_FLIGHT": "3"})

    expected = "# mine\r\nGEEKAI_MAX_IN_FLIGHT = 3\r\nGEEKAI_OUTPUT_DIR = 'C:\\Users\\me'\r\n"
    assert path.read_bytes().decode() == expected


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_to_the_file_stays_one(path: Path, tmp_path: Path) -> None:
    write(path, "")
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    write_settings(link, {"GEEKAI_API_KEY": KEY})

    assert link.is_symlink()
    assert tomllib.loads(path.read_text("utf-8")) == {"GEEKAI_API_KEY": KEY}


def test_a_setting_is_never_written_into_a_section(path: Path) -> None:
    write(path, "GEEKAI_MAX_IN_FLIGHT = 2\n[mine]\nGEEKAI_API_KEY = 'x'\n")
    write_settings(path, {"GEEKAI_API_KEY": KEY, "GEEKAI_MAX_IN_FLIGHT": None})

    read = tomllib.loads(path.read_text("utf-8"))
    assert read == {"GEEKAI_API_KEY": KEY, "mine": {"GEEKAI_API_KEY": "x"}}


@pytest.mark.parametrize("wrong", ["GEEKAI_API_KEY = ", "\udcff"])
def test_a_file_that_is_broken_is_not_written(path: Path, wrong: str) -> None:
    path.parent.mkdir()
    path.write_bytes(wrong.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError):
        write_settings(path, {"GEEKAI_API_KEY": KEY})

    assert path.read_bytes() == wrong.encode(errors="surrogateescape")


def test_a_folder_in_the_way_is_said(path: Path) -> None:
    path.parent.touch()
    with pytest.raises(StorageUnavailable, match="could not be written") as refused:
        write_settings(path, {"GEEKAI_API_KEY": KEY})

    assert "Nothing in it was changed." in refused.value.message
    assert KEY not in refused.value.message
