"""A host that is configured by a command of its own, which knows its file best.

How each command is called was read in its own help: Claude Code 2.1.332, Codex 0.171.0 and Gemini
CLI 0.61.0 (2026-11-27).
"""

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Final

from geekai_video_mcp.cli.hosts.configured import Configured
from geekai_video_mcp.cli.hosts.entry import launch_entry, merge_entry, read_launch
from geekai_video_mcp.cli.hosts.launch import ENTRY, Launch
from geekai_video_mcp.cli.hosts.servers import read_configured, read_servers
from geekai_video_mcp.cli.hosts.snippet import Snippet, write_json, write_toml
from geekai_video_mcp.cli.hosts.system import System, this_system
from geekai_video_mcp.errors import HostError
from geekai_video_mcp.quoting import quote

MAX_SECONDS: Final = 60
"""For a host's command; on two busy cores the slowest takes three."""


@dataclass(frozen=True)
class CommandHost:
    """A program with a command for its servers."""

    name: str
    title: str
    program: str
    file: Callable[[System], PurePath]
    servers: str
    """The member of the file that holds the servers."""
    add: Callable[[Launch], Sequence[str]]
    """The arguments that add the server."""
    remove: Sequence[str]
    adds_twice: bool
    """Whether the command replaces a server of the same name."""
    fixed: Mapping[str, str] = field(default_factory=dict[str, str])

    def is_present(self) -> bool:
        return shutil.which(self.program) is not None

    def read(self) -> Configured | None:
        """How the server is configured here; None if it is not."""
        return read_configured(Path(self.file(this_system())), self.servers)

    def install(self, launch: Launch) -> str:
        """Have the program's own command add the server; says what was done."""
        program = self._find_program(f"{self.program} {' '.join(self.add(launch))}")
        path = Path(self.file(this_system()))
        before = read_servers(path, self.servers).get(ENTRY)
        entry, changes = merge_entry(before, launch, self.fixed)
        if before == entry:
            return f"{self.title} has {ENTRY} already; nothing was changed:\n  {path}"
        merged = read_launch(entry) or launch
        if before is not None and not self.adds_twice:
            self._run(program, self.remove)
        said = self._run(program, self.add(merged))
        after = read_launch(read_servers(path, self.servers).get(ENTRY))
        if after != merged:
            msg = f"{self.title}'s own command ended well ({quote(said)}), and {path} does not have"
            raise HostError(f"{msg} the server")
        lines = [f"{self.title}'s own command added {ENTRY}:\n  {path}"]
        lines += [f"Changed: {each}." for each in changes]
        return "\n".join((*lines, f"Start {self.title} anew to use it."))

    def uninstall(self) -> str:
        """Have the program's own command remove the server; says what was done."""
        path = Path(self.file(this_system()))
        if ENTRY not in read_servers(path, self.servers):
            return f"{self.title} has no {ENTRY}: nothing to remove."
        program = self._find_program(f"{self.program} {' '.join(self.remove)}")
        said = self._run(program, self.remove)
        if ENTRY in read_servers(path, self.servers):
            msg = f"{self.title}'s own command ended well ({quote(said)}), and {path} still has"
            raise HostError(f"{msg} the server")
        return f"{self.title}'s own command removed {ENTRY}:\n  {path}"

    def snippet(self, launch: Launch) -> Snippet:
        path = self.file(this_system())
        entry = {**self.fixed, **launch_entry(launch)}
        text = write_json({self.servers: {ENTRY: entry}})
        return Snippet(write_toml(launch) if path.suffix == ".toml" else text, str(path))

    def _find_program(self, command: str) -> str:
        found = shutil.which(self.program)
        if found is None:
            msg = f"{self.title} was not found: there is no {self.program} on PATH"
            raise HostError(msg, remedy=f"Install it and try again, or run:\n  {command}")
        return found

    def _run(self, program: str, arguments: Sequence[str]) -> str:
        """Run the program's command; returns what it said."""
        command = [program, *arguments]
        try:
            done = subprocess.run(  # noqa: S603 - the host that the person named
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=MAX_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            msg = f"{program} did not end within {MAX_SECONDS} seconds"
            raise HostError(msg) from None
        except OSError as exc:
            msg = f"{program} could not be started: {quote(str(exc))}"
            raise HostError(msg) from exc
        said = done.stdout + done.stderr
        if done.returncode:
            msg = f"{self.title}'s own command failed (status {done.returncode}): {quote(said)}"
            raise HostError(msg)
        return said


def claude_arguments(launch: Launch) -> list[str]:
    return [
        *("mcp", "add", "--scope", "user", ENTRY),
        *_variables("-e", launch),
        *("--", launch.command, *launch.args),
    ]


def codex_arguments(launch: Launch) -> list[str]:
    return ["mcp", "add", ENTRY, *_variables("--env", launch), "--", launch.command, *launch.args]


def gemini_arguments(launch: Launch) -> list[str]:
    return [
        *("mcp", "add", "--scope", "user"),
        *_variables("-e", launch),
        *(ENTRY, launch.command),
        *(("--", *launch.args) if launch.args else ()),
    ]


def _variables(option: str, launch: Launch) -> list[str]:
    return [word for name, value in launch.env.items() for word in (option, f"{name}={value}")]
