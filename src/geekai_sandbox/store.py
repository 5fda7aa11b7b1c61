"""Tasks on disk: one folder per task, shared by every server process of this user.

A task exists, and has been charged, once its folder has its final name. `books.lock` is
held while tasks are added or removed. Only the process that holds `render.lock` renders,
and only it changes an existing task. report.json, which the render child writes last,
proves that a task is done, whatever task.json says.
"""

from __future__ import annotations

import contextlib
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from .files import (
    PRIVATE_FOLDER,
    ensure_private_folder,
    locked,
    sync_folder,
    write_best_effort,
    write_durably,
)

Status = Literal["pending", "running", "succeed", "failed"]
Shape = Literal["object", "array", "data"]
"""Where a response has its results: in `video_result`, as an object or an array, or in
`data`, for images. Version 0.1.0 does not support images and skips a record with "data",
so that of two processes on one folder the newer one renders it."""

Media = Literal["video", "image"]

IMAGE_TYPES: Final = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
MAX_IMAGES: Final = 4
"""Most images of one request. GeekAI documents `n` without a limit; four take a second."""

RESULT_TYPES: Final = {
    "video.mp4": "video/mp4",
    "cover.jpg": "image/jpeg",
    "last-frame.png": "image/png",
} | {
    f"picture-{number}.{suffix}": content_type
    for number in range(1, MAX_IMAGES + 1)
    for suffix, content_type in IMAGE_TYPES.items()
}
"""The files of a task that may be downloaded, with their content types."""


class Report(BaseModel):
    """The part of report.json that responses need.

    `bytes` is the size of video.mp4, or the total of all `pictures`, which have the file
    names in order; images have no `fps` and no `seconds`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    width: int
    height: int
    fps: float = 0.0
    seconds: float = 0.0
    bytes: int
    pictures: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


class TaskError(BaseModel):
    """Why a task failed, as GeekAI's `error` object."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str


STORED_KEYS: Final = {"failed_attempts": "deaths"}
"""Keys of task.json that differ from the field: servers of several versions share a folder."""


class Task(BaseModel):
    """task.json. Times are Unix seconds, UTC.

    `number` is the number of earlier charges, so it orders tasks without a clock.
    `failed_attempts` counts render children that ended without a result. `progress` is the
    last value that the child reported, stored in a file of its own. With `inline` the
    response contains the images themselves, in base64. `take` counts the earlier tasks with the
    same `fingerprint`, which asked for the same.
    """

    model_config = ConfigDict(
        frozen=True,
        alias_generator=lambda field: STORED_KEYS.get(field, field),
        validate_by_name=True,
        serialize_by_alias=True,
    )

    id: str
    number: int
    model: str
    prompt: str
    charged_at: float
    shape: Shape
    status: Status = "pending"
    expected_seconds: float
    last_frame: bool = False
    inline: bool = False
    fingerprint: str | None = None
    take: int = 0
    ignored: tuple[str, ...] = ()
    failed_attempts: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    error: TaskError | None = None
    report: Report | None = None
    progress: float = 0.0

    @property
    def finished(self) -> bool:
        return self.status in ("succeed", "failed")

    @property
    def media(self) -> Media:
        return "image" if self.shape == "data" else "video"


class Charge(NamedTuple):
    """One accepted request. `prompt` is empty once the task has been pruned."""

    task_id: str
    prompt: str
    charged_at: float


class NewTask(NamedTuple):
    """A task to create: `build(id, number)` returns its first record.

    Tasks with the same `fingerprint` ask for the same; `make_files(take)` returns the inputs of
    one of them, *take* counting from 0.
    """

    build: Callable[[str, int], Task]
    fingerprint: str
    make_files: Callable[[int], Mapping[str, bytes]]


