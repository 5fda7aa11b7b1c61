"""`geekai-video-mcp gallery`: one HTML file of the newest films, which opens from disk.

It reads the ledger and the output folder, and makes the contact sheets that are not there yet; that
is local and free. The page refers to the films and sheets by relative links: it can be moved
together with their folder, and of a film that is deleted no picture is left in it.
"""

import argparse
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote as quote_url

import anyio
from anyio import to_thread

from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.ledger_reads import PAGE_SIZE, open_ledger
from geekai_video_mcp.cli.output import FAILED, OK, print_line, print_notice
from geekai_video_mcp.cli.report import plain_unlimited
from geekai_video_mcp.cli.tasks import add_tenant_option, run_tasks
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.storage import Deleted
from geekai_video_mcp.domain.tasks import Media, Task
from geekai_video_mcp.errors import describe_os_error

if TYPE_CHECKING:
    from geekai_video_mcp.cli.gallery_page import GalleryFilm
    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.media.copies import FileCopies
    from geekai_video_mcp.media.preview import PreviewRenderer, PreviewRequest

FILE_NAME: Final = "gallery.html"
DEFAULT_FILMS: Final = 24
MAX_FILMS: Final = 1000
SHEETS_AT_ONCE: Final = 2
"""Contact sheets that are made at the same time: each may use a core."""


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Write one HTML page of the newest videos and films, with their contact"
        " sheets, prompts and prices. It opens from disk, without a network.",
        **examples(f"{prog} --open", f"{prog} --limit 100 --output ~/films.html"),
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help=f"the page (default: {FILE_NAME} in the output folder)",
    )
    parser.add_argument(
        "--limit",
        type=_parse_limit,
        default=DEFAULT_FILMS,
        metavar="N",
        help=f"films on it (default: {DEFAULT_FILMS})",
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    add_tenant_option(parser)
    parser.set_defaults(run=run_tasks, handler=_write_gallery)
    return parser


def _parse_limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:9]) <= MAX_FILMS:
        msg = f"the number of films must be from 1 to {MAX_FILMS}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _write_gallery(arguments: argparse.Namespace, settings: "Settings") -> int:
    """Write the page and print where it is; returns the exit status."""
    from geekai_video_mcp.cli.gallery_page import is_unchanged_page, render_page
    from geekai_video_mcp.media.side_files import write_side_file

    page: Path = (arguments.output or settings.output_dir / FILE_NAME).expanduser().absolute()
    shown = plain_unlimited(str(page))
    tasks = anyio.run(_find_films, settings, arguments.limit)
    if not tasks:
        print_notice("There is no film to show yet: no page was written.")
        return FAILED
    content = render_page(anyio.run(_make_sheets, tasks, page.parent), at=time.time())

    def is_ours() -> bool:
        with suppress(OSError):
            return is_unchanged_page(_read_page(page))
        return False

    try:
        if not write_side_file(page, content, key=secrets.token_hex(16), is_ours=is_ours):
            print_notice(
                f"{shown} is left as it is: it is another file, or was changed since it was made."
                " Name another one with --output."
            )
            return FAILED
    except OSError as exc:
        print_notice(f"{shown} could not be written: {describe_os_error(exc)}.")
        return FAILED
    print_line(f"{'1 film' if len(tasks) == 1 else f'{len(tasks):,} films'}: {shown}")
    return _open_page(page) if arguments.open else OK


def _open_page(page: Path) -> int:
    from geekai_video_mcp.cli.open_file import open_file

    if (reason := open_file(page)) is not None:
        print_notice(f"It could not be opened: {reason}.")
        return FAILED
    return OK


async def _find_films(settings: "Settings", limit: int) -> list[Task]:
    """The newest tasks whose video is on this machine, each with the path that it has here."""
    from geekai_video_mcp.media.copies import FileCopies

    copies = FileCopies(settings.output_dir) if settings.hosting.database_url else None
    films, last = list[Task](), None
    async with open_ledger(settings) as ledger:
        while ledger and len(films) < limit:
            page = await ledger.list_tasks(limit=PAGE_SIZE, statuses={Status.SUCCEED}, before=last)
            if not page:
                break
            found = await to_thread.run_sync(_with_files, page, copies)
            films += found
            last = page[-1].id
    return films[:limit]


