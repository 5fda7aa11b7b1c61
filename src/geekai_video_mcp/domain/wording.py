"""Lists in sentences. Pure."""

from collections.abc import Sequence


def join_words(values: Sequence[object], conjunction: str = "or") -> str:
    """The values as a list in a sentence: 4, 6 or 8."""
    *others, last = map(str, values or ("",))
    return f"{', '.join(others)} {conjunction} {last}" if others else last
