"""The folders: whether they can be written, and how much room there is. Creates none."""

import os
import secrets
import shutil
from pathlib import Path
from typing import Final

import anyio.to_thread

from geekai_video_mcp.cli.checks.line import Line, fail, note, ok
from geekai_video_mcp.config import Settings
from geekai_video_mcp.config.private_files import OTHERS
from geekai_video_mcp.errors import StorageUnavailable, describe_os_error
from geekai_video_mcp.ledger.sqlite.filesystem import kind_of_filesystem
from geekai_video_mcp.media.output_folder import RESERVED_BYTES, check_output_folder, write_probe
from geekai_video_mcp.quoting import quote

CHECK: Final = "folders"
PATH_LIMIT: Final = 1000


async def check_folders(settings: Settings) -> list[Line]:
    has_database = settings.hosting.database_url is not None

    def check() -> list[Line]:
        return [
            _check_output(settings.output_dir),
            *_check_state(settings.state_dir, has_database=has_database),
            *(_check_images(folder) for folder in settings.image_dirs),
        ]

    return await anyio.to_thread.run_sync(check, abandon_on_cancel=True)


def _check_output(folder: Path) -> Line:
    what = f"videos go to {quote(str(folder), limit=PATH_LIMIT)}"
    try:
        if not folder.exists():
            return _check_absent(folder, what, "GEEKAI_OUTPUT_DIR")
        check_output_folder(folder)
        return ok(
            CHECK, f"{what}: it can be written, {_room(folder)}", facts={"folder": str(folder)}
        )
    except StorageUnavailable as exc:
        return fail(CHECK, exc.message, facts={"folder": str(folder)})
    except OSError as exc:
        return _unusable(folder, what, "GEEKAI_OUTPUT_DIR", describe_os_error(exc))


def _check_state(folder: Path, *, has_database: bool) -> list[Line]:
    recorded = "answers that come while the database is away" if has_database else "tasks"
    what = f"{recorded} are recorded in {quote(str(folder), limit=PATH_LIMIT)}"
    variable = "GEEKAI_STATE_DIR"
    try:
        if not folder.exists():
            return [_check_absent(folder, what, variable), *_check_filesystem(folder)]
        write_probe(folder / f".{secrets.token_hex(16)}.part")
        free = shutil.disk_usage(folder).free
        mode = folder.stat().st_mode
    except OSError as exc:
        return [_unusable(folder, what, variable, describe_os_error(exc))]
    lines = [
        ok(CHECK, f"{what}: it can be written, {_room(folder)}", facts={"folder": str(folder)})
    ]
    if free < RESERVED_BYTES:
        remedy = f"Free disk space, or set {variable} to another folder."
        lines = [note(CHECK, f"{what}: it can be written, but {_room(folder)}", remedy=remedy)]
    if os.name == "posix" and mode & OTHERS:
        path = quote(str(folder), limit=PATH_LIMIT)
        text = "other users of this computer may look into the state folder, which holds prompts"
        lines.append(note(CHECK, text, remedy=f"Run: chmod 700 {path}"))
    return [*lines, *_check_filesystem(folder)]


def _check_filesystem(folder: Path) -> list[Line]:
    """What is known of the disk of the state folder; nothing where the system does not say."""
    kind = kind_of_filesystem(folder)
    if kind is None:
        return []
    if not kind.remote:
        return [
            ok(
                CHECK,
                f"the state folder is on a local disk ({kind.name})",
                facts={"kind": kind.name},
            )
        ]
    return [
        fail(
            CHECK,
            f"the state folder is on a {kind.name} file system, whose locks may fail: two servers"
            " could then pay for one request",
            remedy="Set GEEKAI_STATE_DIR to a folder on a local disk.",
            facts={"kind": kind.name},
        )
    ]


def _check_images(folder: Path) -> Line:
    what = f"pictures may be read from {quote(str(folder), limit=PATH_LIMIT)}"
    try:
        if folder.is_dir() and os.access(folder, os.R_OK | os.X_OK):
            return ok(CHECK, what, facts={"folder": str(folder)})
        problem = "which this user cannot read" if folder.is_dir() else "which is no folder"
    except OSError as exc:
        problem = f"but {describe_os_error(exc)}"
    remedy = "Create it, or correct GEEKAI_IMAGE_DIRS."
    return fail(CHECK, f"{what}, {problem}", remedy=remedy, facts={"folder": str(folder)})


def _check_absent(folder: Path, what: str, variable: str) -> Line:
    """Whether a folder that does not exist yet can be created when it is needed."""
    parent = next(each for each in folder.parents if os.path.lexists(each))
    if not parent.is_dir():
        return _unusable(folder, what, variable, "a part of its path is a file and not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        where = quote(str(parent), limit=PATH_LIMIT)
        return _unusable(folder, what, variable, f"it cannot be created in {where}")
    text = f"{what}: it is created when it is needed, {_room(parent)}"
    if shutil.disk_usage(parent).free < RESERVED_BYTES:
        return fail(CHECK, text, remedy=f"Free disk space, or set {variable} to another folder.")
    return ok(CHECK, text, facts={"folder": str(folder)})


def _unusable(folder: Path, what: str, variable: str, reason: str) -> Line:
    remedy = f"Repair the folder, or set {variable} to another one."
    text = f"{what}, and it cannot be written: {reason}"
    return fail(CHECK, text, remedy=remedy, facts={"folder": str(folder)})


def _room(folder: Path) -> str:
    return f"{shutil.disk_usage(folder).free / 1e9:.1f} GB free"
