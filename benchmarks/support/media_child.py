"""Does one piece of work on videos and writes the CPU seconds that it took, its imports aside.

A floor is what PyAV alone needs for that work, in the fewest lines: nothing is checked, compared
or told.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from benchmarks.comparison import Comparison
from benchmarks.report import ROOT

# PyAV does not declare the types of its packets and of what it adds to a container.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

Work = Callable[[], object]


def measure_work(kind: str, *arguments: str) -> float:
    """Run one of `KINDS` in a process of its own; return the CPU seconds of its work."""
    program = (sys.executable, "-P", "-m", "benchmarks.support.media_child", kind, *arguments)
    paths = os.pathsep.join((str(ROOT), str(ROOT / "src")))
    done = subprocess.run(
        program,
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": paths, "MALLOC_ARENA_MAX": "2"},
    )
    return float(done.stderr.decode().splitlines()[-1])


def describe_seconds(found: Comparison) -> str:
    """The absolute figures behind a ratio."""
    subject, floor = (1000 * statistics.median(each) for each in (found.subject, found.floor))
    return f"{subject:,.0f} ms against {floor:,.0f} ms of CPU"


def prepare_sheet(path: str) -> Work:
    """A contact sheet, as the child program of `media.preview` makes it."""
    from geekai_video_mcp.media.workers import preview  # noqa: PLC0415 - not counted

    return lambda: preview.main([path, "frames"], b"")


def prepare_decoding(path: str, ticks: str) -> Work:
    """Decode the frames that are shown at these ticks: seek to each, and decode on to it."""
    import av  # noqa: PLC0415 - not counted

    def work() -> None:
        with av.open(path) as container:
            stream = container.streams.video[0]
            stream.thread_type, stream.codec_context.thread_count = "AUTO", 2
            for tick in json.loads(ticks):
                container.seek(tick, stream=stream)
                for frame in container.decode(stream):
                    if frame.pts is not None and frame.pts >= tick:
                        break

    return work


def prepare_join(output: str, *paths: str) -> Work:
    """A film, as the child program of `media.films` makes it."""
    from geekai_video_mcp.media.workers import join  # noqa: PLC0415 - not counted

    parts = [{"path": path, "start": None, "end": None, "continues": False} for path in paths]
    request = {
        "parts": parts,
        "audio": None,
        "output": output,
        "reserved_bytes": 0,
        "max_seconds": 7200.0,
    }
    return lambda: join.main([json.dumps(request)], b"")


def prepare_remuxing(output: str, *paths: str) -> Work:
    """The packets of all parts in one MP4 whose index comes first."""
    import av  # noqa: PLC0415 - not counted

    def work() -> None:
        with av.open(output, "w", format="mp4", options={"movflags": "faststart"}) as opened:
            film, streams, ends = cast("Any", opened), list[Any](), dict[int, int]()
            for path in paths:
                with av.open(path) as part:
                    if not streams:
                        streams = [film.add_stream_from_template(each) for each in part.streams]
                    shifts = dict[int, int]()
                    for packet in cast("Any", part.demux()):
                        if packet.dts is None:
                            continue
                        track = packet.stream_index
                        # Each track of a part begins where the one before it ended.
                        shift = shifts.setdefault(track, ends.get(track, packet.dts) - packet.dts)
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        ends[track] = packet.dts + packet.duration
                        packet.stream = streams[track]
                        film.mux(packet)

    return work


def prepare_checked_remuxing(output: str, *paths: str) -> Work:
    """As `prepare_remuxing`, and every frame of what was written is decoded."""
    import av  # noqa: PLC0415 - not counted

    remux = prepare_remuxing(output, *paths)

    def work() -> None:
        remux()
        with av.open(output) as film:
            # With more threads, the decoder does not say of every frame whether it is damaged.
            film.streams.video[0].codec_context.thread_count = 1
            for frame in film.decode(video=0):
                if frame.is_corrupt:
                    raise ValueError(frame)

    return work


KINDS: Final[dict[str, Callable[..., Work]]] = {
    "sheet": prepare_sheet,
    "decoding": prepare_decoding,
    "join": prepare_join,
    "remuxing": prepare_remuxing,
    "checked remuxing": prepare_checked_remuxing,
}


def main(arguments: Sequence[str]) -> None:
    """Do the work, and write what it took to stderr: a worker's answer is on stdout."""
    kind, *rest = arguments
    work = KINDS[kind](*rest)
    before = time.process_time()
    work()
    sys.stderr.write(f"\n{time.process_time() - before:.6f}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
