"""A user's home for `install`: real processes, which find no other home and no other hosts."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.process import run_cli

ENTRY = "geekai-video"


@dataclass
class Home:
    """A home without hosts, and the programs that are on PATH in it."""

    folder: Path

    @property
    def path(self) -> Path:
        """The home directory itself."""
        return self.folder / "home"

    @property
    def programs(self) -> Path:
        return self.folder / "bin"

    @property
    def files(self) -> dict[str, Path]:
        """Where the three hosts with a file of their own have it, on this system."""
        roaming, config = self.path / "AppData" / "Roaming", self.path / ".config"
        if sys.platform == "win32":
            config = roaming
        elif sys.platform == "darwin":
            config = self.path / "Library" / "Application Support"
        return {
            "claude-desktop": config / "Claude" / "claude_desktop_config.json",
            "cursor": self.path / ".cursor" / "mcp.json",
            "vscode": config / "Code" / "User" / "mcp.json",
        }

    async def run(self, *command: str, **settings: str) -> tuple[int, str, str]:
        """Run a command of ours in this home."""
        self.path.mkdir(exist_ok=True)
        places = {
            "HOME": str(self.path),
            "USERPROFILE": str(self.path),
            "APPDATA": str(self.path / "AppData" / "Roaming"),
            "LOCALAPPDATA": str(self.path / "AppData" / "Local"),
            "XDG_CONFIG_HOME": "",
            "CLAUDE_CONFIG_DIR": "",
            "CODEX_HOME": "",
            "GEMINI_CLI_HOME": "",
        }
        path = os.pathsep.join([str(self.programs), "/usr/bin", "/bin"])
        return await run_cli(self.folder, *command, **{**places, "PATH": path, **settings})

    def put_program(self, name: str, script: str) -> None:
        """Put a program on PATH that a shell runs."""
        self.programs.mkdir(exist_ok=True)
        program = self.programs / name
        program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        program.chmod(0o755)

    def list_all(self) -> dict[str, bytes]:
        """Every file and folder of the home, with what is in it."""
        found = sorted(self.path.rglob("*"))
        return {
            str(each.relative_to(self.path)): each.read_bytes() if each.is_file() else b""
            for each in found
        }


def read_entry(path: Path) -> dict[str, Any]:
    """The server in a host's file, as the host reads it."""
    whole = json.loads(path.read_text("utf-8-sig"))
    return (whole.get("mcpServers") or whole["servers"])[ENTRY]
