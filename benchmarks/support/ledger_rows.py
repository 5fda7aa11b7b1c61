"""A ledger with many rows, as years of use leave them.

The rows are tasks of our own, made with the fields that a finished, failed or running one has.
They are written with the statements of `ledger.schema`, all in one transaction: the file is that
of a server, made quickly.
"""

import random
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import repeat
from pathlib import Path
from typing import Any, Final

from geekai_video_mcp.domain.films import LOCAL_ACCOUNT
from geekai_video_mcp.domain.polling import duration_key
from geekai_video_mcp.domain.retries import LINK_TTL
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import Media, Result, Task
from geekai_video_mcp.ledger import conversion, schema
from geekai_video_mcp.ledger.sqlite.database import SqliteDatabase, path_in

ACCOUNT: Final = "https://geekai.co/api/v1#0123456789ab"
"""Of six tasks in ten, and of those that the measured server works on."""
_OTHER_ACCOUNTS: Final = (
    "https://geekai.co/api/v1#ba9876543210",
    "https://geekai.dev/api/v1#0123456789ab",
    "sandbox",
    LOCAL_ACCOUNT,
)
_MODELS: Final = (
    *("cogvideox-flash", "cogvideox-3", "kling-v2-6", "seedance-1-0-pro", "veo3.1"),
    *("hailuo-2.3", "wan2.5-t2v-preview", "vidu-q2"),
)
_SUBJECTS: Final = (
    *("a red fox", "an old fisherman", "two dancers", "a paper boat", "a glass city"),
    *("一只雪地里的狐狸", "外滩的黄昏", "一位老木匠", "穿汉服的少女", "山间的云海"),
)
_ACTIONS: Final = (
    *("walks through deep snow at dawn", "turns towards the camera and smiles"),
    *("drifts slowly under a stone bridge", "缓缓走过石桥，镜头跟随", "在风中回头微笑"),
    *("is seen from above as the light fades", "镜头从远景推近到特写，光线柔和"),
)
_ENDED: Final = (
    *((Status.SUCCEED, FileStatus.STORED, 930), (Status.SUCCEED, FileStatus.LINKED, 15)),
    *((Status.SUCCEED, FileStatus.LOST, 5), (Status.FAILED, FileStatus.NONE, 30)),
    *((Status.REJECTED, FileStatus.NONE, 17), (Status.ABANDONED, FileStatus.NONE, 3)),
)
"""How tasks end, and how many in a thousand."""
IN_FLIGHT: Final = 3
"""Tasks of the account that run, whatever the number of rows: its cap is in the tens."""
UNKNOWN: Final = 2
_WITH_SETTINGS: Final = 0.6
_WITH_PICTURE: Final = 0.4
_WITH_KEY: Final = 0.2
"""Requests in one that have a length and a shape, a picture, and a key."""
_LIFE_SECONDS: Final = 2 * 365 * 24 * 3600.0
"""Two years, over which the tasks are spread evenly."""
_BUSY_SECONDS: Final = 23 * 3600.0
RARE_WORD: Final = "zoetrope"
"""Only the oldest task's prompt has it."""


