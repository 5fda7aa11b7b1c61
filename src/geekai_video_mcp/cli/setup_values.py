"""What `setup` stores: values as the server will read them, and the changes made of them."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import anyio
from pydantic import SecretStr

from geekai_video_mcp.cli.key_check import KeyCheck, check_entries, choose_entry
from geekai_video_mcp.config import GEEKAI_URLS, SANDBOX_URL, SANDBOX_WORD, VARIABLES, Settings
from geekai_video_mcp.config.keys import mask_key, parse_key
from geekai_video_mcp.config.names import BASE_URL, KEY, KEY_FILE
from geekai_video_mcp.config.reader import SettingsReader
from geekai_video_mcp.config.settings_file import SettingsFile
from geekai_video_mcp.config.values import (
    check_text,
    find_output_dir,
    parse_absolute_path,
    parse_amount,
    parse_base_url,
    parse_count,
    parse_folder,
    parse_folders,
    plain_url,
)
from geekai_video_mcp.errors import ConfigError

CLEAR: Final = frozenset({"-", "none", "clear"})
"""Answers that remove a setting."""
ENTRIES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("co", ".co", "geekai.co"), GEEKAI_URLS[0]),
    **dict.fromkeys(("dev", ".dev", "geekai.dev"), GEEKAI_URLS[1]),
}
"""GeekAI's addresses by what people call them."""
_PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    KEY_FILE: parse_absolute_path,
    BASE_URL: parse_base_url,
    "GEEKAI_OUTPUT_DIR": parse_folder,
    "GEEKAI_IMAGE_DIRS": parse_folders,
    "GEEKAI_MAX_VIDEOS_PER_DAY": parse_count,
    "GEEKAI_MAX_CNY_PER_DAY": parse_amount,
}


class Draft:
    """The settings of a file with the changes that are to be written."""

    def __init__(
        self,
        path: Path,
        file: SettingsFile,
        given: Mapping[str, str | None],
        *,
        checks: bool,
        environ: Mapping[str, str],
    ) -> None:
        self.path = path
        self.given = given
        self.checks = checks
        """Whether the service is asked about the key."""
        self.changes: dict[str, str | None] = {}
        self._file = file
        self._environ = environ
        for name, value in given.items():
            self.change(name, value)

    def change(self, name: str, value: str | None) -> None:
        """Set *name* or remove it; a key and the file of one exclude each other."""
        self.changes[name] = value
        other = {KEY: KEY_FILE, KEY_FILE: KEY}.get(name)
        if other is not None and value is not None and self.value(other):
            self.changes[other] = None

    def remove_key(self) -> None:
        """Remove the key, and the address of GeekAI, which is of no use without one."""
        present = self.value(BASE_URL)
        names = [KEY, KEY_FILE]
        if present is not None and _is_geekai(present):
            names.append(BASE_URL)
        for name in names:
            if self.value(name) is not None:
                self.changes[name] = None

    def value(self, name: str) -> str | None:
        """The value that the file will have."""
        if name in self.changes:
            return self.changes[name]
        return self._file.values.get(name, "").strip() or None

    def read_key(self) -> str | None:
        """The key that the file will give.

        Raises:
            ConfigError: what the file gives is no key, or the file of the key cannot be used.
        """
        values = {name: self.value(name) or "" for name in (KEY, KEY_FILE)}
        reader = SettingsReader({}, SettingsFile(path=self.path, values=values), known=VARIABLES)
        key = reader.get_key()
        if reader.problems:
            raise ConfigError(reader.problems)
        return key.get_secret_value() if key is not None else None

    def urls_to_check(self) -> Sequence[str]:
        """Where the key is tried: at both of GeekAI's addresses unless another one is set."""
        url = self._environ.get(BASE_URL, "").strip() or self.value(BASE_URL)
        try:
            url = parse_base_url(url) if url else None
        except ValueError:
            url = None
        if url == SANDBOX_URL:
            return ()
        if url is None or (_is_geekai(url) and BASE_URL not in self.given):
            return GEEKAI_URLS
        return (url,)

    def hosts_to_check(self) -> Sequence[str]:
        return [urlsplit(url).netloc for url in self.urls_to_check()]

    def check_key(self, key: str) -> list[KeyCheck]:
        """What each service that the key may be for says of it."""
        return list(anyio.run(check_entries, self.urls_to_check(), SecretStr(key)))

    def accept(self, checks: Sequence[KeyCheck]) -> bool:
        """Whether a service accepts the key; of GeekAI's addresses, that one is to be used."""
        chosen = choose_entry(checks, self.value(BASE_URL))
        if chosen is None:
            return False
        if len(checks) > 1 and chosen.base_url != self.value(BASE_URL):
            self.changes[BASE_URL] = chosen.base_url
        return True

    def describe(self) -> list[tuple[str, str]]:
        """What the file will say and what it will not say any more, by name, without the key."""
        rows: list[tuple[str, str]] = []
        for name in VARIABLES:
            value = self.value(name)
            if value is not None:
                rows.append((name, mask_key(value) if name == KEY else value))
            elif name in self.changes and self._file.values.get(name, "").strip():
                rows.append((name, "(removed)"))
        return rows or [("(none)", "every setting has its default value")]

    @property
    def in_sandbox(self) -> bool:
        """Whether the file asks for the sandbox, whatever key there is."""
        return (self.value(BASE_URL) or "").casefold() == SANDBOX_WORD

    @property
    def overruled(self) -> list[str]:
        """The settings of the file that this process's environment sets as well."""
        return [
            name for name in VARIABLES if self.value(name) and self._environ.get(name, "").strip()
        ]


def _is_geekai(url: str) -> bool:
    return plain_url(url) in GEEKAI_URLS


def check_value(name: str, value: str) -> str | None:
    """*value* as it is stored; None if it says that the setting is to be removed.

    Raises:
        ValueError: it is wrong, in words that follow a name.
    """
    value = value.strip()
    if not value or value.casefold() in CLEAR:
        return None
    if name == BASE_URL:
        value = ENTRIES.get(value.casefold(), value)
        value = SANDBOX_WORD if value.casefold() == SANDBOX_WORD else value
    check_text(value)
    _PARSERS[name](value)
    if name == "GEEKAI_IMAGE_DIRS":
        return os.pathsep.join(one.strip() for one in value.split(os.pathsep) if one.strip())
    return value


def check_key_text(text: str) -> str | None:
    """The key in *text*; None if there is none.

    Raises:
        ValueError: it cannot be a key, in words that follow a name.
    """
    key = parse_key(text)
    return key.get_secret_value() if key is not None else None


def find_default(name: str) -> str:
    """What holds while *name* is not set, in words."""
    if name == "GEEKAI_OUTPUT_DIR":
        try:
            return str(find_output_dir())
        except (OSError, RuntimeError, KeyError, ValueError):
            return "none"
    if name == "GEEKAI_MAX_VIDEOS_PER_DAY":
        return str(Settings.max_videos_per_day)
    if name == BASE_URL:
        return GEEKAI_URLS[0]
    return "no limit" if name == "GEEKAI_MAX_CNY_PER_DAY" else "none"
