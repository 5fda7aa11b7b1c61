"""A copy of the ledger, taken while servers use it, that is safe to be restored.

Copied in one piece: in several, SQLite begins anew whenever a server has written, which under load
is always. Servers wait meanwhile, a second for half a gigabyte.
"""

import os
import secrets
import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

import anyio.to_thread

from geekai_video_mcp.domain.backups import mark_unsent_as_unknown
from geekai_video_mcp.errors import StorageUnavailable, describe_os_error
from geekai_video_mcp.ledger import Ledger
from geekai_video_mcp.ledger.sqlite import connection
from geekai_video_mcp.ledger.sqlite.database import BUSY_TIMEOUT, path_in
from geekai_video_mcp.quoting import quote

_NAME: Final = "The backup"


async def back_up(state_dir: Path, target: Path, *, at: float) -> int:
    """Write a copy of the ledger of *state_dir* to *target*; returns how many tasks are unsent.

    These are `unknown` in the copy: see `domain.backups`.

    Raises:
        StorageUnavailable: there is no ledger, or the copy cannot be written; none is left.
    """
    folder = target.parent / f".{secrets.token_hex(8)}.part"
    try:
        await anyio.to_thread.run_sync(_copy, path_in(state_dir), folder, target)
        unsent = await _mark_unsent(folder, at=at)
        await anyio.to_thread.run_sync(_publish, path_in(folder), target)
    except OSError as exc:
        raise _failed(target, describe_os_error(exc)) from exc
    except sqlite3.Error as exc:
        raise _failed(target, str(exc)) from exc
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return unsent


def _copy(source: Path, folder: Path, target: Path) -> None:
    if not source.exists():
        raise _failed(target, "there is no task database yet")
    if target.exists() or target.is_symlink():
        raise _failed(target, "a file is in its place, which is never replaced")
    if not target.parent.is_dir():
        raise _failed(target, "its folder does not exist")
    folder.mkdir(mode=0o700)
    with (
        closing(connection.connect(source, timeout=BUSY_TIMEOUT)) as opened,
        closing(sqlite3.connect(path_in(folder))) as copy,
    ):
        opened.backup(copy)
        (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    path_in(folder).chmod(0o600)
    if found != "ok":
        raise _failed(target, f"the task database is damaged ({found})")


async def _mark_unsent(folder: Path, *, at: float) -> int:
    unsent = 0
    copy = await Ledger.open(folder)
    try:
        for tenant, accounts in (await copy.tenants_with_unfinished_work()).items():
            ledger = copy.of_tenant(tenant)
            for account in accounts:
                for task in await ledger.unsent(account):
                    await ledger.change(task.id, partial(mark_unsent_as_unknown, at=at))
                    unsent += 1
    finally:
        await copy.close()
    return unsent


def _publish(copy: Path, target: Path) -> None:
    with copy.open("rb+") as written:
        os.fsync(written.fileno())
    os.link(copy, target)


def _failed(target: Path, reason: str) -> StorageUnavailable:
    return StorageUnavailable(
        f"{_NAME} {quote(str(target))}", reason, remedy="Nothing was changed."
    )