def _with_files(tasks: Sequence[Task], copies: "FileCopies | None") -> list[Task]:
    """Those of *tasks* that have made a video which is here."""
    found = list[Task]()
    for task in tasks:
        if task.media is Media.IMAGE or task.file_status is not FileStatus.STORED:
            continue
        path = copies.find(task) if copies is not None else task.file_path
        if path is not None and Path(path).is_file():
            found.append(replace(task, file_path=path))
    return found


async def _make_sheets(tasks: Sequence[Task], folder: Path) -> "list[GalleryFilm]":
    """The films as a page in *folder* shows them; sheets that are missing are made."""
    from geekai_video_mcp.cli.gallery_page import GalleryFilm
    from geekai_video_mcp.media import saved_pictures
    from geekai_video_mcp.media.preview import PreviewRenderer, PreviewRequest

    renderer, turns = PreviewRenderer(), anyio.CapacityLimiter(SHEETS_AT_ONCE)
    requests = {task.id: PreviewRequest(paths=(Path(str(task.file_path)),)) for task in tasks}
    sheets: dict[str, Path | None] = {}
    for task_id, request in requests.items():
        saved = await to_thread.run_sync(saved_pictures.find_saved, request)
        sheets[task_id] = saved.path if saved is not None else None

    async def make_sheet(task_id: str) -> None:
        async with turns:
            sheets[task_id] = await _make_sheet(renderer, requests[task_id])

    missing = [task_id for task_id, sheet in sheets.items() if sheet is None]
    if missing:
        print_notice("Making the contact sheets that are missing.")
    async with anyio.create_task_group() as group:
        for task_id in missing:
            group.start_soon(make_sheet, task_id)
    return [
        GalleryFilm(
            task,
            video=_link(path, folder),
            file_name=plain_unlimited(path.name),
            sheet=_link(sheet, folder) if sheet is not None else None,
        )
        for task in tasks
        for (path,), sheet in [(requests[task.id].paths, sheets[task.id])]
    ]


async def _make_sheet(renderer: "PreviewRenderer", request: "PreviewRequest") -> Path | None:
    """Where the contact sheet is now; None if there can be none, or it cannot be saved."""
    from geekai_video_mcp.media import saved_pictures

    state = await to_thread.run_sync(saved_pictures.read_state, request)
    rendered = await renderer.render(request)
    save = partial(saved_pictures.save_picture, request, rendered, state=state)
    return await to_thread.run_sync(save)


def _link(path: Path, folder: Path) -> str:
    """How a page in *folder* names the file at *path*: relative, or by its URL on another drive."""
    absolute = path.absolute()
    try:
        relative = Path(os.path.relpath(absolute, folder))
    except ValueError:
        return absolute.as_uri()
    return quote_url(os.fsencode(relative.as_posix()))


def delete_page_of(output_dir: Path, task_ids: set[str]) -> Deleted:
    """Delete the page in the output folder if it shows one of these tasks, and is unchanged."""
    from geekai_video_mcp.cli.gallery_page import is_unchanged_page, shown_tasks

    path = output_dir / FILE_NAME
    try:
        content = _read_page(path)
        if not shown_tasks(content) & task_ids:
            return Deleted.MISSING
        if not is_unchanged_page(content):
            return Deleted.KEPT
        path.unlink()
    except FileNotFoundError:
        return Deleted.MISSING
    except OSError:
        return Deleted.KEPT
    return Deleted.DELETED


def _read_page(path: Path) -> bytes:
    from geekai_video_mcp.cli.gallery_page import MAX_BYTES
    from geekai_video_mcp.media.regular_files import open_regular_file

    with open_regular_file(path) as file:
        return file.read(MAX_BYTES + 1)
