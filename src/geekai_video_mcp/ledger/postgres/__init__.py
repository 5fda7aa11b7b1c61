"""The ledger in PostgreSQL, shared by the processes of several machines.

What is of PostgreSQL alone is here: its pool of connections, its tables, its dialect, and the
session locks by which processes know of each other. The modules import `asyncpg` (the extra
`postgres`), so whoever does without a database imports none of them.
"""

import importlib
from typing import Final

from geekai_video_mcp.errors import ConfigError

VARIABLE: Final = "GEEKAI_DATABASE_URL"
"""The variable with the database's address, user and password."""


def require_asyncpg() -> None:
    """Refuse to go on without the extra; before a module of this package is imported.

    Raises:
        ConfigError: asyncpg is not installed; it names the variable and the command.
    """
    try:
        importlib.import_module("asyncpg")
    except ModuleNotFoundError as exc:
        if exc.name != "asyncpg":
            raise
        msg = (
            "needs asyncpg, which is not installed: pip install 'geekai-video-mcp[postgres]', or"
            " remove the variable to keep the tasks in the state folder"
        )
        raise ConfigError({VARIABLE: msg}) from None
