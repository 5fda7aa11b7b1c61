"""A contact sheet, against decoding the frames that are on it: the child program's CPU."""

import json
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.comparison import compare
from benchmarks.rows import Row, Target, ratio_row
from benchmarks.support.media_child import describe_seconds, measure_work
from benchmarks.support.renders import render_clip
from geekai_video_mcp.media.workers import videos

SECONDS: Final = 10.0
SIZE: Final = (1920, 1080)
FRAMES: Final = 6
"""As many as a sheet of such a video has."""


def measure(rounds: int) -> Sequence[Row]:
    """One row."""
    with tempfile.TemporaryDirectory() as scratch:
        clip = render_clip(Path(scratch, "clip.mp4"), take=0, seconds=SECONDS, size=SIZE)
        shown = find_shown(clip)
        found = compare(
            floor=partial(measure_work, "decoding", str(clip), json.dumps(shown)),
            subject=partial(measure_work, "sheet", str(clip)),
            rounds=rounds,
        )
    return [
        ratio_row(
            found,
            figure="contact sheet of 10 s in 1080p, CPU of the child program, its start aside",
            floor="PyAV that seeks to the same six frames and decodes them alone",
            target=Target(value=1.3),
            details=describe_seconds(found),
        )
    ]


def find_shown(clip: Path) -> list[int]:
    """When the frames of the sheet are shown, in ticks of the video."""
    with videos.open_container(clip) as container:
        scan = videos.scan_packets(container, videos.video_stream(container))
    return [scan.times[rank] for rank in videos.spread_ranks(scan, FRAMES)]
