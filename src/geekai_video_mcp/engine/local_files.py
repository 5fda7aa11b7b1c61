"""The file of a finished task on this machine, if the ledger is of several machines.

The ledger has the path at which a file was stored, by whichever machine that was. Another one finds
it where both share the output folder; otherwise it fetches the file anew, for itself alone, while
the service has it. Nothing is recorded of that: two machines would write over each other.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import anyio
import anyio.to_thread

from geekai_video_mcp.domain.spending import DAY
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import FileUpdate, Media, Task
from geekai_video_mcp.engine.context import EngineContext
from geekai_video_mcp.engine.exceptions import describe_exception, log_exception
from geekai_video_mcp.engine.file_copies import FileCopies
from geekai_video_mcp.errors import (
    DownloadFailed,
    FileElsewhere,
    GeekAIVideoError,
    ServiceUnavailable,
    TaskNotFound,
    describe_os_error,
)


class Problem(NamedTuple):
    """Why a file cannot be had here."""

    why: str
    """The end of a sentence."""
    remedy: str


FETCHES_AT_ONCE: Final = 4
"""Files that are fetched anew at the same time; others wait."""
RETRY_SECONDS: Final = 30.0
"""Seconds after an attempt that failed until a caller causes the next one."""
MANY: Final = 1_000
"""Attempts that have failed from which on the older ones are forgotten."""

_AGAIN: Final = "Make the same call again in half a minute"
_SHARE: Final = (
    "Tell the user that the file is on the server that stored it: the operator can have the servers"
    " share the output folder"
)
_COMING: Final = Problem("and is being fetched now", "Make the same call again in ten seconds")
_INTERRUPTED: Final = Problem("and this server is stopping", _AGAIN)
_FILM: Final = Problem(
    "and a film is on the server alone that joined it",
    "join_videos with the same parts makes it again",
)
_TOO_OLD: Final = Problem(
    "and it is older than files are kept here (GEEKAI_KEEP_DAYS)", "It cannot be had any more"
)
_ENDED: Final = Problem("and its link has ended, so that it cannot be fetched anew", _SHARE)
_OTHER: Final = Problem("and what its link gives now is another file", _SHARE)


@dataclass(eq=False)
class _Fetch:
    """One attempt, which every caller who needs the file waits for."""

    done: anyio.Event = field(default_factory=anyio.Event)
    ended_at: float = 0.0
    path: str | None = None
    problem: Problem | None = None

    def may_be_repeated(self) -> bool:
        """Whether it has failed, and long enough ago."""
        return self.done.is_set() and anyio.current_time() - self.ended_at >= RETRY_SECONDS


class LocalFiles:
    """Finds the files of one engine's tasks on this machine, and fetches what is missing."""

    def __init__(self, context: EngineContext, *, start: Callable[..., None]) -> None:
        self._context = context
        self._start = start
        self._fetches: dict[str, _Fetch] = {}
        """The attempts that go on, and those that failed a moment ago, by task."""
        self._turns = anyio.Semaphore(FETCHES_AT_ONCE)

    async def locate(self, task: Task, *, wait_seconds: float) -> Task:
        """See `Engine.locate_file`."""
        copies = self._context.copies
        if copies is None or task.file_status is not FileStatus.STORED:
            return task
        path = await anyio.to_thread.run_sync(copies.find, task)
        if path is None:
            path = await self._fetch_or_join(task, copies, wait_seconds)
        return task if path == task.file_path else replace(task, file_path=path)

    async def _fetch_or_join(self, task: Task, copies: FileCopies, wait_seconds: float) -> str:
        if (problem := self._find_obstacle(task)) is not None:
            raise FileElsewhere(short_id(task.id), *problem)
        fetch = self._fetches.get(task.id)
        if fetch is None or fetch.may_be_repeated():
            self._forget_failed()
            fetch = self._fetches[task.id] = _Fetch()
            self._start(self._fetch, task, copies, fetch)
        with anyio.move_on_after(wait_seconds):
            await fetch.done.wait()
        if fetch.problem is not None:
            raise FileElsewhere(short_id(task.id), *fetch.problem)
        if fetch.path is None:
            raise FileElsewhere(short_id(task.id), *_COMING, passing=True)
        return fetch.path

    def _find_obstacle(self, task: Task) -> Problem | None:
        """Why there is no point in asking."""
        if task.media is Media.FILM:
            return _FILM
        keep_days, age = self._context.keep_days, self._context.clock() - (task.ended_at or 0.0)
        return _TOO_OLD if keep_days is not None and age > keep_days * DAY else None

    def _forget_failed(self) -> None:
        if len(self._fetches) >= MANY:
            self._fetches = {
                task_id: each
                for task_id, each in self._fetches.items()
                if not each.may_be_repeated()
            }

    async def _fetch(self, task: Task, copies: FileCopies, fetch: _Fetch) -> None:
        fetch.problem = _INTERRUPTED
        try:
            async with self._turns:
                fetch.path, fetch.problem = await self._fetch_copy(task, copies)
        finally:
            fetch.ended_at = anyio.current_time()
            fetch.done.set()
            if fetch.problem is None:
                del self._fetches[task.id]

    async def _fetch_copy(
        self, task: Task, copies: FileCopies
    ) -> tuple[str | None, Problem | None]:
        """The path of the copy, or why there is none."""
        try:
            await anyio.to_thread.run_sync(copies.prepare_folder)
            await anyio.to_thread.run_sync(copies.discard_fetched, short_id(task.id))
            update = await self._download(task)
        except (DownloadFailed, ServiceUnavailable) as exc:
            reason = exc.reason
        except GeekAIVideoError as exc:
            reason = exc.message
        except OSError as exc:
            reason = describe_os_error(exc)
        except Exception as exc:  # noqa: BLE001 - the reason goes to the caller
            log_exception(self._fetch_copy, exc)
            reason = describe_exception(exc)
        else:
            if update.path is None:
                return None, _ENDED
            if task.file_sha256 in {None, update.sha256}:
                return update.path, None
            await anyio.to_thread.run_sync(copies.discard_fetched, short_id(task.id))
            return None, _OTHER
        return None, Problem(f"and could not be fetched anew: {reason.rstrip('.')}", _AGAIN)

    async def _download(self, task: Task) -> FileUpdate:
        connections = await self._context.get_connections()
        assert connections.copier is not None  # noqa: S101 - made with the downloader
        update = await connections.copier.download(task)
        if update.status is FileStatus.LOST and task.account == self._context.account:
            with suppress(TaskNotFound):
                answer = await self._context.poll_now(task.media, str(task.provider_task_id))
                newer = replace(task, result=answer.result or task.result)
                return await connections.copier.download(newer)
        return update
