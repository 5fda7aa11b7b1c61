"""The ids of tasks: 128 random bits as hex digits, of which people and models read the first eight.

Pure. That no two tasks of one ledger begin alike is checked by the ledger, which alone knows them.
"""

import re
import secrets
from collections.abc import Sequence
from typing import Final

SHORT_ID_LENGTH: Final = 8
"""Digits of an id that are shown in text."""
MIN_DIGITS: Final = 6
"""Digits of an id that are enough to read a task, if no other task begins with them."""
MIN_DIGITS_TO_SPEND: Final = 8
"""Digits that name a task in a call that may cost money: a mistake would be paid for."""

_ID_LENGTH: Final = 32
_NUMBER_DIGITS: Final = frozenset("0123456789e")
_PREFIX: Final = re.compile(rf"[0-9a-f]{{{MIN_DIGITS},{_ID_LENGTH}}}")
_WORD: Final = re.compile(r"[A-Za-z_.:|=+@~-]{,31}")
"""GeekAI's ids are UUIDs, and gateways have others: a short text without a digit is none."""


class ShortIdTaken(Exception):
    """The id of a new task begins like that of another, so a short id would mean both of them."""


def new_task_id() -> str:
    """An unguessable id, whose first digits nothing takes for a number.

    They hold a letter other than e: a program that reads 12345678 or 12e45678 as a number would
    write it back as 1.2345678e7, or as infinity.
    """
    while True:
        task_id = secrets.token_hex(_ID_LENGTH // 2)
        if not _NUMBER_DIGITS.issuperset(short_id(task_id)):
            return task_id


def short_id(task_id: str) -> str:
    """The first digits of the id, which are shown in text."""
    return task_id[:SHORT_ID_LENGTH]


def shorten_ids(ids: Sequence[str]) -> list[str]:
    """The first digits of each id, as many as distinguish these ids, and eight at least."""
    length = SHORT_ID_LENGTH
    while len({each[:length] for each in ids}) < len(set(ids)):
        length += 1
    return [each[:length] for each in ids]


def id_prefix(text: str) -> str | None:
    """The digits that *text* gives of an id of ours; None if it can be no beginning of one."""
    digits = text.strip().lower()
    return digits if _PREFIX.fullmatch(digits) else None


def may_be_provider_id(text: str) -> bool:
    """Whether the service could know a task of this id; "latest" and "undefined" it cannot."""
    plain = text.isascii() and text.isprintable() and not re.search(r"[\s<>{}$]", text)
    return plain and not _WORD.fullmatch(text)
