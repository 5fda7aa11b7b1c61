"""A user's home for `install`, whose commands find no other home and no other hosts."""

import gc
import io
import json
import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from geekai_video_mcp.cli import main
from geekai_video_mcp.cli.logs import OWN_LOGGERS
from support.process import environment, run_cli

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

    def run(self, *command: str, **settings: str) -> tuple[int, str, str]:
        """Run a command of ours in this process; returns (exit status, stdout, stderr)."""
        variables = environment(self.folder, **self._variables(settings))
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, variables, clear=True),
            redirect_stdout(out),
            redirect_stderr(err),
            restored_process(),
        ):
            try:
                status = main(command)
            except SystemExit as exc:  # argparse
                status = exc.code if isinstance(exc.code, int) else 1
        return status, out.getvalue(), err.getvalue()

    async def run_process(self, *command: str, **settings: str) -> tuple[int, str, str]:
        """Run a command of ours in a process of its own."""
        return await run_cli(self.folder, *command, **self._variables(settings))

    def _variables(self, settings: dict[str, str]) -> dict[str, str]:
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
        return {**places, "PATH": path, **settings}

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


@contextmanager
def restored_process() -> Generator[None]:
    """Undo what a command does to its whole process: the collector, and the log."""
    loggers = [logging.getLogger(name) for name in ("", *OWN_LOGGERS)]
    handlers, levels = loggers[0].handlers[:], [each.level for each in loggers]
    try:
        yield
    finally:
        loggers[0].handlers[:] = handlers
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        gc.enable()
