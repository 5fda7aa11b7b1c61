"""`geekai-video-mcp tasks backup`: a copy of the task database, while servers use it."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from geekai_video_mcp.cli.output import FAILED, OK, print_line, print_notice
from geekai_video_mcp.ledger.sqlite.backup import back_up

if TYPE_CHECKING:
    from geekai_video_mcp.config import Settings


def write_backup(arguments: argparse.Namespace, settings: "Settings") -> int:
    """Write the copy, and say what it does not hold; with PostgreSQL, say what copies it."""
    if settings.hosting.database_url is not None:
        print_notice(
            "Nothing was copied: the task database is in PostgreSQL, whose own program copies it"
            " while servers use it, by a user of the database:\n"
            "  pg_dump --format=custom --schema=geekai_video --dbname=DATABASE --file=FILE\n"
            "Before a server starts on such a copy, deploy/restored.sql has to be run on it"
            " (docs/hosting-replicas.md), or requests that were sent since may be paid twice."
        )
        return FAILED
    target = Path(arguments.file).absolute()
    unsent = anyio.run(lambda: back_up(settings.state_dir, target, at=time.time()))
    print_line(f"The task database was copied to {target}.")
    if unsent:
        noun = "task was" if unsent == 1 else "tasks were"
        print_line(
            f"{unsent} {noun} not sent yet: in the copy their outcome is unknown, because they may"
            " have been sent by the time it is restored."
        )
    return OK