def fill(state_dir: Path, rows: int, now: float) -> None:
    """Make a ledger in *state_dir*, with so many tasks of the time up to the moment *now*."""
    SqliteDatabase(state_dir)
    with closing(sqlite3.connect(path_in(state_dir), isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=OFF")
        db.execute("PRAGMA synchronous=OFF")
        db.execute("PRAGMA cache_size=-500000")
        db.execute("BEGIN")
        # One by one: an index that is made afterwards has full pages, which the next row splits.
        for task in _tasks(rows, random.Random(16), now):  # noqa: S311 - the same every time
            db.execute(schema.INSERT, conversion.to_row(task))
            db.executemany(schema.INSERT_EVENT, _events(task))
        db.execute("COMMIT")


def make_busy(state_dir: Path, *, now: float) -> None:
    """Move every second task of the account into the day before *now*."""
    with closing(sqlite3.connect(path_in(state_dir), isolation_level=None)) as db:
        first = db.execute("SELECT min(created_at) FROM task").fetchone()[0]
        shrunk = _BUSY_SECONDS / (now - first)
        db.execute(
            "UPDATE task SET created_at = ? - (? - created_at) * ? WHERE service = ? AND rowid % 2",
            (now, now, shrunk, ACCOUNT),
        )


def _tasks(rows: int, rng: random.Random, now: float) -> Iterator[Task]:
    """The tasks in the order in which they were made."""
    accounts = rng.choices((ACCOUNT, *_OTHER_ACCOUNTS), weights=(60, 20, 8, 8, 4), k=rows)
    times = sorted(now - _LIFE_SECONDS * rng.random() for _ in repeat(None, rows))
    live = _live_statuses(rows)
    for number, (at, account) in enumerate(zip(times, accounts, strict=True)):
        status = live.get(number)
        fields = _request(rng, account if status is None else ACCOUNT)
        if number == 0:
            fields["request"] |= {"prompt": f"a {RARE_WORD} turns"}
        fields |= {"id": f"{rng.getrandbits(128):032x}", "created_at": at, "attempt": 1}
        fields |= {
            "owner": f"{rng.getrandbits(32):08x}",
            "fingerprint": f"{rng.getrandbits(256):064x}",
        }
        ending = _in_flight(fields, status) if status is not None else _ended(rng, fields, now)
        yield Task(**{**fields, **ending})


def _live_statuses(rows: int) -> dict[int, Status]:
    """The numbers of those tasks that have not ended: the newest, and some of unknown outcome."""
    running = dict.fromkeys(range(rows - IN_FLIGHT, rows), Status.RUNNING)
    return running | dict.fromkeys(range(rows // 2, rows // 2 + UNKNOWN), Status.UNKNOWN)


def _request(rng: random.Random, account: str) -> dict[str, Any]:
    if account == LOCAL_ACCOUNT:
        parts = [{"task": f"{rng.getrandbits(128):032x}"} for _ in range(rng.randint(2, 5))]
        film = {"request": {"parts": parts}, "media": Media.FILM, "model": ""}
        return {**film, "account": account}
    request: dict[str, Any] = {"model": rng.choice(_MODELS), "prompt": _prompt(rng)}
    if rng.random() < _WITH_SETTINGS:
        request |= {"duration": rng.choice((5, 8, 10)), "aspect_ratio": "16:9"}
    if rng.random() < _WITH_PICTURE:
        request |= {"image": f"https://files.example.com/{rng.getrandbits(96):024x}.png"}
    return {
        "account": account,
        "model": request["model"],
        "request": request,
        "price_cny": rng.choice((0.0, 0.6, 2.8, 5.6, None)),
        "price_source": "docs.geekai.co",
        "price_read_on": "2026-04-25",
        "idempotency_key": f"{rng.getrandbits(64):016x}" if rng.random() < _WITH_KEY else None,
        "duration_key": duration_key(request),
    }


def _prompt(rng: random.Random) -> str:
    """From a line to a page, each another one."""
    count = rng.choice((1, 1, 2, 2, 3, 4, 6, 12))
    sentences = [f"{rng.choice(_SUBJECTS)} {rng.choice(_ACTIONS)}" for _ in repeat(None, count)]
    return f"{', then '.join(sentences)}. Take {rng.randint(1, 9999)}."


def _in_flight(task: Mapping[str, Any], status: Status) -> dict[str, Any]:
    sent_at = task["created_at"] + 0.3
    return {
        "status": status,
        "submitted_at": sent_at,
        "provider_task_id": None if status is Status.UNKNOWN else f"video-{task['id'][:20]}",
        "next_poll_at": sent_at + 30,
        "poll_count": 2,
        "lease_holder": task["owner"],
        "lease_expires_at": sent_at + 90,
    }


def _ended(rng: random.Random, task: Mapping[str, Any], now: float) -> dict[str, Any]:
    ends, weights = [ended[:2] for ended in _ENDED], [ended[2] for ended in _ENDED]
    ((status, file_status),) = rng.choices(ends, weights)
    if file_status is FileStatus.LINKED and now - task["created_at"] < 2 * LINK_TTL:
        file_status = FileStatus.STORED  # a sweep has the same work to do, however many there are
    sent_at, took = task["created_at"] + 0.3, rng.lognormvariate(4.5, 0.6)
    ended: dict[str, Any] = {
        "status": status,
        "file_status": file_status,
        "submitted_at": sent_at,
        "last_polled_at": sent_at + took - 4,
        "ended_at": sent_at + took,
        "delivered_at": sent_at + took + 1,
        "poll_count": rng.randint(3, 20),
        "provider_task_id": None if status is Status.REJECTED else f"video-{task['id'][:20]}",
    }
    if status is not Status.SUCCEED:
        return {**ended, "error_code": "refused", "error_message": "The service refused it."}
    link = f"https://cdn.example.com/{task['id']}.mp4?Expires=1790000000&Signature={task['id'] * 5}"
    ended["result"] = Result(url=link, cover_image_url=link.replace("mp4", "jpg"), duration=5.0)
    if file_status is FileStatus.LINKED:
        code = rng.choice(("unreachable", "not_media"))
        return {**ended, "file_error_code": code, "file_error": "Its host does not answer."}
    return {**ended, **_file(rng, task["id"])} if file_status is FileStatus.STORED else ended


def _file(rng: random.Random, task_id: str) -> dict[str, Any]:
    return {
        "file_path": f"/home/person/Videos/GeekAI/2026-11-26-a-red-fox-{task_id[:8]}.mp4",
        "file_bytes": rng.randint(10**6, 10**8),
        "file_sha256": f"{rng.getrandbits(256):064x}",
        "file_seconds": 5.04,
        "file_width": 1280,
        "file_height": 720,
        "file_fps": 24.0,
        "file_has_sound": rng.choice((True, False)),
    }


def _events(task: Task) -> Iterator[dict[str, Any]]:
    """What its life has left: four to six events of one that has ended."""
    last = conversion.event_fields(task)
    fields = {**last, "file_status": FileStatus.NONE.value, "error_code": None}
    path = [Status.INTENDED, Status.SUBMITTING, Status.PENDING, Status.RUNNING]
    for number, status in enumerate(path):
        yield {**fields, "at": task.created_at + number, "status": status.value}
        if status is task.status:
            return
    yield {**fields, "at": task.ended_at or task.created_at + 5, "status": task.status.value}
    if task.file_status is not FileStatus.NONE:
        yield {**last, "at": (task.ended_at or 0.0) + 5}
