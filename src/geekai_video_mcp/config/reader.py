"""Reads each setting from the first place that has it, and collects the mistakes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import SecretStr

from geekai_video_mcp.config.keys import UnusableKey, parse_key, read_key_line
from geekai_video_mcp.config.names import KEY, KEY_FILE
from geekai_video_mcp.config.settings_file import MAX_PATH_CHARS, SETTINGS_FILE, SettingsFile
from geekai_video_mcp.config.values import (
    check_text,
    choice_parser,
    parse_absolute_path,
    parse_folder,
)
from geekai_video_mcp.quoting import quote

_T = TypeVar("_T")
_D = TypeVar("_D")

Source = Literal["environment", "settings file", "GEEKAI_API_KEY_FILE", "default"]


class SettingsReader:
    """Reads settings from the environment and, where that has none, from the settings file."""

    def __init__(
        self, environ: Mapping[str, str], file: SettingsFile, *, known: Sequence[str]
    ) -> None:
        self._file = file
        self._places: tuple[tuple[Source, Mapping[str, str]], ...] = (
            ("environment", environ),
            ("settings file", file.values),
        )
        self.problems: dict[str, str] = dict(file.problems)
        self.sources: dict[str, Source] = dict.fromkeys(known, "default")
        if environ.get(SETTINGS_FILE, "").strip():
            self.sources[SETTINGS_FILE] = "environment"
        self.unusable_keys: list[str] = []
        """A sentence for each place where something stands that is no key."""

    def get(self, name: str, read: Callable[[str], _T], default: _D) -> "_T | _D":
        source, value = self._find(name)
        if source is None:
            return default
        self.sources[name] = source
        found = self._parse(self._label(name, source), read, value)
        return default if found is None else found

    def get_choice(self, name: str, choices: Sequence[_T], default: _T) -> _T:
        """One of *choices*, in any case."""
        return self.get(name, choice_parser(choices), default)

    def get_folder(self, name: str, find_default: Callable[[], Path]) -> Path:
        """A folder; the default, which needs a home directory, only if none is set."""
        folder = self.get(name, parse_folder, None)
        if folder is not None or self.sources[name] != "default":
            return folder or Path()
        try:
            return find_default()
        except (OSError, RuntimeError, KeyError, ValueError):
            self.problems[name] = (
                "is not set, and there is no default, because this user has no home directory with"
                " an absolute path in UTF-8; set it to the absolute path of a folder"
            )
            return Path()

    def get_key(self) -> SecretStr | None:
        """The key of the first place that has one: the environment, then the settings file.

        In each place, a key itself and the file of one exclude each other.
        """
        for source, values in self._places:
            key = self._read_key(source, values)
            path = values.get(KEY_FILE, "").strip()
            if key is not None and path:
                self.problems[self._label(KEY_FILE, source)] = (
                    f"is set beside {KEY}; which of the two holds the key? Remove one"
                )
                return None
            if path and self._label(KEY, source) not in self.problems:
                self.sources[KEY_FILE] = source
                key = self._read_key_file(source, path)
                if key is not None:
                    self.sources[KEY] = KEY_FILE
            if key is not None or self.problems:
                return key
        return None

    def _read_key(self, source: Source, values: Mapping[str, str]) -> SecretStr | None:
        value = values.get(KEY, "").strip()
        if not value:
            return None
        key = self._parse_key(self._label(KEY, source), value)
        if key is not None:
            self.sources[KEY] = source
        return key

    def _read_key_file(self, source: Source, value: str) -> SecretStr | None:
        label = self._label(KEY_FILE, source)
        path = self._parse(label, parse_absolute_path, value)
        if path is None:
            return None
        try:
            text = read_key_line(path)
        except ValueError as exc:
            place = quote(str(path), limit=MAX_PATH_CHARS)
            self.problems[label] = f"names {place}, which {exc}"
            return None
        return self._parse_key(f"The file of {label}", text)

    def _parse_key(self, label: str, value: str) -> SecretStr | None:
        try:
            return parse_key(value)
        except UnusableKey as exc:
            self.unusable_keys.append(f"{label} {exc}")
        except ValueError as exc:
            self.problems[label] = str(exc)
        return None

    def _find(self, name: str) -> tuple[Source | None, str]:
        """The place that has the setting, and its text; an empty one counts as not set."""
        for source, values in self._places:
            value = _without_quotes(values.get(name, "").strip())
            if value:
                return source, value
        return None, ""

    def _parse(self, label: str, read: Callable[[str], _T], value: str) -> _T | None:
        try:
            check_text(value)
            return read(value)
        except ValueError as exc:
            self.problems[label] = str(exc)
            return None

    def _label(self, name: str, source: Source) -> str:
        return name if source == "environment" else self._file.label(name)


def _without_quotes(value: str) -> str:
    """*value* without the quotation marks that `docker run --env-file` keeps around it."""
    inner = value[1:-1]
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return inner.strip() if quoted and value[0] not in inner else value
