"""Which system this is, and where hosts keep their files on it: pure, for all three systems.

The places are those that the hosts' documents name (read 2026-11-27):
Claude Desktop  modelcontextprotocol.io/docs/develop/connect-local-servers; as a Windows package,
                github.com/anthropics/claude-code/issues/26073 and, of newer ones, users' reports
Cursor          cursor.com/docs/mcp
VS Code         code.visualstudio.com/docs/copilot/reference/mcp-configuration, and its folders
                /docs/configure/settings; VSCodium's are the same under its own name
Claude Code     code.claude.com/docs/en/mcp (user scope)
Codex           developers.openai.com/codex/mcp
Gemini CLI      geminicli.com/docs/tools/mcp-server
"""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Final

from geekai_video_mcp.errors import HostError

MACOS: Final = "darwin"
WINDOWS: Final = "win32"
CODE_NAMES: Final = ("Code", "Code - Insiders", "VSCodium")


def list_folder(folder: PurePath) -> list[str]:
    """The names in the folder, in order; none if it cannot be read."""
    with suppress(OSError):
        return sorted(os.listdir(folder))  # noqa: PTH208 - a pure path
    return []


@dataclass(frozen=True)
class Place:
    """Where a host reads its servers."""

    file: PurePath
    program: PurePath
    """The folder that is there if the host is."""


@dataclass(frozen=True)
class System:
    """What decides where a host's files are."""

    platform: str
    """As in `sys.platform`."""
    home: PurePath
    environ: Mapping[str, str]
    list_names: Callable[[PurePath], list[str]] = list_folder
    """The names in a folder; none if there is no such folder."""

    @property
    def configuration(self) -> PurePath:
        """Where programs with windows keep their configuration."""
        if self.platform == WINDOWS:
            return self.folder("APPDATA", self.home / "AppData" / "Roaming")
        if self.platform == MACOS:
            return self.home / "Library" / "Application Support"
        return self.folder("XDG_CONFIG_HOME", self.home / ".config")

    def folder(self, variable: str, default: PurePath) -> PurePath:
        """The folder that *variable* names; a relative path counts for nothing, as in XDG."""
        kind = PureWindowsPath if self.platform == WINDOWS else PurePosixPath
        named = kind(self.environ.get(variable, ""))
        return named if named.is_absolute() else default


def this_system() -> System:
    """The system that this process runs on."""
    try:
        home = Path.home()
    except (RuntimeError, KeyError):
        home = Path()
    if not home.is_absolute():
        msg = "This user has no home directory, so where hosts keep their files is not known"
        raise HostError(msg, remedy="Set HOME and try again.")
    return System(sys.platform, home, os.environ)


def claude_desktop_places(system: System) -> list[Place]:
    """The documented place; and those of its Windows package, which cannot see that one.

    Windows keeps what a package writes to %APPDATA% in a folder of the package; packages since
    2.4 have a folder of their own.
    """
    name = "claude_desktop_config.json"
    usual = system.configuration / "Claude"
    places = [Place(usual / name, usual)]
    if system.platform != WINDOWS:
        return places
    local = system.folder("LOCALAPPDATA", system.home / "AppData" / "Local")
    virtual = PurePath("LocalCache", "Roaming", "Claude")
    old, new = (_find_packages(system, local / each) for each in ("Packages", "Claude-Data"))
    places += [Place(package / virtual / name, package) for package in old]
    return places + [Place(package / name, package) for package in new]


def cursor_places(system: System) -> list[Place]:
    folder = system.home / ".cursor"
    return [Place(folder / "mcp.json", folder)]


def vscode_places(system: System) -> list[Place]:
    """VS Code's user profile, and those of its siblings."""
    folders = [system.configuration / name for name in CODE_NAMES]
    return [Place(folder / "User" / "mcp.json", folder) for folder in folders]


def claude_code_file(system: System) -> PurePath:
    return system.folder("CLAUDE_CONFIG_DIR", system.home) / ".claude.json"


def codex_file(system: System) -> PurePath:
    return system.folder("CODEX_HOME", system.home / ".codex") / "config.toml"


def gemini_file(system: System) -> PurePath:
    return system.folder("GEMINI_CLI_HOME", system.home) / ".gemini" / "settings.json"


def _find_packages(system: System, folder: PurePath) -> list[PurePath]:
    names = system.list_names(folder)
    return [folder / name for name in names if name.lower().startswith("claude_")]
