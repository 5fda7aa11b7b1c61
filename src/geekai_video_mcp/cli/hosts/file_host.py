"""A host that is configured by a JSON file of its own."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from geekai_video_mcp.cli.hosts.configured import Configured
from geekai_video_mcp.cli.hosts.created import find_created, forget_created, remember_created
from geekai_video_mcp.cli.hosts.entry import holds_only_ours, launch_entry, merge_entry
from geekai_video_mcp.cli.hosts.json_text import (
    NotUsable,
    find_member,
    parse,
    remove_member,
    set_member,
)
from geekai_video_mcp.cli.hosts.launch import ENTRY, Launch
from geekai_video_mcp.cli.hosts.servers import read_configured
from geekai_video_mcp.cli.hosts.snippet import Snippet, write_json
from geekai_video_mcp.cli.hosts.system import Place, System, this_system
from geekai_video_mcp.cli.hosts.text_file import (
    Content,
    delete_file,
    list_backups,
    missing_folders,
    read_file,
    refuse,
    write_file,
)
from geekai_video_mcp.errors import HostError


@dataclass(frozen=True)
class FileHost:
    """A program that reads its servers from a JSON file."""

    name: str
    title: str
    places: Callable[[System], Sequence[Place]]
    """Of the program and its siblings; the first one is written if none of them is there."""
    servers: str = "mcpServers"
    """The member of the file that holds the servers."""
    fixed: Mapping[str, str] = field(default_factory=dict[str, str])
    """What each server has beside command, args and env."""

    def is_present(self) -> bool:
        return any(map(_is_there, self.places(this_system())))

    def read(self) -> Configured | None:
        """How the server is configured here; None if it is not."""
        found = (read_configured(path, self.servers) for path in self._all_files())
        return next(filter(None, found), None)

    def install(self, launch: Launch) -> str:
        """Write the server into the program's file, and its siblings'; says what was done."""
        present = self.is_present()
        said = [self._install(path, launch) for path in self._chosen_files()]
        if not present:
            said.append(f"{self.title} itself was not found on this machine.")
        return "\n".join(said)

    def uninstall(self) -> str:
        """Take the server out of each file; says what was done."""
        done = [each for each in map(self._uninstall, self._all_files()) if each]
        return "\n".join(done) if done else f"{self.title} has no {ENTRY}; nothing was changed."

    def snippet(self, launch: Launch) -> Snippet:
        entry = {**self.fixed, **launch_entry(launch)}
        text = write_json({self.servers: {ENTRY: entry}})
        return Snippet(text, "\n".join(map(str, self._chosen_files())))

    def _all_files(self) -> list[Path]:
        return [Path(each.file) for each in self.places(this_system())]

    def _chosen_files(self) -> list[Path]:
        places = self.places(this_system())
        present = [Path(each.file) for each in places if _is_there(each)]
        return present or [Path(places[0].file)]

    def _install(self, path: Path, launch: Launch) -> str:
        before = read_file(path)
        text = before.text if before else "{}\n"
        try:
            found = self._find_entry(text)
            entry, changes = merge_entry(found, launch, self.fixed)
            if found == entry:
                return f"{self.title} has {ENTRY} already; nothing was changed:\n  {path}"
            after = set_member(text, self._path, entry)
        except NotUsable as exc:
            refuse(path, exc.reason, exc.line)
        made = missing_folders(path)
        backup = write_file(path, after, before)
        if before is None:
            remember_created(path, made)
        said = [f"Wrote {ENTRY} into {self.title}'s file:\n  {path}"]
        said += changes
        if backup:
            said.append(f"The file as it was before:\n  {backup}")
        return "\n".join((*said, f"Restart {self.title} to use it."))

    def _uninstall(self, path: Path) -> str | None:
        before = read_file(path)
        if before is None:
            forget_created(path)
            return None
        try:
            entry = self._find_entry(before.text)
            if entry is None:
                return None
            said = self._restore(path, before, entry) or self._remove(path, before)
        except NotUsable as exc:
            remedy = f"Remove the member {ENTRY} from it yourself."
            refuse(path, exc.reason, exc.line, remedy=remedy)
        forget_created(path)
        return said

    def _restore(self, path: Path, before: Content, entry: object) -> str | None:
        """Put back the file as it was, if nothing but the server was written since."""
        ours: list[Path] = []
        for backup in list_backups(path):
            content = _read_backup(backup)
            if content is None:
                continue
            ours.append(backup)
            if self._has_entry(content.text):
                continue
            if self._with_entry(content.text, entry) != before.text:
                return None
            saved = write_file(path, content.text, before)
            if saved and holds_only_ours(entry):
                ours.append(saved)
            for each in ours:
                self._delete_spare(each, content.text)
            return f"Removed {ENTRY}; {self.title}'s file is as it was before:\n  {path}"
        return None

    def _remove(self, path: Path, before: Content) -> str:
        """Take out the server alone; the file goes as well if `install` made it for that."""
        after, folders = remove_member(before.text, self._path), find_created(path)
        if folders is not None and parse(after) == {self.servers: {}}:
            delete_file(path, before)
            for backup in list_backups(path):
                self._delete_spare(backup, "{}\n")
            forget_created(path)
            for folder in reversed(folders):
                with suppress(OSError):  # somebody else uses it
                    folder.rmdir()
            return f"Removed {ENTRY}, and {self.title}'s file, which held nothing else:\n  {path}"
        if not find_member(after, (self.servers,)) and self._made_servers(path, folders):
            after = remove_member(after, (self.servers,))
        backup = write_file(path, after, before)
        return (
            f"Removed {ENTRY} from {self.title}'s file:\n  {path}\n"
            f"The file as it was before:\n  {backup}"
        )

    def _made_servers(self, path: Path, folders: list[Path] | None) -> bool:
        """Whether the file had no member for servers before `install`."""
        if folders is not None:
            return True
        for backup in list_backups(path):
            content = _read_backup(backup)
            if content and not self._has_entry(content.text):
                with suppress(NotUsable):
                    return self.servers not in parse(content.text)
        return False

    def _delete_spare(self, backup: Path, original: str) -> None:
        """Delete the backup, if it holds nothing but *original* and the server."""
        content = _read_backup(backup)
        if content is None:
            return
        entry = self._has_entry(content.text) and self._find_entry(content.text)
        if entry and not holds_only_ours(entry):
            return
        if content.text == (self._with_entry(original, entry) if entry else original):
            with suppress(OSError):
                backup.unlink()

    @property
    def _path(self) -> tuple[str, str]:
        return self.servers, ENTRY

    def _find_entry(self, text: str) -> object:
        return find_member(text, self._path)

    def _has_entry(self, text: str) -> bool:
        with suppress(NotUsable):
            return self._find_entry(text) is not None
        return False

    def _with_entry(self, text: str, entry: object) -> str | None:
        with suppress(NotUsable):
            return set_member(text, self._path, entry)
        return None


def _is_there(place: Place) -> bool:
    """Whether the program's folder is there, and holds more than `install` has made."""
    program, file = Path(place.program), Path(place.file)
    made = find_created(file)
    if made is None or Path(os.path.realpath(program)) not in made:
        return program.is_dir()
    names = {each.name for each in (*made, file)}
    return any(not each.name.startswith(tuple(names)) for each in program.iterdir())


def _read_backup(path: Path) -> Content | None:
    with suppress(HostError):
        return read_file(path)
    return None
