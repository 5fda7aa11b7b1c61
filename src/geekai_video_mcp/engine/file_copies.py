"""Where the files of tasks are on one of several machines, as the engine needs to know it."""

from typing import Protocol

from geekai_video_mcp.domain.tasks import Task


class FileCopies(Protocol):
    """The files of one tenant's tasks on this machine; `media.copies.FileCopies` implements it.

    All of it blocks.
    """

    def find(self, task: Task) -> str | None:
        """The path of the task's file on this machine; None if it is not here."""
        ...

    def place_of_original(self, task: Task) -> tuple[str, bool]:
        """Where the file itself, and no copy, would be on this machine, and whether it is."""
        ...

    def prepare_folder(self) -> None:
        """Make the folder for what is fetched anew; raises `OSError` if that fails."""
        ...

    def list_fetched(self) -> list[str]:
        """The beginning of the id of each task whose file was fetched anew."""
        ...

    def discard_fetched(self, beginning: str) -> None:
        """Delete the copy of the task whose id begins so, and the pictures that were made of it."""
        ...
