"""What a look at a ledger finds, in whichever database it is. For `doctor`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class UnknownTask:
    """A task whose outcome is unknown."""

    id: str
    tenant: str


@dataclass(frozen=True, kw_only=True)
class LedgerReport:
    """What a ledger is, on the whole."""

    path: Path | None = None
    """The file; None where a database server has it."""
    server: str | None = None
    """The database server with its version, and never its address; None for a file."""
    schema_version: int
    newest_schema: int
    """The schema of this version of the server."""
    tasks: Mapping[str, int]
    """How many there are of each tenant."""
    unknown: tuple[UnknownTask, ...]
    """The tasks whose outcome is unknown, of all tenants, oldest first."""
    checked: bool
    """Whether every page of the file was checked in time; a database server checks its own."""
