"""A host that is configured by a JSON file of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from geekai_video_mcp.cli.hosts.configured import Configured
from geekai_video_mcp.cli.hosts.entry import merge_entry
from geekai_video_mcp.cli.hosts.json_text import NotUsable, find_member, remove_member, set_member
from geekai_video_mcp.cli.hosts.launch import ENTRY, Launch
from geekai_video_mcp.cli.hosts.servers import read_configured
from geekai_video_mcp.cli.hosts.system import System, this_system
from geekai_video_mcp.cli.hosts.text_file import read_file, refuse, write_file


@dataclass(frozen=True)
class FileHost:
    """A program that reads its servers from a JSON file."""

    name: str
    title: str
    files: Callable[[System], Sequence[PurePath]]
    """Of the program and its siblings; the first one is written if none of them is there."""
    servers: str = "mcpServers"
    """The member of the file that holds the servers."""
    fixed: Mapping[str, str] = field(default_factory=dict[str, str])
    """What each server has beside command, args and env."""
    depth: int = 1
    """How many folders above the file belong to the program."""

    def is_present(self) -> bool:
        return any(self._is_there(path) for path in self._all_files())

    def read(self) -> Configured | None:
        """How the server is configured here; None if it is not."""
        found = (read_configured(path, self.servers) for path in self._all_files())
        return next(filter(None, found), None)

    def install(self, launch: Launch) -> str:
        """Write the server into the program's file, or its siblings'; says what was done."""
        return "\n".join(self._install(path, launch) for path in self.chosen_files())

    def uninstall(self) -> str:
        """Take the server out of each file; says what was done."""
        said = [self._uninstall(path) for path in self._all_files()]
        done = [each for each in said if each]
        return "\n".join(done) if done else f"{self.title} has no {ENTRY}: nothing to remove."

    def chosen_files(self) -> list[Path]:
        files = self._all_files()
        return [path for path in files if self._is_there(path)] or files[:1]

    def _install(self, path: Path, launch: Launch) -> str:
        before = read_file(path)
        text = before.text if before else "{}"
        try:
            entry, changes = merge_entry(self._find_entry(text), launch, self.fixed)
            if self._find_entry(text) == entry:
                return f"{self.title} has {ENTRY} already; nothing was changed:\n  {path}"
            after = set_member(text, (self.servers, ENTRY), entry)
        except NotUsable as exc:
            refuse(path, exc.reason, exc.line)
        backup = write_file(path, after if before else f"{after}\n", before)
        said = [f"Wrote {ENTRY} into {self.title}'s file:\n  {path}"]
        said += [f"Changed: {each}." for each in changes]
        if backup:
            said.append(f"The file as it was before:\n  {backup}")
        return "\n".join((*said, f"Restart {self.title} to use it."))

    def _uninstall(self, path: Path) -> str | None:
        before = read_file(path)
        if before is None:
            return None
        try:
            if self._find_entry(before.text) is None:
                return None
            after = remove_member(before.text, (self.servers, ENTRY))
        except NotUsable as exc:
            refuse(path, exc.reason, exc.line)
        backup = write_file(path, after, before)
        return (
            f"Removed {ENTRY} from {self.title}'s file:\n  {path}\n"
            f"The file as it was before:\n  {backup}"
        )

    def _find_entry(self, text: str) -> object:
        return find_member(text, (self.servers, ENTRY))

    def _is_there(self, path: Path) -> bool:
        return path.parents[self.depth - 1].is_dir()

    def _all_files(self) -> list[Path]:
        return [Path(each) for each in self.files(this_system())]
