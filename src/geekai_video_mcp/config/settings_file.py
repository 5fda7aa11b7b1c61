"""The settings file: TOML whose top-level keys are the variables' names. Never repeats a value."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from geekai_video_mcp.config.names import describe_unknown_entry
from geekai_video_mcp.config.private_files import OTHERS
from geekai_video_mcp.config.small_files import SmallFile, read_small_file
from geekai_video_mcp.config.values import check_text, find_config_dir, parse_absolute_path
from geekai_video_mcp.errors import ConfigError
from geekai_video_mcp.quoting import quote

FILE_NAME: Final = "settings.toml"
SETTINGS_FILE: Final = "GEEKAI_SETTINGS_FILE"
MAX_BYTES: Final = 64 * 1024
"""Bytes of a settings file; a full one has two thousand."""
MAX_PATH_CHARS: Final = 1000
"""Characters of its path in a message."""
NUMBERS: Final = frozenset(
    {
        "GEEKAI_MAX_VIDEOS_PER_DAY",
        "GEEKAI_MAX_IN_FLIGHT",
        "GEEKAI_MAX_CNY_PER_DAY",
        "GEEKAI_REQUESTS_PER_SECOND",
        "GEEKAI_KEEP_DAYS",
        "GEEKAI_QUOTA_MB",
        "GEEKAI_MAX_CALLS_PER_MINUTE",
    }
)
LISTS: Final = frozenset({"GEEKAI_IMAGE_DIRS"})
_MAX_INTEGER: Final = 10**15
_SINGLE_QUOTES: Final = "a path of Windows needs single quotes, such as 'C:\\Users\\me\\Videos'"


@dataclass(frozen=True, kw_only=True)
class SettingsFile:
    """What a settings file says; without a file, nothing."""

    path: Path | None
    """Where it is, or would be; None if there is to be none, or this user has no folder for it."""
    exists: bool = False
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    """The settings, by the name of the variable, as the variable would be written."""
    problems: Mapping[str, str] = field(default_factory=dict[str, str])
    """Mistakes in it, by what a message calls the place."""
    warnings: tuple[str, ...] = ()
    open_to_others: bool = False
    """Whether other users may read or change it."""

    def label(self, name: str) -> str:
        """What a message calls the setting *name* of this file."""
        return f"{name} in {quote(str(self.path), limit=MAX_PATH_CHARS)}"


def settings_path(environ: Mapping[str, str]) -> Path | None:
    """Where the settings file is looked for; None if there is to be none.

    That is so where this user has no folder for it, and where the variable names the null device.
    Nothing may be written there: a file is put in its place, which root may do to a device.

    Raises:
        ConfigError: GEEKAI_SETTINGS_FILE is no absolute path.
    """
    value = environ.get(SETTINGS_FILE, "").strip()
    if not value:
        try:
            return find_config_dir() / FILE_NAME
        except (OSError, RuntimeError, KeyError, ValueError):
            return None
    if value.casefold() == os.devnull:
        return None
    try:
        check_text(value)
        return parse_absolute_path(value)
    except ValueError as exc:
        problem = str(exc)
    raise ConfigError({SETTINGS_FILE: problem})


def load_settings_file(environ: Mapping[str, str], *, known: Iterable[str]) -> SettingsFile:
    """The settings file of this user, or that of GEEKAI_SETTINGS_FILE, which has to exist.

    *known* are the names that it may have.

    Raises:
        ConfigError: it cannot be read, or is not TOML.
    """
    path = settings_path(environ)
    if path is None:
        return SettingsFile(path=None)
    named = bool(environ.get(SETTINGS_FILE, "").strip())
    if not named and _is_out_of_reach(path):
        return SettingsFile(path=path, warnings=(f"{_place(path)} {_OUT_OF_REACH}",))
    file = read_settings_file(path, known=known)
    if named and not file.exists:
        problem = f"does not exist; {SETTINGS_FILE} names it, and geekai-video-mcp setup writes it"
        raise ConfigError({_place(path): problem})
    return file


def read_settings_file(path: Path, *, known: Iterable[str]) -> SettingsFile:
    """The settings file at *path*, which need not exist.

    Raises:
        ConfigError: it cannot be read, or is not TOML.
    """
    try:
        file = read_small_file(path, max_bytes=MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        if not path.is_symlink():
            return SettingsFile(path=path)
        problem = "is a symbolic link to a file that does not exist"
    except ValueError as exc:
        problem = str(exc)
    else:
        return _parse_file(path, file, list(known))
    raise ConfigError({_place(path): problem})


_OUT_OF_REACH: Final = (
    "cannot be looked for: this user has no permission to enter its folder. Only the environment"
    " is read."
)


def _is_out_of_reach(path: Path) -> bool:
    """Whether this user may not even learn if the file exists."""
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _place(path: Path) -> str:
    """What a message calls the file."""
    return f"The settings file {quote(str(path), limit=MAX_PATH_CHARS)}"


def _parse_file(path: Path, file: SmallFile, known: list[str]) -> SettingsFile:
    table = parse_toml(path, file.text)
    values: dict[str, str] = {}
    problems: dict[str, str] = {}
    warnings: list[str] = []
    label = SettingsFile(path=path).label
    for name, value in table.items():
        if _is_table(value):
            problems[label(quote(name, limit=64))] = (
                "is a section in square brackets or a table; write every setting as a line of its"
                ' own, such as GEEKAI_DEFAULT_MODEL = "cogvideox-flash", above any section'
            )
        elif name == SETTINGS_FILE:
            warnings.append(f"{label(name)} has no effect: it is read from the environment.")
        elif name not in known:
            said = describe_unknown_entry(name, known)
            warnings.append(f"{_place(path)}: {said}")
        else:
            try:
                values[name] = _to_text(name, value)
            except ValueError as exc:
                problems[label(name)] = str(exc)
    return SettingsFile(
        path=path,
        exists=True,
        values=values,
        problems=problems,
        warnings=tuple(warnings),
        open_to_others=os.name == "posix" and bool(file.mode & OTHERS),
    )


def _is_table(value: object) -> bool:
    """Whether it is a section, or several of one name."""
    entries = cast("list[object]", value) if isinstance(value, list) else [value]
    return any(isinstance(entry, dict) for entry in entries)


def parse_toml(path: Path, text: str) -> Mapping[str, object]:
    """The table that *text* is.

    Raises:
        ConfigError: it is not TOML; with the number of the line, and never with the line.
    """
    import tomllib  # noqa: PLC0415 - most servers have no settings file

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        place = _LINE.search(str(exc))
        number = int(place[1]) if place else text.count("\n") + 1
    lines = text.splitlines()
    line = lines[number - 1] if number <= len(lines) else ""
    raise ConfigError({_place(path): _describe_line(number, line)})


_LINE: Final = re.compile(r"\(at line (\d+),")
_NO_QUOTES: Final = re.compile(r"\s*(export\s+)?[A-Za-z_]\w*\s*=\s*[^\s\"'\[\]{}0-9+-]", re.ASCII)


def _describe_line(number: int, line: str) -> str:
    """Why the line is probably not TOML, and how it is written."""
    problem = f"line {number} is not TOML"
    if "\\" in line:
        return f"{problem}; {_SINGLE_QUOTES}"
    if _NO_QUOTES.match(line):
        return f'{problem}; text needs quotes, such as GEEKAI_DEFAULT_MODEL = "cogvideox-flash"'
    return (
        f'{problem}; a setting is a line such as GEEKAI_DEFAULT_MODEL = "cogvideox-flash", and'
        f" {_SINGLE_QUOTES}"
    )


def _to_text(name: str, value: object) -> str:
    """*value* as the variable would be written."""
    if isinstance(value, str):
        return _check_escapes(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and name in NUMBERS:
        if abs(value) >= _MAX_INTEGER:
            msg = "is far too large"
            raise ValueError(msg)
        return str(value)
    if isinstance(value, list) and name in LISTS:
        return os.pathsep.join(map(_folder_of_list, cast("list[object]", value)))
    msg = f"must be {_expected(name)}"
    raise ValueError(msg)


def _expected(name: str) -> str:
    if name in NUMBERS:
        return "a number, such as 20"
    return "a list of texts in quotes" if name in LISTS else "text in quotes"


def _folder_of_list(value: object) -> str:
    if not isinstance(value, str):
        msg = "must be a list of texts in quotes"
        raise ValueError(msg)  # noqa: TRY004 - the file is wrong, not the program
    if os.pathsep in value:
        msg = f"names a folder with {os.pathsep} in its path, which separates folders"
        raise ValueError(msg)
    return _check_escapes(value)


def _check_escapes(value: str) -> str:
    r"""*value*, unless a \t or \n of a path of Windows has become a character of its own."""
    if any(ch in value.strip() for ch in "\t\n\r\b\f"):
        msg = f"contains a tab or a new line; {_SINGLE_QUOTES}"
        raise ValueError(msg)
    return value
