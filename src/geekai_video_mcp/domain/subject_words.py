"""The words of a prompt that say what a video shows, for the name of its file. Pure.

What the camera does and what joins words is left out: "slow dolly shot of a red fox in the snow"
is red-fox-snow. It only has to be right for common prompts; where nothing would be left, all
words are taken. Prompts in other languages than English and Chinese keep all of theirs.
"""

import re
import unicodedata
from typing import Final

from geekai_video_mcp.quoting import sanitize

MAX_CHARS: Final = 40
"""Characters of the words together: enough to recognise the video by them."""
MAX_BYTES: Final = 120
"""Bytes of them in UTF-8: a name may have 255 on most disks and 143 on an encrypted one
(eCryptfs), and what follows the words is up to 23 bytes long, as in -v2-0123abcd.frames.jpg."""
READ_CHARS: Final = 400
"""Characters of the prompt that are read."""

_JOINING: Final = re.compile(
    "a|an|the|this|that|there|of|in|on|at|to|from|into|through|by|with|for|as|and|or|is|are|was|be"
    "|it|its|his|her|their"
)
# Single words, of which none is the beginning of another alternative: a run of them is then read
# in one way only, and takes no longer than it is.
_FRAMING: Final = (
    "time|slo|slow|slowly|smooth|smoothly|fast|quick|steady|static|wide|ultra|extreme|medium|mid"
    "|long|full|low|high|eye|level|bird|birds|s|top|down|overhead|aerial|drone|crane|dolly|tracking"
    "|panning|zooming|orbiting|establishing|cinematic|handheld|steadicam|gimbal|fpv|pov|macro"
    "|close|dutch|over|the|shoulder|single|continuous|angle|locked|fixed|tilt|push|pull|4k|8k|hd"
    "|first|third|person"
)
_SHOT: Final = "shots?|closeups?|footage|timelapse|hyperlapse"
_SHOT_IF_FRAMED: Final = "ups?|lapse|view|take|zoom|pan|motion|mo"
_WAYS: Final = (
    "in|out|up|down|left|right|back|away|around|forward|backward|toward|towards|past|through|over"
    "|across|along|from|to|into|above|below|slowly|smoothly|gently|still|static|fixed|then|and"
)
_MOVES: Final = (
    "pan|tilt|zoom|doll|track|follow|orbit|circl|ris|mov|push|pull|glid|fl[iy]|drift|cran|swoop"
    "|rotate|rotating|stay|hold|remain|is"
)
_CAMERA: Final = re.compile(
    rf"\b(?:(?:in|a|an) )?"
    rf"(?:(?:(?:{_FRAMING}) )*(?:{_SHOT})|(?:(?:{_FRAMING}) )+(?:{_SHOT_IF_FRAMED}))"
    r"(?: (?:in|out|up|down|left|right|above|below))*(?: (?:of|on|from|as))?\b"
    rf"|\b(?:the )?camera (?:(?:slowly|smoothly|gently|then) )*(?:{_MOVES})\w*(?: (?:{_WAYS}))*\b"
    rf"|\b(?:slowly )?(?:zoom|pan|doll(?:y|ie))(?:s|ing|ning)? (?:{_WAYS})(?: (?:{_WAYS}|on|of))*\b"
)
"""What an English prompt says of the camera, in words that are separated by one space."""
_CAMERA_IN_CHINESE: Final = re.compile(
    r"(?:缓慢|缓缓|慢慢|慢速|快速)?的?(?:推|拉|摇|移|跟|升|降|甩|运|长|空|慢|特写|广角|航拍|俯拍|仰拍|环绕|手持)?"
    r"(?:镜头|鏡頭)(?:语言)?"
    r"(?:(?:缓慢|缓缓|慢慢|慢速|快速)?地?(?:从|向|往)?[前后後左右上下]?"
    r"(?:推进|推近|推向|拉远|拉近|拉开|拉升|上升|下降|上摇|下摇|左移|右移|环绕|跟随|跟拍|平移|摇移|移动|旋转|对准"
    r"|扫过|俯冲))*"
    r"|大?特写|[远中近]景|全景|航拍|[俯仰]拍|[俯仰]视|慢动作|延时摄影|跟拍|第[一三]人称(?:视角)?|[低高]角度|广角|电影感"
)
_COUNTED_IN_CHINESE: Final = re.compile(
    r"^的?一[只隻个個位条條名座辆輛群片匹艘架朵棵栋棟](?=.{2})|^的"
)
_HAN: Final = re.compile(r"[\u4e00-\u9fff]")


def subject_words(prompt: str) -> str:
    """Words of *prompt* joined by hyphens, in lower case; empty if there are none."""
    words = split_words(prompt)
    subject = [word for word in _without_camera(words) if not _JOINING.fullmatch(word)]
    return shorten_words(subject or words)


def split_words(text: str) -> list[str]:
    """The words of *text* in lower case, which no disk refuses in a name."""
    folded = unicodedata.normalize("NFC", sanitize(text, limit=READ_CHARS).casefold())
    # Letters, marks and numbers: without the marks, Hindi and Thai would lose their vowels.
    return "".join(ch if unicodedata.category(ch)[0] in "LMN" else " " for ch in folded).split()


def shorten_words(words: list[str]) -> str:
    """*words* joined by hyphens, as many as fit; cut within one only if the first does not."""
    name = "-".join(words)
    while len(name) > MAX_CHARS or len(name.encode()) > MAX_BYTES:
        head, _, _ = name[: MAX_CHARS + 1].rpartition("-")
        # Within a word one character is taken at a time, because they differ in bytes.
        name = head or name[: min(MAX_CHARS, len(name) - 1)]
    return name


def _without_camera(words: list[str]) -> list[str]:
    rest = _CAMERA.sub(" ", " ".join(words)).split()
    return [word for each in rest if (word := _without_chinese_camera(each))]


def _without_chinese_camera(word: str) -> str:
    """A word of Chinese, which is a clause, without what it says of the camera."""
    if not _HAN.search(word):
        return word
    return _COUNTED_IN_CHINESE.sub("", _CAMERA_IN_CHINESE.sub("", word))
