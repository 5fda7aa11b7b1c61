"""What every host can do."""

from dataclasses import dataclass
from typing import Protocol

from geekai_video_mcp.cli.hosts.launch import Launch
from geekai_video_mcp.cli.hosts.snippet import Snippet


@dataclass(frozen=True)
class Configured:
    """How a host is to start the server."""

    where: str
    """The file that says so."""
    launch: Launch | None
    """None where the host does not start the server, or its file cannot be read."""
    problem: str | None


class Host(Protocol):
    """A program that `install` can configure."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    def is_present(self) -> bool:
        """Whether the program seems to be installed for this user."""
        ...

    def read(self) -> Configured | None:
        """How the server is configured there; None if it is not."""
        ...

    def install(self, launch: Launch) -> str:
        """Configure the server; says what was done.

        Raises:
            HostError: it cannot be done; nothing was changed.
        """
        ...

    def uninstall(self) -> str:
        """Remove the server; says what was done.

        Raises:
            HostError: it cannot be done; nothing was changed.
        """
        ...

    def snippet(self, launch: Launch) -> Snippet:
        """What a person can paste instead, and where."""
        ...
