"""The sentences about a film: why it could not be joined, and what was changed in joining it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from geekai_video_mcp.quoting import quote

_ANOTHER: Final = "Leave this part out or make it again, then join again."
_TRIM: Final = "Change the seconds that are kept of it, then join again."
_FEWER: Final = "Join fewer or shorter parts."
_SOUND: Final = "Name another sound file, or leave audio out."
_AGAIN: Final = "Join again; if that fails too, join fewer or smaller parts."
_ROOM: Final = "Free disk space, then join again."

_FAILURES: Final[Mapping[str, tuple[str, str]]] = {
    "no_parts": ("A film needs one part at least", "Name its parts."),
    "too_many": ("A film has at most {most} parts", "Join some of them first, then the films."),
    "too_long": ("The film would be {seconds:g} s long, and at most two hours are joined", _FEWER),
    "missing": ("Part {part} is missing: its file {file} no longer exists", _ANOTHER),
    "unreadable": ("Part {part} cannot be read: its file {file} cannot be opened", _ANOTHER),
    "empty": ("Part {part} is damaged: its file {file} is empty", _ANOTHER),
    "damaged": ("Part {part} is damaged{at}: its file {file} cannot be decoded there", _ANOTHER),
    "breaks_off": (
        "Part {part} is damaged: its file {file} breaks off at {seconds:g} s",
        "Keep only what is before that second, or make this part again, then join again.",
    ),
    "sound_damaged": (
        "The sound of part {part} is damaged{at}: its file is {file}",
        "Leave this part out, name other sound as audio, or make it again; then join again.",
    ),
    "picture": ("Part {part} is a picture and no video: {file}", "Join videos alone."),
    "no_video": ("Part {part} has no video in it: {file}", "Join videos alone."),
    "codec": ("Part {part} has a codec that this server cannot decode: {file}", _ANOTHER),
    "too_large": ("Part {part} has more pixels than this server decodes: {file}", _ANOTHER),
    "beyond_end": ("Part {part} is only {seconds:g} s long", _TRIM),
    "nothing_left": ("Nothing is left of part {part}, which is {seconds:g} s long", _TRIM),
    "audio_missing": ("The sound file {file} does not exist", _SOUND),
    "audio_unreadable": ("The sound file {file} cannot be opened", _SOUND),
    "audio_none": ("There is no sound in {file}", _SOUND),
    "audio_damaged": ("The sound in {file} cannot be decoded", _SOUND),
    "disk_full": ("{folder} has too little room for the film{room}", _ROOM),
    "folder": ("{folder} could not be written: {why}", "Fix the folder, then join again."),
    "not_written": ("The film could not be written: {why}", _AGAIN),
    "not_equal": (
        "The joined film was not what it should be ({what} differ), so it was not kept",
        _AGAIN,
    ),
    "memory": ("Joining needs more memory than this server allows", _FEWER),
    "timeout": ("Joining was not finished after {minutes:g} minutes", _FEWER),
    "killed": ("The program that joins was stopped", _AGAIN),
}
_OBSTACLES: Final = {
    "codec": "their codecs differ or cannot be copied",
    "size": "their sizes differ",
    "rate": "their frame rates differ",
    "settings": "they were encoded with different settings",
    "cut": "a cut is between key frames",
    "doubled": "a doubled frame was dropped",
}
_OBSTACLES_OF_ONE: Final = {**_OBSTACLES, "codec": "its codec cannot be copied"}


def describe_failure(answer: Mapping[str, Any], *, file: str, folder: str) -> tuple[str, str]:
    """Why a film could not be joined, and what to do, from what the child has answered."""
    reason, remedy = _FAILURES.get(str(answer["error"]), _FAILURES["killed"])
    seconds = answer.get("seconds")
    room = ""
    if "free" in answer:
        room = f": {answer['free']:,.0f} MB are free, and {answer['needed']:,.0f} MB are needed"
    known = {
        "part": answer.get("part", "?"),
        "file": file,
        "folder": folder,
        "seconds": seconds or 0.0,
        "at": "" if seconds is None else f" at {seconds:g} s",
        "room": room,
        "most": answer.get("most", 0),
        "why": answer.get("why") or quote(str(answer.get("error_text", "unknown"))),
        "what": answer.get("what", "frames"),
        "minutes": answer.get("limit", 0) / 60,
    }
    return reason.format_map(known), remedy


def describe_film(film: Mapping[str, Any]) -> Iterator[str]:
    """What was changed in order to join the parts, a sentence each."""
    parts = cast("Sequence[Mapping[str, Any]]", film["parts"])
    yield _describe_encoding(film, alone=len(parts) == 1)
    if film["obstacle"] is not None:
        yield from _describe_fitting(film, parts)
    for number in film["doubled"]:
        yield (
            f"Part {number} begins with the last frame of part {number - 1}, which is shown once."
        )
    for number in film["kept_doubled"]:
        yield (
            f"Part {number} does not begin with the last frame of part {number - 1} as it is, so no"
            " frame was dropped between them."
        )
    if film["audio_seconds"] is not None:
        yield _describe_audio(film)
    elif film["has_sound"]:
        silent = [str(number) for number, part in enumerate(parts, 1) if not part["has_sound"]]
        if silent:
            verb = "has no sound and is" if len(silent) == 1 else "have no sound and are"
            yield f"{_parts(silent)} {verb} silent."


def _parts(numbers: Sequence[str]) -> str:
    if len(numbers) == 1:
        return f"Part {numbers[0]}"
    return f"Parts {', '.join(numbers[:-1])} and {numbers[-1]}"


def _describe_encoding(film: Mapping[str, Any], *, alone: bool) -> str:
    subject = "The part was cut" if alone else "The parts were joined"
    obstacle = film["obstacle"]
    if obstacle is not None:
        reasons = _OBSTACLES_OF_ONE if alone else _OBSTACLES
        again = "The part was" if alone else "The parts were"
        return f"{again} encoded again, because {reasons[obstacle]}."
    if film["has_sound"] and not film["sound_copied"]:
        return f"{subject} without re-encoding the pictures; the sound was encoded again."
    return f"{subject} without re-encoding."


def _describe_fitting(film: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    width, height = film["width"], film["height"]
    for number, part in enumerate(parts, 1):
        if (part["width"], part["height"]) != (width, height):
            size = f"Part {number} ({part['width']}x{part['height']})"
            if part["bars"]:
                yield f"{size} was fitted into {width}x{height} with bars."
            else:
                yield f"{size} was scaled to {width}x{height}."
        if part["converted"]:
            yield (
                f"Part {number} ({part['fps']:g} frames a second) was converted to"
                f" {film['fps']:g} frames a second."
            )


def _describe_audio(film: Mapping[str, Any]) -> str:
    audio, seconds = film["audio_seconds"], film["seconds"]
    own = "The audio replaces the parts' own sound"
    if audio > seconds + _ABOUT_EQUAL:
        return f"{own}; it is longer than the film and fades out at its end."
    if audio < seconds - _ABOUT_EQUAL:
        return f"{own}; it ends at {audio:.1f} s, and silence follows to {seconds:.1f} s."
    return f"{own}."


_ABOUT_EQUAL: Final = 0.1
"""Seconds of difference that nobody hears."""
