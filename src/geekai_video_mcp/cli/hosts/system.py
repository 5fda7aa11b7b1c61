"""Which system this is, and where hosts keep their files on it: pure, for all three systems.

The places are those that the hosts' documents name (read 2026-11-27):
Claude Desktop  https://modelcontextprotocol.io/docs/develop/connect-local-servers
Cursor          https://cursor.com/docs/mcp
VS Code         https://code.visualstudio.com/docs/copilot/customization/mcp-servers
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Final

from geekai_video_mcp.errors import HostError

MACOS: Final = "darwin"
WINDOWS: Final = "win32"
CLAUDE_PACKAGE: Final = "Claude_pzs8sxrjxfjjc"
"""Claude Desktop from the Microsoft Store: Windows keeps what such a program writes to
%APPDATA% in a folder of the package."""
CODE_NAMES: Final = ("Code", "Code - Insiders", "VSCodium")


@dataclass(frozen=True)
class System:
    """What decides where a host's files are."""

    platform: str
    """As in `sys.platform`."""
    home: PurePath
    environ: Mapping[str, str]

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


def claude_desktop_files(system: System) -> list[PurePath]:
    name = "claude_desktop_config.json"
    files = [system.configuration / "Claude" / name]
    if system.platform == WINDOWS:
        local = system.folder("LOCALAPPDATA", system.home / "AppData" / "Local")
        package = local / "Packages" / CLAUDE_PACKAGE
        files.append(package / "LocalCache" / "Roaming" / "Claude" / name)
    return files


def cursor_files(system: System) -> list[PurePath]:
    return [system.home / ".cursor" / "mcp.json"]


def vscode_files(system: System) -> list[PurePath]:
    return [system.configuration / name / "User" / "mcp.json" for name in CODE_NAMES]


def claude_code_file(system: System) -> PurePath:
    return system.folder("CLAUDE_CONFIG_DIR", system.home) / ".claude.json"


def codex_file(system: System) -> PurePath:
    return system.folder("CODEX_HOME", system.home / ".codex") / "config.toml"


def gemini_file(system: System) -> PurePath:
    return system.folder("GEMINI_CLI_HOME", system.home) / ".gemini" / "settings.json"
