"""The shape and size of the frames, in every way in which people write them. Pure.

Each of the three arguments gets one spelling, because another one would be another request, and
paid again. A value that no rule here knows passes through: some models have words of their own.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, ValidationInfo

from geekai_video_mcp.domain.catalogue.facts import listed_values, models, normalize_value
from geekai_video_mcp.errors import quote
from geekai_video_mcp.server.arguments.fields import NumberOrText
from geekai_video_mcp.server.arguments.values import add_note

RATIO_SLACK: Final = 0.03
"""Share by which a size may differ from its ratio: 854x480 is meant to be 16:9."""

_RATIO: Final = re.compile(
    r"(\d{1,2}(?:\.\d{1,3})?)\s*(?:[:x×*/：∶-]|by|to)\s*(\d{1,2}(?:\.\d{1,3})?)", re.IGNORECASE
)
_PIXELS: Final = re.compile(
    r"(\d{3,5})\s*(?:p(?:x|ixels)?)?\s*(?:[x×*:/,：∶]|by)\s*(\d{3,5})\s*(?:px|pixels)?",
    re.IGNORECASE,
)
_LINES: Final = re.compile(r"(\d{3,4})\s*(p)?", re.IGNORECASE)
_THOUSANDS: Final = re.compile(r"(\d)\s*(k)", re.IGNORECASE)
_SHAPES: Final = {
    **dict.fromkeys(("vertical", "portrait", "tall", "竖屏", "竖版"), "9:16"),
    **dict.fromkeys(("landscape", "horizontal", "wide", "widescreen", "横屏", "横版"), "16:9"),
    **dict.fromkeys(("square", "方形", "正方形"), "1:1"),
}


def _read_aspect_ratio(text: str, info: ValidationInfo) -> str:
    if _PIXELS.fullmatch(text):
        msg = "must be a ratio such as 16:9; did you mean size?"
        raise ValueError(msg)
    if _LINES.fullmatch(text) or _THOUSANDS.fullmatch(text):
        msg = "must be a ratio such as 16:9; did you mean resolution?"
        raise ValueError(msg)
    if re.fullmatch(r"[\d.]+", text):
        msg = "must be a ratio such as 16:9"
        raise ValueError(msg)
    ratio = _ratio_in(text)
    if ratio is not None and ratio != re.sub(r"\s", "", text):
        add_note(info, f"aspect_ratio {quote(text, limit=32)} was taken as {ratio}.")
    return ratio or text


def _ratio_in(text: str) -> str | None:
    """The ratio that *text* is or names, also with both: 9:16 (vertical)."""
    match = _RATIO.search(text)
    rest = text[: match.start()] + text[match.end() :] if match else text
    words = re.findall(r"[^\W\d_]+", rest.casefold())
    named = {_SHAPES.get(word) for word in words} - {None}
    strange = [word for word in words if word not in _SHAPES]
    if strange or re.search(r"\d", rest) or len(named) > 1:
        return None
    return f"{match[1]}:{match[2]}" if match else next(iter(named), None)


def _read_size(text: str, info: ValidationInfo) -> str:
    pixels = _PIXELS.fullmatch(text)
    if pixels:
        return f"{pixels[1]}x{pixels[2]}"
    if _ratio_in(text):
        msg = "must be WIDTHxHEIGHT in pixels, such as 1920x1080; did you mean aspect_ratio?"
        raise ValueError(msg)
    if _takes_resolution(info) and (_LINES.fullmatch(text) or _THOUSANDS.fullmatch(text)):
        msg = "must be WIDTHxHEIGHT in pixels, such as 1920x1080; did you mean resolution?"
        raise ValueError(msg)
    if text.isdecimal():
        msg = "must be WIDTHxHEIGHT in pixels, such as 1920x1080"
        raise ValueError(msg)
    return text


def _takes_resolution(info: ValidationInfo) -> bool:
    """Whether the tool does: a picture's size may be 2K, and there is no other argument for it."""
    context = cast("Mapping[str, Any]", info.context or {})
    return "resolution" in context.get("arguments", ())


def _read_resolution(text: str) -> str:
    if _PIXELS.fullmatch(text):
        msg = "must be a number of lines such as 720p; did you mean size?"
        raise ValueError(msg)
    if _ratio_in(text):
        msg = "must be a number of lines such as 720p; did you mean aspect_ratio?"
        raise ValueError(msg)
    if lines := _LINES.fullmatch(text):
        return f"{lines[1]}{lines[2] or 'p'}"
    if thousands := _THOUSANDS.fullmatch(text):
        return f"{thousands[1]}{thousands[2]}"
    return text


def spell_resolution(resolution: str, model: str) -> str:
    """*resolution* as the maker of *model* spells it, where that is known: 1080p or 1080P.

    An unknown model's stays as it is: it may be one that takes nothing else.
    """
    known = models().get(model)
    listed = [str(each) for each in listed_values(known and known.value("resolutions")) or ()]
    for each in listed:
        if normalize_value(each) == normalize_value(resolution):
            return each
    # Of a value that is not listed, at least the letter is spelled as in those that are.
    letters = {each[-1] for each in listed if each[-1].casefold() == resolution[-1:].casefold()}
    return resolution[:-1] + letters.pop() if len(letters) == 1 else resolution


def ratio_conflict(size: str | None, aspect_ratio: str | None) -> str | None:
    """What is wrong between the two arguments, in a sentence."""
    pixels, ratio = _PIXELS.fullmatch(size or ""), _RATIO.fullmatch(aspect_ratio or "")
    if not (pixels and ratio and int(pixels[2]) and float(ratio[1]) and float(ratio[2])):
        return None
    given = float(ratio[1]) / float(ratio[2])
    if abs(int(pixels[1]) / int(pixels[2]) / given - 1) <= RATIO_SLACK:
        return None
    return "size and aspect_ratio contradict each other; give only one"


def lines_conflict(size: str | None, resolution: str | None) -> str | None:
    """What is wrong between the two arguments, in a sentence."""
    pixels, lines = _PIXELS.fullmatch(size or ""), _LINES.fullmatch(resolution or "")
    if not (pixels and lines) or int(lines[1]) in (int(pixels[1]), int(pixels[2])):
        return None
    return "size and resolution contradict each other; give only one"


AspectRatio = Annotated[NumberOrText, AfterValidator(_read_aspect_ratio)]
Size = Annotated[NumberOrText, AfterValidator(_read_size)]
Resolution = Annotated[NumberOrText, AfterValidator(_read_resolution)]
