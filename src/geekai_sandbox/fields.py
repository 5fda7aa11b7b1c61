"""Typed access to a caller's JSON object, with a list of the fields that were not used.

The sandbox accepts every field, also those that GeekAI may add. Fields that it does not
use are reported to the caller as ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from .errors import validation_error

MAX_IGNORED: Final = 50
MAX_NAME_CHARS: Final = 100
"""A request of 48 MiB may consist of field names; the response must not repeat them all."""


class FieldReader:
    """Reads each field once, by type; null is the same as absent."""

    def __init__(self, raw: Mapping[str, object], *, prefix: str = "") -> None:
        if not all(is_unicode(name) for name in raw):
            raise validation_error(
                message="The name of a field contains an unpaired surrogate (invalid Unicode)."
            )
        self._raw = {name: value for name, value in raw.items() if value is not None}
        self._prefix = prefix
        self._unread = dict.fromkeys(self._raw)

    def read_value(self, name: str) -> object | None:
        """Return the field unchanged, or None."""
        self._unread.pop(name, None)
        return self._raw.get(name)

    def read_text(self, name: str) -> str | None:
        """Return the field as a stripped string; an empty one counts as absent."""
        value = self.read_value(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise validation_error(message=f"{self._prefix}{name} must be a string.")
        if not is_unicode(value):
            raise validation_error(
                message=f"{self._prefix}{name} contains an unpaired surrogate (invalid Unicode)."
            )
        return value.strip() or None

    def read_flag(self, name: str) -> bool:
        """Return the field as a boolean; absent means false, GeekAI's default for all of them."""
        value = self.read_value(name)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise validation_error(message=f"{self._prefix}{name} must be true or false.")
        return value

    def read_number(self, name: str) -> float | None:
        """Return the field as a number; a numeric string is accepted too."""
        value = self.read_value(name)
        if value is None:
            return None
        number = parse_number(value)
        if number is None:
            raise validation_error(message=f"{self._prefix}{name} must be a number.")
        return number

    def read_object(self, name: str) -> FieldReader:
        """Return a reader of the object in the field; absent means an empty object."""
        value = self.read_value(name)
        if value is None:
            return FieldReader({}, prefix=f"{self._prefix}{name}.")
        if not isinstance(value, dict):
            raise validation_error(message=f"{self._prefix}{name} must be an object.")
        return FieldReader(cast("dict[str, object]", value), prefix=f"{self._prefix}{name}.")

    def mark_ignored(self, name: str) -> None:
        """Report the field as ignored although it was read."""
        if name in self._raw:
            self._unread[name] = None

    def ignored_names(self) -> list[str]:
        """Return the full names of the fields that had no effect, in the caller's order."""
        names = [name for name in self._raw if name in self._unread]
        return [f"{self._prefix}{name[:MAX_NAME_CHARS]}" for name in names[:MAX_IGNORED]]


def is_unicode(text: str) -> bool:
    """Return whether *text* can be encoded as UTF-8: JSON may contain unpaired surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_number(value: object) -> float | None:
    """Return *value* as a finite number, or None; a boolean is not a number here."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None
