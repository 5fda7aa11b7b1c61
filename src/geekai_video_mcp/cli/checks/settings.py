"""Every setting with its place, and what is wrong with the settings. Never a key."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from geekai_video_mcp.cli.checks.line import Line, Subject, fail, note, ok
from geekai_video_mcp.config import CONFIRM_ALWAYS, VARIABLES, Settings, settings_path
from geekai_video_mcp.errors import ConfigError
from geekai_video_mcp.quoting import quote, sanitize

CHECK: Final = "settings"
KEY: Final = "GEEKAI_API_KEY"
SHOWN_END: Final = 4
"""Characters of the key that are shown, so that two keys can be told apart."""
MIN_KEY_LENGTH: Final = 16
"""Of a shorter key nothing is shown: four characters would be a good part of it."""
NOT_SET: Final = "not set"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def load_subject(environ: Mapping[str, str]) -> tuple[Subject, list[Line]]:
    """The settings as every command reads them, and what is to be said of them."""
    try:
        settings = Settings.load(environ)
    except ConfigError as exc:
        lines = [
            fail(
                CHECK,
                "; ".join(f"{place} {problem}" for place, problem in exc.problems.items()),
                remedy="Correct each of them, in the settings file or where this server is"
                " started; geekai-video-mcp setup asks for the usual ones.",
                facts={"problems": exc.problems},
            )
        ]
        return Subject(settings=None, environ=environ), [*lines, *_check_file(environ)]
    values = {name: value for name in VARIABLES if (value := _value(settings, name)) is not None}
    details = tuple(
        f"{name} = {value} ({settings.sources.get(name, 'default')})"
        for name, value in values.items()
    )
    facts = {
        name: {"value": value, "source": settings.sources.get(name, "default")}
        for name, value in values.items()
    }
    lines = [ok(CHECK, "they can be used", details=details, facts=facts)]
    lines += [note(CHECK, warning) for warning in settings.warnings if "chmod 600" not in warning]
    return Subject(settings=settings, environ=environ), [*lines, *_check_file(environ)]


def _check_file(environ: Mapping[str, str]) -> list[Line]:
    """Where the settings file is, and whether others can read it."""
    try:
        path = settings_path(environ)
        mode = path.stat().st_mode if path else 0
    except FileNotFoundError:
        return [ok(CHECK, "there is no settings file; geekai-video-mcp setup writes one")]
    except (OSError, ConfigError):
        return []  # it is among the problems already
    if path is None:
        return [note(CHECK, "this user has no folder for a settings file")]
    where = quote(str(path), limit=1000)
    private = os.name == "posix" and stat.S_ISREG(mode)
    if private and mode & _OTHERS:
        return [_open_to_others(path, where)]
    only = ", which only this user can read" if private else ""
    return [ok(CHECK, f"the settings file is {where}{only}", facts={"file": str(path)})]


def _open_to_others(path: Path, where: str) -> Line:
    text = f"other users of this computer may read or change the settings file {where}"
    remedy = f"Run: chmod 600 {where}"
    try:
        holds_key = KEY in path.read_text("utf-8", errors="replace")
    except OSError:
        holds_key = True
    say = fail if holds_key else note
    return say(CHECK, f"{text}, which holds a key" if holds_key else text, remedy=remedy)


def _value(settings: Settings, name: str) -> str | None:
    """What is shown of a setting; None for those that only say where others are read from."""
    shown: Mapping[str, str] = {
        KEY: _masked_key(settings),
        "GEEKAI_BASE_URL": "the sandbox" if settings.sandbox else sanitize(settings.base_url),
        "GEEKAI_DEFAULT_MODEL": sanitize(settings.default_model),
        "GEEKAI_OUTPUT_DIR": sanitize(str(settings.output_dir), limit=1000),
        "GEEKAI_IMAGE_DIRS": os.pathsep.join(
            sanitize(str(folder), limit=1000) for folder in settings.image_dirs
        )
        or NOT_SET,
        "GEEKAI_STATE_DIR": sanitize(str(settings.state_dir), limit=1000),
        "GEEKAI_MAX_VIDEOS_PER_DAY": str(settings.max_videos_per_day),
        "GEEKAI_MAX_IN_FLIGHT": str(settings.max_in_flight),
        "GEEKAI_MAX_CNY_PER_DAY": _amount(settings.max_cny_per_day),
        "GEEKAI_CONFIRM": _confirm(settings.confirm_above),
        "GEEKAI_CHECKS": settings.checks,
        "GEEKAI_PREVIEW": settings.preview,
        "GEEKAI_LOG_LEVEL": settings.log_level,
    }
    return shown.get(name)


def _masked_key(settings: Settings) -> str:
    if settings.api_key is None:
        return NOT_SET
    key = settings.api_key.get_secret_value()
    return f"...{key[-SHOWN_END:]}" if len(key) >= MIN_KEY_LENGTH else "set"


def _amount(value: float | None) -> str:
    return NOT_SET if value is None else f"{value:g}"


def _confirm(value: float | None) -> str:
    if value is None:
        return "never"
    return "always" if value == CONFIRM_ALWAYS else f"above:{value:g}"
