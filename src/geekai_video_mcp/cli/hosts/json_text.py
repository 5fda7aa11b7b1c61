"""Changes one member of a JSON text, and leaves every other character as it is.

Parsing and writing anew would lose what a person chose: the indentation, the line ends, how
characters are spelt. A text with comments is read, and never changed.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, cast

JsonObject = dict[str, Any]
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SCALAR: Final = re.compile(r"[^\s,\]}]+")
_COMMENT: Final = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\r\n]*|/\*.*?\*/', re.DOTALL)
_LAST_COMMA: Final = re.compile(r'("(?:[^"\\\n]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)
DEFAULT_UNIT: Final = "  "
"""The indentation of a text that has none of its own: that of the hosts themselves."""


class NotUsable(Exception):
    """The text is not what can be changed; `line` is where, or None for no single place."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


@dataclass(frozen=True)
class _Member:
    name: str
    start: int
    """Of its name."""
    value: int
    end: int


@dataclass(frozen=True)
class _Object:
    """An object in the text, from its opening bracket to behind its closing one."""

    start: int
    end: int
    members: tuple[_Member, ...]

    def find(self, name: str, text: str) -> _Member | None:
        found = [member for member in self.members if member.name == name]
        if len(found) > 1:
            msg = f'"{name}" is in it twice'
            raise NotUsable(msg, line_of(text, found[1].start))
        return found[0] if found else None


def parse(text: str) -> JsonObject:
    """The object that *text* is.

    Raises:
        NotUsable: it is no JSON, or no object.
    """
    if not text.strip():
        msg = "it is empty"
        raise NotUsable(msg)
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as exc:
        msg = f"it is not JSON ({exc.msg})"
        if read_with_comments(text) is not None:
            msg = "it has comments or trailing commas, and only plain JSON is changed"
        raise NotUsable(msg, exc.lineno) from None
    except (ValueError, RecursionError):
        msg = "it is not JSON"
        raise NotUsable(msg) from None
    return require_object(value, "it holds")


def read_with_comments(text: str) -> JsonObject | None:
    """The object that *text* is, with comments and commas too many left out; None if it is none."""
    plain = _LAST_COMMA.sub(_keep_string, _COMMENT.sub(_keep_string, text))
    try:
        value = json.loads(plain)
    except (ValueError, RecursionError):
        return None
    return cast("JsonObject", value) if isinstance(value, dict) else None


def find_member(text: str, path: Sequence[str]) -> object:
    """The value at *path*; None if there is none.

    Raises:
        NotUsable: *text* cannot be changed at this place.
    """
    parse(text)
    where = _read_object(text, _skip_space(text, 0))
    for name in path[:-1]:
        member = where.find(name, text)
        if member is None:
            return None
        where = _read_member_object(text, member)
    member = where.find(path[-1], text)
    return json.loads(text[member.value : member.end]) if member else None


def set_member(text: str, path: Sequence[str], value: object) -> str:
    """*text* with *value* at *path*; objects on the way are made where there are none."""
    parse(text)
    where = _read_object(text, _skip_space(text, 0))
    style = _Style.of(text, where)
    for depth, name in enumerate(path):
        member = where.find(name, text)
        if member is None:
            rest: object = value
            for key in reversed(path[depth + 1 :]):
                rest = {key: rest}
            return _insert(text, where, style, name, rest)
        if depth == len(path) - 1:
            written = style.write_at(value, text, member.start)
            return text[: member.value] + written + text[member.end :]
        where = _read_member_object(text, member)
    return text


def remove_member(text: str, path: Sequence[str]) -> str:
    """*text* without the member at *path*, or as it is if there is none."""
    parse(text)
    where = _read_object(text, _skip_space(text, 0))
    for name in path[:-1]:
        member = where.find(name, text)
        if member is None:
            return text
        where = _read_member_object(text, member)
    member = where.find(path[-1], text)
    if member is None:
        return text
    index = where.members.index(member)
    if len(where.members) == 1:
        return text[: where.start + 1] + text[where.end - 1 :]
    if index == len(where.members) - 1:
        return text[: where.members[index - 1].end] + text[member.end :]
    return text[: member.start] + text[where.members[index + 1].start :]


def require_object(value: object, what: str, line: int | None = None) -> JsonObject:
    """*value*, which has to be an object; *what* says what it is, for a sentence."""
    if isinstance(value, dict):
        return cast("JsonObject", value)
    kinds = {"list": "a list", "str": "a text", "bool": "true or false", "NoneType": "null"}
    msg = f"{what} {kinds.get(type(value).__name__, 'a number')} and not an object"
    raise NotUsable(msg, line)


