"""Films: recorded, joined in the background, and joined again by whoever lives if that ends.

Joining is local and free, so nothing here asks a service or says anything about money. A film is
joined in the engine's own task group: a call only waits for it. What a film is made of stands in
its row, so that any process can make it; the claim on its next attempt goes to one of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import anyio
import anyio.to_thread

from geekai_video_mcp.domain import film_checks
from geekai_video_mcp.domain.film_checks import PartProblem
from geekai_video_mcp.domain.films import (
    LOCAL_ACCOUNT,
    FilmPart,
    advance_film,
    film_parts,
    is_preview,
    new_film,
)
from geekai_video_mcp.domain.media_refs import RefKind, ref_kind, task_id
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.storage import StorageUse, check_quota
from geekai_video_mcp.domain.task_ids import ShortIdTaken, new_task_id
from geekai_video_mcp.domain.tasks import (
    Media,
    Observation,
    Task,
)
from geekai_video_mcp.engine.context import EngineContext, JoinedParts, JoinPlan, PlannedPart
from geekai_video_mcp.engine.exceptions import describe_exception, log_exception
from geekai_video_mcp.engine.local_files import LocalFiles
from geekai_video_mcp.errors import (
    BUSY,
    DATABASE,
    FileElsewhere,
    GeekAIVideoError,
    RequestRefused,
    StorageUnavailable,
    TaskNotFound,
)

RECORD_TIMEOUT: Final = 12.0
"""Seconds that a call waits for its film to be recorded while another process holds the ledger."""
FILE_WAIT_SECONDS: Final = 8.0
"""Seconds that each part is waited for, if another machine has stored it."""
RECORD_RETRY_DELAY: Final = 5.0
"""Seconds between attempts to record that a film is finished, on a disk that fails."""
MAX_ATTEMPTS: Final = 20
"""Attempts at one film: each but the last ended with its process, and one of them may be why."""
MAX_DEPTH: Final = 8
"""Films within films that are asked for the prompt of their first shot."""


class FilmResult(NamedTuple):
    """What became of a request for a film."""

    film: Task
    deduplicated: bool
    """Whether it was made before of the same parts, or is being made."""
    notes: Sequence[str]
    """What has to be said about the call, a sentence each."""


class _FoundPart(NamedTuple):
    """A part whose video is on this machine."""

    part: FilmPart
    """With the task's whole id."""
    task: Task
    size: int
    """Bytes of its file, which tell one content from another."""


class _FoundSound(NamedTuple):
    """The sound that replaces that of the parts; without a path there is none."""

    reference: str | None = None
    """The path, or `task:ID` with the whole id, as the film records it."""
    path: str | None = None
    version: Sequence[int] = ()
    """What tells one content from another."""
    preview: bool = False


@dataclass
class _PendingFilm:
    """A film that is being recorded, and what its caller waits for."""

    recorded: anyio.Event = field(default_factory=anyio.Event)
    chosen: Task | None = None
    deduplicated: bool = False
    error: GeekAIVideoError | None = None


