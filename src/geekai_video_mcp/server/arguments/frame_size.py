"""The shape and size of the frames, in every way in which people write them. Pure.

Each of the three arguments gets one spelling, because another one would be another request, and
paid again. A value that no rule here knows passes through: some models have words of their own.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from geekai_video_mcp.domain.catalogue.facts import listed_values, models, normalize_value
from geekai_video_mcp.domain.catalogue.translation import RATIO_SLACK
from geekai_video_mcp.quoting import quote
from geekai_video_mcp.server.arguments.fields import NumberOrText
from geekai_video_mcp.server.arguments.json_text import decode_json
from geekai_video_mcp.server.arguments.values import add_note, context_of

_RATIO: Final = re.compile(
    r"0?(\d{1,2}(?:\.\d{1,3})?)\s*(?:[:x×*/∶,_|-]|by|to)\s*0?(\d{1,2}(?:\.\d{1,3})?)",
    re.IGNORECASE | re.ASCII,
)
_PIXELS: Final = re.compile(
    r"(\d{3,5})\s*(?:p(?:x|ixels)?)?\s*(?:[x×✕✖⨯*:/,∶_-]|by|\s)\s*(\d{3,5})\s*(?:px|pixels)?",
    re.IGNORECASE | re.ASCII,
)
_LINES: Final = re.compile(r"(\d{3,4})\s*(p)?(?:x|ixels|\s*lines)?", re.IGNORECASE | re.ASCII)
_THOUSANDS: Final = re.compile(r"(\d)\s*(k)", re.IGNORECASE | re.ASCII)
_NAMED_LINES: Final = {
    **dict.fromkeys(("full hd", "fullhd", "fhd"), "1080p"),
    **dict.fromkeys(("ultra hd", "ultrahd", "uhd"), "4k"),
}
_SAME_LINES: Final = {"2160p": "4k", "4k": "2160p"}
_SHAPES: Final = {
    **dict.fromkeys(("vertical", "portrait", "tall", "竖屏", "竖版"), "9:16"),
    **dict.fromkeys(("landscape", "horizontal", "wide", "widescreen", "横屏", "横版"), "16:9"),
    **dict.fromkeys(("square", "方形", "正方形"), "1:1"),
}
_BESIDE_A_SHAPE: Final = frozenset({"video", "mode", "format", "orientation", "ratio", "aspect"})
"""Words that say nothing about it."""
_BESIDE_PIXELS: Final = _BESIDE_A_SHAPE | _SHAPES.keys()


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
    if ratio is not None and (shape := _contradicting_shape(text, ratio)):
        msg = f"must be a ratio such as 9:16; {shape} and {ratio} contradict each other"
        raise ValueError(msg)
    if ratio is not None and ratio != re.sub(r"\s", "", text):
        add_note(info, f"aspect_ratio {quote(text, limit=32)} was taken as {ratio}.")
    return ratio or text


def _ratio_in(text: str) -> str | None:
    """The ratio that *text* is or names, also with both: 9:16 (vertical)."""
    match = _RATIO.search(text)
    rest = text[: match.start()] + text[match.end() :] if match else text
    words = set(re.findall(r"[^\W\d_]+", rest.casefold())) - _BESIDE_A_SHAPE
    named = {_SHAPES.get(word) for word in words} - {None}
    if words - _SHAPES.keys() or re.search(r"\d", rest) or len(named) > 1:
        return None
    if match is None:
        return next(iter(named), None)
    return ":".join(re.sub(r"\.0+$", "", side) for side in match.groups())


def _contradicting_shape(text: str, ratio: str) -> str | None:
    """The word of *text* that names another shape than *ratio*: a vertical 16:9."""
    width, height = map(float, ratio.split(":"))
    for word in re.findall(r"[^\W\d_]+", text.casefold()):
        named = _SHAPES.get(word)
        if named is None:
            continue
        across, down = map(float, named.split(":"))
        if (across > down) != (width > height) or (across < down) != (width < height):
            return word
    return None


def _read_size(text: str, info: ValidationInfo) -> str:
    pixels = _PIXELS.match(text)
    if pixels and set(re.findall(r"\w+", text[pixels.end() :].casefold())) <= _BESIDE_PIXELS:
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
    return "resolution" in context_of(info).get("arguments", ())


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
    word = text.casefold().replace("-", " ")
    if word == "hd":
        msg = "must be a number of lines: 720p, or 1080p for full HD"
        raise ValueError(msg)
    # Also with both: 1080p (Full HD).
    numbers, names = (
        re.findall(r"\d+\s*[pk]", word),
        re.sub(r"\d+\s*[pk]|[()]|resolution", " ", word),
    )
    named = _NAMED_LINES.get(" ".join(names.split()))
    if len(numbers) == 1 and (named or names.strip() in {"", "hd"}):
        return numbers[0].replace(" ", "")
    return named if named and not numbers else text


def spell_settings(body: Mapping[str, Any]) -> dict[str, Any]:
    """*body* with its resolution and its quality as its model's maker spells them."""
    spelled, model = dict(body), str(body["model"])
    if "resolution" in body:
        spelled["resolution"] = _spell_resolution(body["resolution"], model)
    if "quality" in body:
        spelled["quality"] = _spell_quality(body["quality"], model)
    return spelled


def _spell_resolution(resolution: str, model: str) -> str:
    """*resolution* as the maker of *model* spells it, where that is known: 1080p or 1080P.

    An unknown model's stays as it is: it may be one that takes nothing else.
    """
    listed = _listed("resolutions", model)
    for spelling in (resolution, _SAME_LINES.get(resolution.casefold())):
        for each in listed:
            if spelling and normalize_value(each) == normalize_value(spelling):
                return each
    # Of a value that is not listed, at least the letter is spelled as in those that are.
    letters = {each[-1] for each in listed if each[-1].casefold() == resolution[-1:].casefold()}
    return resolution[:-1] + letters.pop() if len(letters) == 1 else resolution


def _spell_quality(quality: str, model: str) -> str:
    """*quality* as it is listed for *model*, if it is: pro, and not Pro."""
    alike = (each for each in _listed("quality", model) if each.casefold() == quality.casefold())
    return next(alike, quality)


def _listed(fact: str, model: str) -> list[str]:
    known = models().get(model)
    return [str(each) for each in listed_values(known and known.value(fact)) or ()]


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


def _two_numbers_as_text(value: object) -> object:
    """The text of [1080, 1920], or of an object with width and height, also as JSON text."""
    decoded = decode_json(value)
    pair = cast("list[object]", decoded) if isinstance(decoded, list) else []
    if isinstance(decoded, Mapping):
        sides = cast("Mapping[str, object]", decoded)
        pair = [sides["width"], sides["height"]] if set(sides) == {"width", "height"} else []
    if len(pair) != 2 or not all(isinstance(each, int | str) for each in pair):  # noqa: PLR2004 - width and height
        return value
    return f"{pair[0]}:{pair[1]}"


def _plain(text: str) -> str:
    """The text in plain characters, without what may stand around it."""
    return unicodedata.normalize("NFKC", text).strip("\"'`()[] \t\r\n").rstrip(".")


_Plain = Annotated[NumberOrText, AfterValidator(_plain), BeforeValidator(_two_numbers_as_text)]
AspectRatio = Annotated[_Plain, AfterValidator(_read_aspect_ratio)]
Size = Annotated[_Plain, AfterValidator(_read_size)]
Resolution = Annotated[_Plain, AfterValidator(_read_resolution)]
