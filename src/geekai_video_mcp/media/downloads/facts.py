"""What is recorded of a published file beside its name: its facts, and what is wrong with it.

A doubtful fact is not recorded, because results state the recorded facts without reservation.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Final

from geekai_video_mcp.domain.media_formats import is_still
from geekai_video_mcp.domain.retries import Obstacle
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.tasks import FileUpdate
from geekai_video_mcp.media.inspection import FileFacts, Verdict

_MAX_FPS: Final = 1000.0
"""Frames a second. A file without a rate of frames gives the ticks of its clock, such as 90,000."""


def add_facts(update: FileUpdate, facts: FileFacts) -> FileUpdate:
    """The record of a published file, with what its inspection has found.

    A file that cannot be decoded is handed over as a link with the reason. One of another format
    than was requested keeps its own note: it may well be good, and no player of ours is asked.
    """
    known = replace(update, width=facts.width, height=facts.height)
    if not is_still(Path(update.path or "").suffix):
        known = replace(
            known,
            seconds=_rounded(facts.seconds),
            fps=_rounded(facts.fps, below=_MAX_FPS),
            has_sound=facts.has_sound,
        )
    if update.error_code is not None:
        return known
    if (damage := describe_damage(facts)) is not None:
        linked = FileStatus.LINKED
        return replace(known, status=linked, error=damage, error_code=Obstacle.UNDECODABLE)
    if facts.end_decoded is False:
        note = "Its end cannot be decoded, so it may break off."
        return replace(known, error=note, error_code=Obstacle.END_UNDECODABLE)
    return known


def describe_damage(facts: FileFacts) -> str | None:
    """Why the file cannot be played, as a sentence; None if that is not certain."""
    if facts.verdict is not Verdict.UNDECODABLE:
        return None
    return f"The file cannot be decoded: {facts.sentence}."


def _rounded(value: float | None, *, below: float = math.inf) -> float | None:
    """*value* to the hundredth; None unless it is a number above zero."""
    return round(value, 2) if value is not None and 0 < value < below else None
