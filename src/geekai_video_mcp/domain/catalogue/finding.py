"""One thing that speaks against a request, with who says so and what to do instead. Pure."""

import json
from dataclasses import dataclass

from geekai_video_mcp.domain.catalogue.facts import Certainty, Source
from geekai_video_mcp.quoting import quote


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that speaks against a request."""

    problem: str
    certainty: Certainty
    source: Source
    remedy: str = ""
    ignored: bool = True
    """Whether the request may be made and charged all the same, without what was asked for."""


def format_value(value: object) -> str:
    """A value of the caller's in a message."""
    return quote(value, limit=32) if isinstance(value, str) else json.dumps(value)
