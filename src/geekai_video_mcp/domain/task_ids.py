"""The ids of tasks: 128 random bits as hex digits, of which people and models read the first eight.

Pure. That no two tasks of one ledger begin alike is checked by the ledger, which alone knows them.
"""

import secrets
from typing import Final

SHORT_ID_LENGTH: Final = 8
"""Digits of an id that are shown in text."""


def short_id(task_id: str) -> str:
    """The first digits of the id, which are shown in text."""
    return task_id[:SHORT_ID_LENGTH]


def new_task_id() -> str:
    """An unguessable id, whose first digits nothing takes for a number.

    They hold a letter other than e: a program that reads 12345678 or 12e45678 as a number would
    write it back as 1.2345678e7, or as infinity.
    """
    while True:
        task_id = secrets.token_hex(16)
        if not _NUMBER_DIGITS.issuperset(short_id(task_id)):
            return task_id


_NUMBER_DIGITS: Final = frozenset("0123456789e")
