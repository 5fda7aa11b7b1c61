"""What a check of `doctor` has found, and what the checks are given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from geekai_video_mcp.config import Settings

State = Literal["ok", "note", "FAIL"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One finding. Only FAIL says that something does not work."""

    check: str
    state: State
    text: str
    remedy: str = ""
    """What to do about it; empty where there is nothing to do."""
    details: tuple[str, ...] = ()
    """Further facts, one a line."""
    facts: Mapping[str, object] = field(default_factory=dict[str, object])
    """What `--json` has beside the text, as JSON values."""


Facts = Mapping[str, object]


def ok(check: str, text: str, *, details: tuple[str, ...] = (), facts: Facts | None = None) -> Line:
    return Line(check=check, state="ok", text=text, details=details, facts=facts or {})


def note(check: str, text: str, *, remedy: str = "", facts: Facts | None = None) -> Line:
    return Line(check=check, state="note", text=text, remedy=remedy, facts=facts or {})


def fail(check: str, text: str, *, remedy: str = "", facts: Facts | None = None) -> Line:
    return Line(check=check, state="FAIL", text=text, remedy=remedy, facts=facts or {})


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is examined."""

    settings: Settings | None
    """None if they are wrong: checks that need them are skipped then."""
    environ: Mapping[str, str]
