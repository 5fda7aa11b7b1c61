"""Write settings into the settings file: other lines and comments stay, and it is never half."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from geekai_video_mcp.config.private_files import write_private_file
from geekai_video_mcp.config.settings_file import (
    LISTS,
    MAX_BYTES,
    MAX_PATH_CHARS,
    NUMBERS,
    parse_toml,
)
from geekai_video_mcp.config.small_files import read_small_file
from geekai_video_mcp.errors import ConfigError, StorageUnavailable, describe_os_error
from geekai_video_mcp.quoting import quote

HEADER: Final = (
    "# Settings of geekai-video-mcp, under the names of its environment variables,",
    "# which win over this file. It may hold a key: keep it to yourself.",
    "",
)
_NUMBER: Final = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?")


def write_settings(path: Path, changes: Mapping[str, str | None]) -> None:
    """Change these settings in the file at *path*, which is made if need be; None removes one.

    The values are written as the variables would be.

    Raises:
        ConfigError: the file that is there cannot be read, or is not TOML; it is not changed.
        StorageUnavailable: it could not be written; it is not changed either.
    """
    place = f"The settings file {quote(str(path), limit=MAX_PATH_CHARS)}"
    problem = None
    text = None
    try:
        text = read_small_file(path, max_bytes=MAX_BYTES).text
    except (FileNotFoundError, NotADirectoryError):
        pass
    except ValueError as exc:
        problem = str(exc)
    if problem is not None:
        raise ConfigError({place: problem})
    changed = _changed_text(path, text, changes)
    try:
        target = Path(os.path.realpath(path))  # a link to the file stays a link
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private_file(target, changed.encode())
    except OSError as exc:
        raise StorageUnavailable(
            place,
            describe_os_error(exc),
            remedy="Nothing in it was changed. Free disk space or fix the permissions of its"
            " folder, or name another file with GEEKAI_SETTINGS_FILE.",
        ) from exc


def _changed_text(path: Path, text: str | None, changes: Mapping[str, str | None]) -> str:
    lines = [*HEADER]
    if text is not None:
        parse_toml(path, text)  # never to make a file worse that is wrong
        lines = text.splitlines()
    newline = "\r\n" if text and "\r\n" in text else "\n"
    missing = {name: value for name, value in changes.items() if value is not None}
    written: list[str] = []
    in_section = False
    for statement in _statements(lines):
        name = None if in_section else _assigned_name(statement)
        if name is None and not in_section and statement[0].lstrip().startswith("["):
            in_section = True
            written += [_assignment(one, value) for one, value in missing.items()]
            missing.clear()
        if name not in changes:
            written += statement
        elif name in missing:
            comment = _trailing_comment(statement)
            written.append(_assignment(name, missing.pop(name)) + comment)
    written += [_assignment(name, value) for name, value in missing.items()]
    return newline.join([*written, ""])


def _statements(lines: list[str]) -> Iterator[list[str]]:
    """The lines of each statement, of which one may go over several; and each other line."""
    start = 0
    while start < len(lines):
        end = start + 1
        while end < len(lines) and not _is_toml(lines[start:end]):
            end += 1
        yield lines[start:end]
        start = end


def _is_toml(lines: list[str]) -> bool:
    import tomllib  # noqa: PLC0415 - no server writes settings

    try:
        tomllib.loads("\n".join(lines))
    except ValueError:
        return False
    return True


def _assigned_name(statement: list[str]) -> str | None:
    """The name that the statement sets at the top level."""
    import tomllib  # noqa: PLC0415 - no server writes settings

    if statement[0].lstrip().startswith("["):
        return None
    return next(iter(tomllib.loads("\n".join(statement))), None)


def _trailing_comment(statement: list[str]) -> str:
    """The comment after a value, with the spaces before it; empty if there is none."""
    line = statement[-1]
    for found in re.finditer(r"\s*#", line):
        if _is_toml([*statement[:-1], line[: found.start()]]):
            return line[found.start() :]
    return ""


def _assignment(name: str, value: str) -> str:
    return f"{name} = {_toml_value(name, value)}"


def _toml_value(name: str, value: str) -> str:
    if name in NUMBERS and _NUMBER.fullmatch(value):
        return value
    if name in LISTS and os.pathsep in value:
        return f"[{', '.join(_toml_text(one) for one in value.split(os.pathsep) if one.strip())}]"
    return _toml_text(value)


def _toml_text(value: str) -> str:
    """*value* as a string of TOML: in single quotes where it has backslashes."""
    if "\\" in value and "'" not in value and value.isprintable():
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
