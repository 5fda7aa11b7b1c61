"""What of a task is exported and added up, as it is stored. Pure.

For all the tasks of a ledger at once: reading them so takes a fraction of the time that it takes
to make a `tasks.Task` of each.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class TaskRecord(NamedTuple):
    """Some fields of a `tasks.Task`, with the same names; members of its enumerations as text."""

    id: str
    request: Mapping[str, Any]
    result: Mapping[str, float]
    """Of its result, the duration alone, if it has one."""
    created_at: float
    account: str
    model: str
    media: str
    price_cny: float | None
    price_source: str | None
    price_read_on: str | None
    status: str
    owner: str | None
    submitted_at: float | None
    provider_task_id: str | None
    error_code: str | None
    ended_at: float | None
    file_path: str | None
    file_bytes: int | None
    file_sha256: str | None
    file_seconds: float | None
    file_width: int | None
    file_height: int | None
    file_fps: float | None
    file_has_sound: int | None
    """1 if it has, 0 if it has not."""
