"""The ids of tasks. Pure. Stub until the branch `record` is merged."""

from typing import Final

SHORT_ID: Final = 8
"""Digits of an id that texts show."""


def short_id(task_id: str) -> str:
    """The beginning of an id that texts show."""
    return task_id[:SHORT_ID]
