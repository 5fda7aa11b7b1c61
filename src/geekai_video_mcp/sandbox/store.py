"""Tasks on disk: a folder for each, shared by every server process of this user.

A task exists once its folder has its final name, and it has been charged by then.
`books.lock` is held while tasks are added or removed; whoever renders holds
`render.lock` and is the only one to change a task that exists. report.json, which the
render child writes last, is the proof that a task is done, whatever task.json says.
"""

from __future__ import annotations

import contextlib
import shutil
import time
import uuid
from collections.abc import Callable, Generator, Mapping
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
"""Where an answer has its results: in `video_result`, an object or an array, or in `data`,
which pictures have. A process of 0.1.0 knows no pictures: a record with that word is none
to it, so that of two in one folder the newer renders it."""

Media = Literal["video", "image"]

IMAGE_TYPES: Final = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
MAX_IMAGES: Final = 4
"""Of one request. GeekAI documents `n` and no limit; four fill a sheet, and a second."""

RESULT_TYPES: Final = {
    "video.mp4": "video/mp4",
    "cover.jpg": "image/jpeg",
    "last-frame.png": "image/png",
} | {
    f"picture-{number}.{suffix}": content_type
    for number in range(1, MAX_IMAGES + 1)
    for suffix, content_type in IMAGE_TYPES.items()
}
"""The files of a task that may be fetched, with their content types."""


class Report(BaseModel):
    """The part of report.json that answers need.

    `bytes` is the size of video.mp4, or of all `pictures`, which are named in order;
    they have no `fps` and no `seconds`.
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
    """Why a task failed, in GeekAI's two fields."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str


STORED_KEYS: Final = {"failed_attempts": "deaths"}
"""Keys of task.json that are not the field's name: servers of different versions share a folder."""


class Task(BaseModel):
    """task.json. Times are Unix seconds, UTC.

    `number` counts the charges before it, so it orders tasks without a clock;
    `failed_attempts` counts render children that this task outlived; `progress` is the child's
    last word, kept in a file of its own. `inline` pictures are in the answer themselves,
    in base64.
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
    """What a new task is made of: its first record, and the files beside it."""

    build: Callable[[str, int], Task]
    files: Mapping[str, bytes]


class Store:
    """Every call may block on the disk, and may raise OSError."""

    def __init__(self, folder: Path, *, keep_finished: int) -> None:
        self._folder = folder
        self._tasks = folder / "tasks"
        self._pruned_path = folder / "pruned.json"
        self._keep_finished = keep_finished
        # A finished task never changes again, so it is read once.
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
        """Charge for a new task and make it, durably, in one step.

        *check_limits* sees the number of charges so far and the unfinished tasks; what it
        raises leaves nothing behind. Calls from any number of processes take turns.
        """
        ensure_private_folder(self._folder)
        ensure_private_folder(self._tasks)
        with self._locked():
            charged = len(self.charges())
            check_limits(charged, self.list_unfinished())
            task = new_task.build(str(uuid.uuid4()), charged)
            staged = self._tasks / f".new-{task.id}"
            staged.mkdir(mode=PRIVATE_FOLDER)
            try:
                for name, content in new_task.files.items():
                    write_durably(staged / name, content)
                write_durably(staged / "task.json", task.model_dump_json().encode())
                staged.rename(self.task_folder(task.id))
            except BaseException:
                shutil.rmtree(staged, ignore_errors=True)
                raise
            sync_folder(self._tasks)
        return task

    def load_task(self, task_id: str) -> Task | None:
        """The task as it is now; None when there is none."""
        if not is_task_id(task_id):
            return None
        folder = self.task_folder(task_id)
        # Asked once: another thread may be pruning it between two questions.
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
        """*task* as succeeded, if the proof is there: its report, and its results whole."""
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
        """Record a change. Only for whoever holds the render lock."""
        write_durably(self.task_folder(task.id) / "task.json", task.model_dump_json().encode())

    def save_progress(self, task_id: str, progress: float) -> None:
        write_best_effort(self.task_folder(task_id) / "progress", f"{progress:.4f}".encode())

    def list_tasks(self) -> list[Task]:
        """Every task, in the order in which they were accepted."""
        try:
            names = [path.name for path in self._tasks.iterdir()]
        except FileNotFoundError:
            return []
        tasks = [task for name in names if (task := self.load_task(name)) is not None]
        return sorted(tasks, key=lambda task: task.number)

    def list_unfinished(self) -> list[Task]:
        return [task for task in self.list_tasks() if not task.finished]

    def list_unrecorded(self) -> list[Task]:
        """Tasks that still need the worker: to be rendered, or to be written down as done.

        The second kind is left by a child that finished while its parent died.
        """
        return [task for task in self.list_tasks() if task.id not in self._finished]

    def result_path(self, task_id: str, name: str) -> Path | None:
        """Where a file of a finished task is; None unless both names are known ones."""
        if name not in RESULT_TYPES:
            return None
        task = self.load_task(task_id)
        if task is None or task.status != "succeed":
            return None
        path = self.task_folder(task_id) / name
        return path if path.is_file() else None

    def charges(self) -> list[Charge]:
        """Every charge ever made in this folder, oldest first, those of pruned tasks before."""
        charges = {task_id: Charge(task_id, "", at) for task_id, at in self._pruned_charges()}
        charges |= {
            task.id: Charge(task.id, task.prompt, task.charged_at) for task in self.list_tasks()
        }
        return list(charges.values())

    def prune(self) -> None:
        """Remove the oldest finished tasks above the limit; their charges stay known."""
        finished = sorted(
            (task for task in self.list_tasks() if task.finished),
            key=lambda task: task.finished_at or 0.0,
        )
        surplus = finished[: max(0, len(finished) - self._keep_finished)]
        if not surplus:
            return
        with self._locked():
            # Two processes may have chosen the same tasks; a dict counts each once.
            charged_at = dict(self._pruned_charges())
            charged_at |= {task.id: task.charged_at for task in surplus}
            write_durably(
                self._pruned_path, PrunedCharges(charged_at=charged_at).model_dump_json().encode()
            )
            for task in surplus:
                self._remove_task(task.id)

    def _remove_task(self, task_id: str) -> None:
        # Renamed first: a task is there with all its files, or not at all.
        trash = self._tasks / f".gone-{task_id}"
        with contextlib.suppress(OSError):
            self.task_folder(task_id).rename(trash)
            self._finished.pop(task_id, None)
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
            # Whoever holds the lock is alone, so a half-made folder is a dead process's.
            for leftover in self._tasks.glob(".*-*"):
                shutil.rmtree(leftover, ignore_errors=True)
            yield


class PrunedCharges(BaseModel):
    """pruned.json: when each task that is no longer here was charged."""

    charged_at: dict[str, float]


def is_task_id(text: str) -> bool:
    """Whether *text* is spelt as this sandbox spells its ids; nothing else reaches the disk."""
    try:
        parsed = uuid.UUID(text)
    except ValueError:
        return False
    return parsed.version == 4 and str(parsed) == text  # noqa: PLR2004 - uuid4


def unix_time() -> float:
    """Unix seconds, UTC. For people and estimates; no decision rests on it."""
    return time.time()


def _read_progress(folder: Path) -> float:
    try:
        return min(max(float((folder / "progress").read_text("ascii")), 0.0), 1.0)
    except (FileNotFoundError, ValueError):
        return 0.0