class FilmMaker:
    """Makes the films of this process."""

    def __init__(
        self, context: EngineContext, local_files: LocalFiles, *, start: Callable[..., None]
    ) -> None:
        self._context = context
        self._local_files = local_files
        self._start = start
        self._shares = context.work.film_shares

    def share_done(self, film_id: str) -> float | None:
        """The share of the film that is done, 0 to 1; None if this process does not make it."""
        return self._shares.get(film_id)

    async def make_film(self, parts: Sequence[FilmPart], audio: str | None) -> FilmResult:
        """See `Engine.make_film`."""
        found = await self._find_parts(parts)
        sound = await self._find_sound(audio)
        kept, notes = film_checks.fit_to_lengths([(each.part, each.task) for each in found])
        film = new_film(
            kept,
            sound.reference,
            preview=sound.preview or any(is_preview(each.task) for each in found),
            version=[*(each.size for each in found), *sound.version],
            owner=self._context.processes.own_id,
            tenant=self._context.tenant,
            at=self._context.clock(),
        )
        pending = _PendingFilm()
        self._start(self._record_and_make, film, pending)
        with anyio.move_on_after(RECORD_TIMEOUT):
            await pending.recorded.wait()
        if pending.error is not None:
            raise pending.error
        if pending.chosen is None:
            raise StorageUnavailable(DATABASE, BUSY)
        return FilmResult(pending.chosen, pending.deduplicated, notes)

    async def resume_orphans(self) -> None:
        """Make every film whose process has ended before it was finished."""
        for film in await self._context.ledger.unfinished(LOCAL_ACCOUNT):
            self.resume_orphan(film)

    def resume_orphan(self, film: Task) -> None:
        """Make this film if it is not finished and no live process makes it."""
        processes = self._context.processes
        alive = film.owner not in {None, processes.own_id} and processes.is_alive(str(film.owner))
        if not film.settled and film.id not in self._shares and not alive:
            self._shares[film.id] = 0.0  # at once: another engine may look as well
            self._start(self._make, film)

    async def _find_parts(self, parts: Sequence[FilmPart]) -> list[_FoundPart]:
        """Each part with its task, whose video is on this machine.

        Raises:
            RequestRefused: with a sentence for each part that cannot be joined.
        """
        found, problems = list[_FoundPart](), list[PartProblem]()
        for number, part in enumerate(parts, 1):
            name = film_checks.name_part(number, part)
            one = await self._find_part(part, name)
            problems += [one] if isinstance(one, PartProblem) else []
            found += [one] if isinstance(one, _FoundPart) else []
        if problems:
            raise film_checks.refuse_parts(problems)
        return found

    async def _find_part(self, part: FilmPart, name: str) -> _FoundPart | PartProblem:
        try:
            task = await self._context.ledger.find_by_any_id(part.task_id)
        except TaskNotFound as exc:
            return PartProblem(f"{name}: {exc.problem or exc.message}")
        if task is None:
            return film_checks.unknown_task(name)
        if problem := film_checks.find_part_problem(name, part, task):
            return problem
        try:
            task = await self._local_files.locate(task, wait_seconds=FILE_WAIT_SECONDS)
        except FileElsewhere as exc:
            return PartProblem(f"{name}: {exc.message}")
        size = await anyio.to_thread.run_sync(_file_size, task)
        if size is None:
            return film_checks.missing_file(name, task)
        return _FoundPart(replace(part, task_id=task.id), task, size)

    async def _find_sound(self, audio: str | None) -> _FoundSound:
        """The sound that replaces that of the parts.

        Raises:
            RequestRefused: it cannot be used.
        """
        if audio is None:
            return _FoundSound()
        if ref_kind(audio) is not RefKind.TASK:
            try:
                status = await anyio.to_thread.run_sync(Path(audio).stat)
            except OSError:
                msg = "audio: there is no such file any more"
                raise RequestRefused(msg, money=None) from None
            return _FoundSound(audio, audio, (status.st_size, status.st_mtime_ns))
        found = await self._find_part(FilmPart(task_id=str(task_id(audio))), film_checks.SOUND)
        if isinstance(found, _FoundPart) and (silent := film_checks.find_silence(found.task)):
            found = silent
        if isinstance(found, PartProblem):
            raise film_checks.refuse_parts([found])
        task = found.task
        path, reference = str(task.file_path), f"task:{task.id}"
        return _FoundSound(reference, path, (found.size,), preview=is_preview(task))

    async def _record_and_make(self, film: Task, pending: _PendingFilm) -> None:
        try:
            storage = await self._context.ledger.storage_use(self._context.quota_bytes)
            while True:
                self._shares[film.id] = 0.0  # so that no sweep takes it for one that was left
                choose = partial(_choose_film, film, storage=storage, has_file=self._has_file)
                try:
                    pending.chosen = await self._context.ledger.add_film(film, choose)
                    break
                except ShortIdTaken:
                    self._shares.pop(film.id)
                    film = replace(film, id=new_task_id())
            pending.deduplicated = pending.chosen is not film
        except GeekAIVideoError as exc:
            pending.error = exc
        finally:
            pending.recorded.set()
            if pending.chosen is not film:
                self._shares.pop(film.id, None)
        if pending.chosen is film:
            await self._make(film)

    async def _make(self, film: Task) -> None:
        """Join the film and record what came of it, unless another process does."""
        self._shares[film.id] = 0.0
        try:
            async with self._context.work.film_turn:
                claimed = await self._claim(film)
                if claimed is None:
                    return
                film = claimed
                outcome, joined = await self._join(film)
            # Shielded: the file is there, and the next process would join it once more.
            with anyio.CancelScope(shield=True):
                await self._record(film, outcome, joined)
        finally:
            self._shares.pop(film.id, None)

    async def _claim(self, film: Task) -> Task | None:
        """The film, for this process to make; None if another has it or it has ended."""
        claim = Observation(
            status=Status.RUNNING,
            at=self._context.clock(),
            owner=self._context.processes.own_id,
            attempt=film.attempt + 1,
        )
        before: list[Task] = []

        def take_claim(current: Task) -> Task:
            before.append(current)
            return advance_film(current, claim)

        claimed = await self._context.change(film.id, take_claim)
        return None if claimed is before[-1] else claimed

    async def _join(self, film: Task) -> tuple[Observation, JoinedParts | None]:
        """What came of joining the film, and the film if there is one."""

        def report(share: float) -> None:
            self._shares[film.id] = share

        if film.attempt > MAX_ATTEMPTS:
            msg = f"The process that was joining it has ended {MAX_ATTEMPTS} times."
            return self._failure(film, "interrupted", msg), None
        try:
            joined = await self._context.join_film(await self._plan(film), report)
        except GeekAIVideoError as exc:
            return self._failure(film, str(getattr(exc, "code", "failed")), exc.message), None
        except Exception as exc:  # noqa: BLE001 - or each sweep would meet it
            log_exception(self._join, exc)
            msg = f"This server failed while it joined the film ({describe_exception(exc)})."
            return self._failure(film, "internal", msg), None
        return self._observation(film, Status.SUCCEED), joined

    async def _plan(self, film: Task) -> JoinPlan:
        """Where the parts are now, and how they follow one another."""
        found = await self._find_parts(film_parts(film.request))
        sound = await self._find_sound(film.request.get("audio"))
        parts = [
            PlannedPart(
                path=str(task.file_path),
                start=part.start,
                end=part.end,
                continues=before is not None
                and film_checks.may_continue(part, task, after=before.part, after_task=before.task),
            )
            for (part, task, _), before in zip(found, [None, *found], strict=False)
        ]
        prompt = await self._find_first_prompt(found[0].task)
        return JoinPlan(film=film, parts=parts, audio=sound.path, prompt=prompt)

    async def _find_first_prompt(self, task: Task) -> str:
        """The prompt of the first shot, whose words name the file; empty if there is none."""
        for _ in range(MAX_DEPTH):
            parts = film_parts(task.request) if task.media is Media.FILM else []
            found = await self._context.ledger.find(parts[0].task_id) if parts else None
            if found is None:
                break
            task = found
        return task.prompt

    def _has_file(self, film: Task) -> bool:
        """Whether the film's file is where it was stored, and as long as it was."""
        if film.file_bytes is not None and (copies := self._context.copies) is not None:
            return copies.find(film) is not None
        return film.file_bytes is not None and _file_size(film) == film.file_bytes

    def _observation(self, film: Task, status: Status) -> Observation:
        return Observation(
            status=status, at=self._context.clock(), owner=film.owner, attempt=film.attempt
        )

    def _failure(self, film: Task, code: str, message: str) -> Observation:
        observation = self._observation(film, Status.FAILED)
        return replace(observation, error_code=code, error_message=message)

    async def _record(self, film: Task, outcome: Observation, joined: JoinedParts | None) -> None:
        """Record the outcome; a disk that fails may work again, and the film is not lost by it."""
        record = partial(
            advance_film,
            observation=outcome,
            file=joined.file if joined else None,
            notes=joined.notes if joined else (),
        )
        while True:
            try:
                await self._context.change(film.id, record)
            except StorageUnavailable:
                await anyio.sleep(RECORD_RETRY_DELAY)
            else:
                return


def _choose_film(
    film: Task,
    same: Sequence[Task],
    *,
    storage: StorageUse | None,
    has_file: Callable[[Task], bool],
) -> Task:
    """The film itself, which needs room in the quota, or an earlier one of the same parts."""
    chosen = film_checks.choose_film(film, same, has_file=has_file)
    if chosen is film:
        check_quota(film, storage)
    return chosen


def _file_size(task: Task) -> int | None:
    """The bytes of the task's file as it is now; None if there is none."""
    path = Path(task.file_path or "")
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None