class Store:
    """Every call may block on the disk, and may raise OSError."""

    def __init__(self, folder: Path, *, keep_finished: int) -> None:
        self._folder = folder
        self._tasks = folder / "tasks"
        self._pruned_path = folder / "pruned.json"
        self._keep_finished = keep_finished
        # A finished task never changes again, so it is read only once.
        self._finished: dict[str, Task] = {}

    @property
    def render_lock_path(self) -> Path:
        ensure_private_folder(self._folder)
        return self._folder / "render.lock"

    def task_folder(self, task_id: str) -> Path:
        return self._tasks / task_id

    def create_task(
        self, new_task: NewTask, check_limits: Callable[[int, list[Task]], None]
    ) -> Task:
        """Charge for a new task and create it, durably, in one step.

        *check_limits* gets the number of charges so far and the unfinished tasks; if it
        raises, nothing is created. Calls from several processes are serialised.
        """
        ensure_private_folder(self._folder)
        ensure_private_folder(self._tasks)
        with self._locked():
            charged = len(self.charges())
            check_limits(charged, self.list_unfinished())
            take = self._next_take(new_task.fingerprint)
            task = new_task.build(str(uuid.uuid4()), charged).model_copy(
                update={"fingerprint": new_task.fingerprint, "take": take}
            )
            staged = self._tasks / f".new-{task.id}"
            staged.mkdir(mode=PRIVATE_FOLDER)
            try:
                for name, content in new_task.make_files(take).items():
                    write_durably(staged / name, content)
                write_durably(staged / "task.json", task.model_dump_json().encode())
                staged.rename(self.task_folder(task.id))
            except BaseException:
                shutil.rmtree(staged, ignore_errors=True)
                raise
            sync_folder(self._tasks)
        return task

    def _next_take(self, fingerprint: str) -> int:
        """Return one more than the last take of the same request among the tasks that are kept."""
        takes = (task.take for task in self.list_tasks() if task.fingerprint == fingerprint)
        return max(takes, default=-1) + 1

    def load_task(self, task_id: str) -> Task | None:
        """Return the current state of the task; None if it does not exist."""
        if not is_task_id(task_id):
            return None
        folder = self.task_folder(task_id)
        # Read once: another thread may prune the task between two lookups.
        cached = self._finished.get(task_id)
        if cached is not None and folder.exists():
            return cached
        self._finished.pop(task_id, None)
        try:
            task = Task.model_validate_json((folder / "task.json").read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValidationError):
            return None
        if task.finished:
            self._finished[task_id] = task
            return task
        finished = self._task_from_report(task)
        return finished or task.model_copy(update={"progress": _read_progress(folder)})

    def _task_from_report(self, task: Task) -> Task | None:
        """Return *task* as succeeded if it has a report and complete result files, else None."""
        folder = self.task_folder(task.id)
        try:
            report = Report.model_validate_json((folder / "report.json").read_bytes())
            names = report.pictures or ("video.mp4",)
            size_bytes = sum((folder / name).stat().st_size for name in names)
            finished_at = (folder / "report.json").stat().st_mtime
        except (FileNotFoundError, ValidationError):
            return None
        if size_bytes != report.bytes:
            return None
        return task.model_copy(
            update={"status": "succeed", "report": report, "finished_at": finished_at}
        )

    def save_task(self, task: Task) -> None:
        """Store a changed task. The caller must hold the render lock."""
        write_durably(self.task_folder(task.id) / "task.json", task.model_dump_json().encode())

    def save_progress(self, task_id: str, progress: float) -> None:
        write_best_effort(self.task_folder(task_id) / "progress", f"{progress:.4f}".encode())

    def list_tasks(self) -> list[Task]:
        """Return every task, in the order in which they were accepted."""
        try:
            names = [path.name for path in self._tasks.iterdir()]
        except FileNotFoundError:
            return []
        tasks = [task for name in names if (task := self.load_task(name)) is not None]
        return sorted(tasks, key=lambda task: task.number)

    def list_unfinished(self) -> list[Task]:
        return [task for task in self.list_tasks() if not task.finished]

    def list_unrecorded(self) -> list[Task]:
        """Return the tasks that the worker must still render, or record as finished.

        The latter are those whose child finished after its parent had died.
        """
        return [task for task in self.list_tasks() if task.id not in self._finished]

    def result_path(self, task_id: str, name: str) -> Path | None:
        """Return the path of a result of a succeeded task; None if there is no such file."""
        if name not in RESULT_TYPES:
            return None
        task = self.load_task(task_id)
        if task is None or task.status != "succeed":
            return None
        path = self.task_folder(task_id) / name
        return path if path.is_file() else None

    def charges(self) -> list[Charge]:
        """Return every charge ever made in this folder: pruned tasks first, then oldest first."""
        charges = {task_id: Charge(task_id, "", at) for task_id, at in self._pruned_charges()}
        charges |= {
            task.id: Charge(task.id, task.prompt, task.charged_at) for task in self.list_tasks()
        }
        return list(charges.values())

    def prune(self) -> None:
        """Remove the oldest finished tasks above the limit; their charges are kept."""
        finished = sorted(
            (task for task in self.list_tasks() if task.finished),
            key=lambda task: task.finished_at or 0.0,
        )
        surplus = finished[: max(0, len(finished) - self._keep_finished)]
        self._remove(surplus)

    def remove_finished(self, task_ids: Collection[str]) -> None:
        """Remove those of these tasks that are finished; their charges are kept."""
        found = [task for task_id in task_ids if (task := self.load_task(task_id)) is not None]
        self._remove([task for task in found if task.finished])

    def _remove(self, tasks: Sequence[Task]) -> None:
        if not tasks:
            return
        with self._locked():
            # Two processes may prune the same tasks; a dict counts each once.
            charged_at = dict(self._pruned_charges())
            charged_at |= {task.id: task.charged_at for task in tasks}
            write_durably(
                self._pruned_path, PrunedCharges(charged_at=charged_at).model_dump_json().encode()
            )
            for task in tasks:
                # Renamed first, so that a task exists with all its files or not at all.
                trash = self._tasks / f".gone-{task.id}"
                with contextlib.suppress(OSError):
                    self.task_folder(task.id).rename(trash)
                    self._finished.pop(task.id, None)
                shutil.rmtree(trash, ignore_errors=True)

    def _pruned_charges(self) -> list[tuple[str, float]]:
        try:
            pruned = PrunedCharges.model_validate_json(self._pruned_path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return []
        return list(pruned.charged_at.items())

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        with locked(self._folder / "books.lock"):
            # No other process holds the lock, so a temporary folder is from one that died.
            for leftover in self._tasks.glob(".*-*"):
                shutil.rmtree(leftover, ignore_errors=True)
            yield


class PrunedCharges(BaseModel):
    """pruned.json: the time of the charge of each task that was removed."""

    charged_at: dict[str, float]


def is_task_id(text: str) -> bool:
    """Return whether *text* has the form of a task id; nothing else is used as a path."""
    try:
        parsed = uuid.UUID(text)
    except ValueError:
        return False
    return parsed.version == 4 and str(parsed) == text  # noqa: PLR2004 - uuid4


def unix_time() -> float:
    """Return Unix seconds, UTC. For display and estimates only; no decision depends on it."""
    return time.time()


def _read_progress(folder: Path) -> float:
    try:
        return min(max(float((folder / "progress").read_text("ascii")), 0.0), 1.0)
    except (FileNotFoundError, ValueError):
        return 0.0
