"""Every setting with its place, and what is wrong with the settings. Never a key."""

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from geekai_video_mcp.cli.checks.line import Line, Subject, fail, note, ok
from geekai_video_mcp.config import CONFIRM_ALWAYS, VARIABLES, Settings, describe_permissions
from geekai_video_mcp.config.hosting import describe_hosting
from geekai_video_mcp.config.keys import mask_key
from geekai_video_mcp.config.names import KEY
from geekai_video_mcp.config.settings_file import SETTINGS_FILE, SettingsFile, load_settings_file
from geekai_video_mcp.errors import ConfigError
from geekai_video_mcp.quoting import quote, sanitize

CHECK: Final = "settings"
NOT_SET: Final = "not set"


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
        with suppress(ConfigError):  # one that cannot be read is among the problems
            lines += _check_file(load_settings_file(environ, known=VARIABLES), environ)
        return Subject(settings=None, environ=environ), lines
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
    file = load_settings_file(environ, known=VARIABLES)
    said = set(describe_permissions(file))  # a line of its own, with the command that mends it
    lines += [note(CHECK, warning) for warning in settings.warnings if warning not in said]
    return Subject(settings=settings, environ=environ), [*lines, *_check_file(file, environ)]


def _check_file(file: SettingsFile, environ: Mapping[str, str]) -> list[Line]:
    """Where the settings file is, and whether others can read it."""
    if file.path is None:
        named = SETTINGS_FILE in environ
        why = f"{SETTINGS_FILE} says so" if named else "this user has no folder for one"
        return [note(CHECK, f"there is no settings file: {why}")]
    if not file.exists:
        return [ok(CHECK, "there is no settings file; geekai-video-mcp setup writes one")]
    where = quote(str(file.path), limit=1000)
    if file.open_to_others:
        holds_key = KEY in file.values
        text = f"other users of this computer may read or change the settings file {where}"
        say = fail if holds_key else note
        text = f"{text}, which holds a key" if holds_key else text
        return [say(CHECK, text, remedy=f"Run: chmod 600 {where}")]
    only = ", which only this user can read" if os.name == "posix" else ""
    return [ok(CHECK, f"the settings file is {where}{only}", facts={"file": str(file.path)})]


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
        "GEEKAI_REQUESTS_PER_SECOND": f"{settings.requests_per_second:g}",
        "GEEKAI_CONFIRM": _confirm(settings.confirm_above),
        "GEEKAI_CHECKS": settings.checks,
        "GEEKAI_PREVIEW": settings.preview,
        "GEEKAI_LOG_LEVEL": settings.log_level,
        # Of these only what is set: they concern a server that others use.
        **{
            hosting_name: sanitize(text, limit=1000)
            for hosting_name, text in describe_hosting(settings.hosting).items()
            if text is not None and settings.sources.get(hosting_name, "default") != "default"
        },
    }
    return shown.get(name)


def _masked_key(settings: Settings) -> str:
    if settings.api_key is None:
        return NOT_SET
    return mask_key(settings.api_key.get_secret_value())


def _amount(value: float | None) -> str:
    return NOT_SET if value is None else f"{value:g}"


def _confirm(value: float | None) -> str:
    if value is None:
        return "never"
    return "always" if value == CONFIRM_ALWAYS else f"above:{value:g}"
