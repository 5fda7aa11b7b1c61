"""A host that is configured by a command of its own, which knows its file best.

How each command is called was read in its own help: Claude Code 2.1.332, Codex 0.171.0 and Gemini
CLI 0.61.0 (2026-11-27). A member of the server that a person has added is put back afterwards,
because the commands write the server anew.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from geekai_video_mcp.cli.hosts.configured import Configured
from geekai_video_mcp.cli.hosts.entry import launch_entry, merge_entry, read_launch
from geekai_video_mcp.cli.hosts.launch import ENTRY, Launch
from geekai_video_mcp.cli.hosts.own_command import find_program, run_program
from geekai_video_mcp.cli.hosts.put_back import check_members, put_back
from geekai_video_mcp.cli.hosts.servers import read_configured, read_servers
from geekai_video_mcp.cli.hosts.snippet import Snippet, write_json, write_toml
from geekai_video_mcp.cli.hosts.system import System, this_system
from geekai_video_mcp.errors import HostError
from geekai_video_mcp.quoting import quote


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
        return read_configured(self._file, self.servers)

    def install(self, launch: Launch) -> str:
        """Have the program's own command add the server; says what was done."""
        program = find_program(self.title, self.program, self.add(launch))
        before = self._read_entry()
        entry, changes = merge_entry(before, launch, self.fixed)
        if before == entry:
            return f"{self.title} has {ENTRY} already; nothing was changed:\n  {self._file}"
        added = {each: entry[each] for each in entry if each not in {"command", "args", "env"}}
        check_members(self._file, self.servers, added, self.fixed)
        merged = read_launch(entry) or launch
        self._add(program, merged, before)
        put_back(self._file, self.servers, entry)
        if read_launch(self._read_entry()) != merged:
            msg = f"{self.title}'s own command ended well, and its file does not have the server"
            raise HostError(f"{msg}: {quote(str(self._file))}")
        lines = [f"{self.title}'s own command wrote {ENTRY}:\n  {self._file}"]
        lines += changes
        return "\n".join((*lines, f"Start {self.title} anew to use it."))

    def uninstall(self) -> str:
        """Have the program's own command remove the server; says what was done."""
        if self._read_entry() is None:
            return f"{self.title} has no {ENTRY}; nothing was changed."
        program = find_program(self.title, self.program, self.remove)
        run_program(self.title, program, self.remove)
        if self._read_entry() is not None:
            msg = f"{self.title}'s own command ended well, and its file still has the server"
            raise HostError(f"{msg}: {quote(str(self._file))}")
        return f"{self.title}'s own command removed {ENTRY}:\n  {self._file}"

    def snippet(self, launch: Launch) -> Snippet:
        entry = {**self.fixed, **launch_entry(launch)}
        text = write_json({self.servers: {ENTRY: entry}})
        is_toml = self._file.suffix == ".toml"
        return Snippet(write_toml(launch) if is_toml else text, str(self._file))

    @property
    def _file(self) -> Path:
        return Path(self.file(this_system()))

    def _read_entry(self) -> object:
        return read_servers(self._file, self.servers).get(ENTRY)

    def _add(self, program: str, launch: Launch, before: object) -> None:
        """Add the server in the place of *before*, which stays if that fails."""
        if before is None or self.adds_twice:
            run_program(self.title, program, self.add(launch))
            return
        run_program(self.title, program, self.remove)
        try:
            run_program(self.title, program, self.add(launch))
        except HostError:
            former = read_launch(before)
            with suppress(HostError):
                if former is not None:
                    run_program(self.title, program, self.add(former))
                    put_back(self._file, self.servers, before)
            raise


def claude_arguments(launch: Launch) -> list[str]:
    # After the name: -e takes every word up to the next option.
    added = ["mcp", "add", "--scope", "user", ENTRY, *_variables("-e", launch)]
    return [*added, "--", launch.command, *launch.args]


def codex_arguments(launch: Launch) -> list[str]:
    return ["mcp", "add", ENTRY, *_variables("--env", launch), "--", launch.command, *launch.args]


def gemini_arguments(launch: Launch) -> list[str]:
    added = ["mcp", "add", "--scope", "user", *_variables("-e", launch), ENTRY, launch.command]
    return [*added, *(("--", *launch.args) if launch.args else ())]


def _variables(option: str, launch: Launch) -> list[str]:
    return [word for name, value in launch.env.items() for word in (option, f"{name}={value}")]
