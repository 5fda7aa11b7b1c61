"""A child program that joins the parts of a film into one MP4.

Its argument is the JSON of the request: `parts` with `path`, `start`, `end` and `continues`,
`audio`, `output` (a file that exists and is written over), `reserved_bytes` and `max_seconds`. It
writes lines of JSON: `done`, the share of the work that is done, and at the end either `film` or
`error` with what `media.films` needs for a sentence. It ends when its parent does.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

from av.error import FFmpegError
from PIL import ImageChops, ImageStat

from geekai_video_mcp.media.workers import videos
from geekai_video_mcp.media.workers.film_check import check_film
from geekai_video_mcp.media.workers.film_copy import (
    cut_sound,
    film_clock,
    obstacle_to_copying,
)
from geekai_video_mcp.media.workers.film_parts import (
    CannotJoin,
    Part,
    decode_frames,
    scan_part,
)
from geekai_video_mcp.media.workers.film_sound import SoundFile, open_sound_file
from geekai_video_mcp.media.workers.film_video import Fitter, Size, film_size, fitted_size
from geekai_video_mcp.media.workers.film_write import (
    Output,
    Report,
    Written,
    copy_film,
    encode_film,
)
from geekai_video_mcp.media.workers.limits import (
    end_with_parent,
    is_memory_short,
    run_program,
)

WALL_SECONDS: Final = 960
"""A little more than `media.films` waits."""
CPU_SECONDS: Final = 4 * WALL_SECONDS
"""As much as the threads of a decoder and an encoder can use in that time."""
REPORT_SECONDS: Final = 0.25
SAME_PICTURE: Final = 3.0
"""Mean difference, of 255, up to which two frames show the same: one was encoded twice."""
COMPARED_PX: Final = 320
SCANNED, WRITTEN_COPY, WRITTEN_ENCODED = 0.05, 0.3, 0.85
"""Shares of the work that are done after these steps."""


def main(arguments: Sequence[str], _: bytes) -> int:
    """Join the parts, and say what was made of them."""
    end_with_parent()
    request = cast("dict[str, Any]", json.loads(arguments[0]))
    try:
        answer: dict[str, Any] = {"film": _Join(request).run()}
    except CannotJoin as exc:
        answer = {"error": exc.reason, **exc.details}
    except videos.TooLarge:
        answer = {"error": "too_large"}
    except FFmpegError:
        if is_memory_short():
            raise MemoryError from None
        raise
    _write_line(answer)
    return 0


def _write_line(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


class _Progress:
    """Reports the share of the work that is done, a few times a second."""

    def __init__(self) -> None:
        self._reported = 0.0

    def between(self, begin: float, end: float) -> Report:
        def report(share: float) -> None:
            now = time.monotonic()
            if now - self._reported >= REPORT_SECONDS:
                self._reported = now
                _write_line({"done": round(begin + (end - begin) * min(1.0, share), 4)})

        return report


class _Join:
    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request
        self._progress = _Progress()
        self._output = Output(
            path=Path(request["output"]), reserved_bytes=int(request["reserved_bytes"])
        )

    def run(self) -> dict[str, Any]:
        wished = cast("list[dict[str, Any]]", self._request["parts"])
        parts = self._scan(wished)
        whole = obstacle_to_copying(parts)
        continues = [bool(each["continues"]) for each in wished]
        doubled = _drop_doubled(parts, continues)
        shown_twice = [number for number, each in enumerate(continues, 1) if each and number > 1]
        obstacle = obstacle_to_copying(parts)
        dropped_one = whole is None and obstacle == "cut"
        obstacle_word = "doubled" if dropped_one else obstacle
        audio = self._open_audio(parts)
        size = film_size(parts[0])
        sound_copied = False
        if obstacle is None:
            cuts = cut_sound(parts) if audio is None else None
            sound_copied = cuts is not None
            film = copy_film(
                parts,
                self._output,
                clock=film_clock(parts) or 1,
                cuts=cuts,
                audio=audio,
                report=self._progress.between(SCANNED, WRITTEN_COPY),
            )
            self._check(film, parts, WRITTEN_COPY)
        else:
            film = encode_film(
                parts,
                self._output,
                size=size,
                audio=audio,
                report=self._progress.between(SCANNED, WRITTEN_ENCODED),
            )
            self._check(film, parts, WRITTEN_ENCODED)
        width, height = (parts[0].width, parts[0].height) if obstacle is None else size
        return {
            "frames": film.frames,
            "seconds": float(film.seconds),
            "fps": float(film.rate),
            "width": width,
            "height": height,
            "has_sound": film.has_sound,
            "obstacle": obstacle_word,
            "sound_copied": sound_copied,
            "doubled": doubled,
            "kept_doubled": [number for number in shown_twice if number not in doubled],
            "audio_seconds": audio.seconds if audio is not None else None,
            "parts": [_describe(part, size, film) for part in parts],
        }

    def _scan(self, wished: Sequence[dict[str, Any]]) -> list[Part]:
        parts, report = list[Part](), self._progress.between(0.0, SCANNED)
        for number, each in enumerate(wished, 1):
            part = scan_part(number, Path(each["path"]))
            part.trim(each["start"], each["end"])
            parts.append(part)
            report(number / len(wished))
        seconds = float(sum(part.seconds for part in parts))
        if seconds > self._request["max_seconds"]:
            raise CannotJoin("too_long", seconds=round(seconds, 1))
        return parts

    def _open_audio(self, parts: Sequence[Part]) -> SoundFile | None:
        if self._request["audio"] is None:
            return None
        enough = float(sum(part.seconds for part in parts)) + 1.0
        return open_sound_file(Path(self._request["audio"]), enough=enough)

    def _check(self, film: Written, parts: Sequence[Part], written: float) -> None:
        try:
            check_film(self._output.path, film, self._progress.between(written, 1.0))
        except CannotJoin as exc:
            if "index" in exc.details:
                # What was copied is counted from the first kept frame on.
                part = parts[int(exc.details.pop("index"))]
                begin = float(part.seconds_at(part.first))
                exc.details["part"] = part.number
                exc.details["seconds"] = round(exc.details["seconds"] + begin, 3)
            raise


def _drop_doubled(parts: Sequence[Part], continues: Sequence[bool]) -> list[int]:
    """Drop the frame before each seam that the next part shows again; returns those parts."""
    doubled = list[int]()
    for number in range(1, len(parts)):
        before, part = parts[number - 1], parts[number]
        if continues[number] and before.kept > 1 and _shows_end_of(before, part):
            before.last -= 1
            doubled.append(part.number)
    return doubled


def _shows_end_of(before: Part, part: Part) -> bool:
    """Whether a part begins with the picture that the one before it ends with, both untrimmed."""
    if before.last != len(before.times) - 1 or part.first != 0:
        return False
    scale = COMPARED_PX / max(before.width, before.height)
    small = (
        max(16, 2 * round(before.width * scale / 2)),
        max(16, 2 * round(before.height * scale / 2)),
    )
    fitter = Fitter(small, matrix=before.look[0])
    pictures = [
        cast("Any", fitter.fit(frame, ratio=each.ratio)).to_image()  # untyped in PyAV
        for each, rank in ((before, before.last), (part, 0))
        for _, frame in decode_frames(each, rank, rank)
    ]
    difference = ImageStat.Stat(ImageChops.difference(*pictures))
    return sum(difference.mean) / len(difference.mean) <= SAME_PICTURE


def _describe(part: Part, size: Size, film: Written) -> dict[str, Any]:
    return {
        "width": part.width,
        "height": part.height,
        "fps": round(float(part.rate), 3),
        "converted": part.rate != film.rate or not part.is_regular,
        "bars": fitted_size(part.width, part.height, size) != size,
        "has_sound": part.sound is not None,
    }


if __name__ == "__main__":
    run_program(main, cpu_seconds=CPU_SECONDS, wall_seconds=WALL_SECONDS)
