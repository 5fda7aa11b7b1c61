"""What is wrong with an argument, in our own words: never the names of types or classes. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from geekai_video_mcp.quoting import quote_unless_id

_WORDS: Final = {
    "string": "must be text",
    "int": "must be a whole number",
    "float": "must be a number",
    "bool": "must be true or false",
    "list": "must be a list",
    "tuple": "must be a list",
    "dict": "must be an object",
    "mapping": "must be an object",
    "model": "must be an object",
}
"""By the beginning of pydantic's name for the error."""
_BOUNDS: Final = {
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "too_long": "has too many members; at most {max_length} are taken",
    "too_short": "must have {min_length} members or more",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have {min_length} characters or more",
}
"""By pydantic's name for the error, with its names for the bounds."""


def describe_error(loc: tuple[int | str, ...], kind: str, context: Mapping[str, Any]) -> str:
    """One of pydantic's errors in a phrase that begins with the argument's name."""
    where = quote_unless_id(".".join(map(str, loc)), limit=64) if loc else ""
    if kind == "missing":
        return f"{where} is required"
    problem = _describe_problem(kind, context)
    return f"{where}: {problem}" if where else problem


def _describe_problem(kind: str, context: Mapping[str, Any]) -> str:
    if kind == "value_error":
        return str(context["error"])
    if kind in {"literal_error", "enum"}:
        words = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        return f"must be one of {words}"
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**context)
    return _WORDS.get(kind.partition("_")[0], "has a value of the wrong kind")
