"""A film of three shots, against writing their packets into one file: the child program's CPU."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.comparison import compare
from benchmarks.rows import Row, Target, ratio_row
from benchmarks.support.media_child import describe_seconds, measure_work
from benchmarks.support.renders import render_clip

SHOTS: Final = 3
SECONDS: Final = 5.0
SIZE: Final = (1280, 720)


def measure(rounds: int) -> Sequence[Row]:
    """One row against the packets alone, and one against packets and frames."""
    with tempfile.TemporaryDirectory() as scratch:
        shots = [
            str(render_clip(Path(scratch, f"{take}.mp4"), take=take, seconds=SECONDS, size=SIZE))
            for take in range(SHOTS)
        ]
        film = str(Path(scratch, "film.mp4"))
        return [
            _measure_against("remuxing", "remuxes the same shots", shots, film, rounds),
            _measure_against(
                "checked remuxing",
                "remuxes the same shots, and decodes every frame of the film once",
                shots,
                film,
                rounds,
            ),
        ]


def _measure_against(floor: str, does: str, shots: list[str], film: str, rounds: int) -> Row:
    found = compare(
        floor=partial(measure_work, floor, film, *shots),
        subject=partial(measure_work, "join", film, *shots),
        rounds=rounds,
    )
    return ratio_row(
        found,
        figure="film of three shots of 5 s in 720p, CPU of the child program, its start aside",
        floor=f"PyAV that {does}",
        target=Target(value=1.3),
        details=describe_seconds(found),
    )