def line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


@dataclass(frozen=True)
class _Style:
    """How the text is laid out."""

    unit: str
    """One step of indentation; empty where everything is in one line."""
    new_line: str
    separators: tuple[str, str]
    """Of members, and of a name and its value, in one line."""

    @classmethod
    def of(cls, text: str, root: _Object) -> "_Style":
        new_line = "\r\n" if "\r\n" in text else "\n"
        if not root.members:
            return cls(DEFAULT_UNIT, new_line, (", ", ": "))
        first = root.members[0]
        lead = text[root.start + 1 : first.start]
        name_end = first.start + len(_match(_STRING, text, first.start))
        colon = ": " if first.value - name_end > 1 else ":"
        if "\n" not in lead:
            return cls("", new_line, (", " if colon == ": " else ",", colon))
        return cls(lead.rpartition("\n")[2] or DEFAULT_UNIT, new_line, (", ", ": "))

    def indent_of(self, text: str, position: int) -> str:
        """The indentation of the line that *position* is in."""
        line = text[text.rfind("\n", 0, position) + 1 : position]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def write_at(self, value: object, text: str, position: int) -> str:
        """*value* for the member at *position*: in one line if others are before it in its line."""
        line = text[text.rfind("\n", 0, position) + 1 : position]
        if self.unit and line.strip():
            return json.dumps(value, ensure_ascii=False)
        return self.write(value, line)

    def write(self, value: object, indent: str) -> str:
        if not self.unit:
            return json.dumps(value, ensure_ascii=False, separators=self.separators)
        written = json.dumps(value, ensure_ascii=False, indent=self.unit)
        return written.replace("\n", self.new_line + indent)


def _insert(text: str, where: _Object, style: _Style, name: str, value: object) -> str:
    """*text* with a member more at the end of the object *where*."""
    key = json.dumps(name, ensure_ascii=False)
    if not style.unit:
        comma, colon = style.separators
        at = where.members[-1].end if where.members else where.start + 1
        lead = comma if where.members else ""
        return text[:at] + lead + key + colon + style.write(value, "") + text[at:]
    outer = style.indent_of(text, where.start)
    if not where.members:
        inner = outer + style.unit
        member = f"{key}: {style.write(value, inner)}"
        body = f"{style.new_line}{inner}{member}{style.new_line}{outer}"
        return text[: where.start + 1] + body + text[where.end - 1 :]
    last = where.members[-1]
    before = text[where.start + 1 : where.members[0].start]
    if "\n" not in before:  # this object is in one line, whatever the others are
        written = json.dumps(value, ensure_ascii=False)
        return f"{text[: last.end]}, {key}: {written}{text[last.end :]}"
    inner = style.indent_of(text, where.members[0].start)
    member = f"{key}: {style.write(value, inner)}"
    return f"{text[: last.end]},{style.new_line}{inner}{member}{text[last.end :]}"


def _read_object(text: str, start: int) -> _Object:
    """The object that begins at *start* of a valid text."""
    members: list[_Member] = []
    at = _skip_space(text, start + 1)
    while text[at] != "}":
        if text[at] == ",":
            at = _skip_space(text, at + 1)
        name = _match(_STRING, text, at)
        value = _skip_space(text, _skip_space(text, at + len(name)) + 1)
        end = _end_of_value(text, value)
        members.append(_Member(json.loads(name), at, value, end))
        at = _skip_space(text, end)
    return _Object(start, at + 1, tuple(members))


def _read_member_object(text: str, member: _Member) -> _Object:
    value = json.loads(text[member.value : member.end])
    require_object(value, f'"{member.name}" is', line_of(text, member.start))
    return _read_object(text, member.value)


def _end_of_value(text: str, start: int) -> int:
    if text[start] == '"':
        return start + len(_match(_STRING, text, start))
    if text[start] not in "{[":
        return start + len(_match(_SCALAR, text, start))
    depth, at = 0, start
    while True:
        if text[at] == '"':
            at += len(_match(_STRING, text, at))
            continue
        depth += (text[at] in "{[") - (text[at] in "}]")
        at += 1
        if depth == 0:
            return at


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _keep_string(match: re.Match[str]) -> str:
    return match[1] or ""


def _skip_space(text: str, start: int) -> int:
    return start + len(_match(_SPACE, text, start))


def _match(pattern: re.Pattern[str], text: str, start: int) -> str:
    found = pattern.match(text, start)
    return found[0] if found else ""
