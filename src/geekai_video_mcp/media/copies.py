"""Files of tasks that another machine has stored, and where this one has them.

Machines that share the output folder have the same files, maybe under another path of it. What a
machine lacks it fetches anew into a folder of its own below the output folder: these copies are no
results, and no row of the ledger names them. Everything here blocks; call it on a worker thread.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

from geekai_video_mcp.domain.media_refs import task_in_file_name
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import Task

COPIES_FOLDER: Final = "copies"


def copies_folder(output_dir: Path) -> Path:
    """Where a machine keeps what it has fetched anew, in a tenant's output folder."""
    return output_dir / COPIES_FOLDER


class FileCopies:
    """The files of one tenant's tasks on this machine."""

    def __init__(self, output_dir: Path) -> None:
        self._output_dir = output_dir
        self._folder = copies_folder(output_dir)

    def find(self, task: Task) -> str | None:
        """The path of the task's file on this machine; None if it is not here."""
        path, is_here = self.place_of_original(task)
        return path if is_here else self._find_fetched(task)

    def place_of_original(self, task: Task) -> tuple[str, bool]:
        """Where the file itself, and no copy, would be on this machine, and whether it is."""
        recorded = Path(task.file_path or "")
        usual = self._output_dir / recorded.name
        # Elsewhere than in the output folder it is the path of another machine.
        inside = recorded.is_relative_to(self._output_dir)
        if inside and _is_file_of(task, recorded):
            return str(recorded), True
        return str(usual), _is_file_of(task, usual)

    def prepare_folder(self) -> None:
        """Make the folder for what is fetched anew.

        Raises:
            OSError: it cannot be made.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def list_fetched(self) -> list[str]:
        """The beginning of the id of each task whose file was fetched anew."""
        with suppress(OSError):
            names = [each.name for each in self._folder.iterdir() if each.is_file()]
            return [found for name in names if (found := task_in_file_name(name))]
        return []

    def discard_fetched(self, beginning: str) -> None:
        """Delete the copy of the task whose id begins so, and the pictures that were made of it."""
        with suppress(OSError):
            for each in list(self._folder.iterdir()):
                if beginning in each.name and not each.name.startswith("."):
                    each.unlink(missing_ok=True)

    def _find_fetched(self, task: Task) -> str | None:
        ending = f"-{short_id(task.id)}{Path(task.file_path or '').suffix}"
        with suppress(OSError):
            for each in self._folder.iterdir():
                if each.name.endswith(ending) and _is_file_of(task, each):
                    return str(each)
        return None


def _is_file_of(task: Task, path: Path) -> bool:
    """Whether there is a file that may be the task's, by its size."""
    with suppress(OSError):
        return path.is_file() and task.file_bytes in {None, path.stat().st_size}
    return False
