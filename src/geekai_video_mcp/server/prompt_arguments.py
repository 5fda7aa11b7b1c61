"""What the user typed for a prompt, from whatever arguments the host makes of it.

Any text is taken in any argument, because hosts divide what is typed as they like (read
2026-11-26): Claude Code and Qwen Code split it at every space, inside quotation marks too, and
give the words to the arguments in order; opencode asks with `$1`, `$2`, ... and appends what is
typed later to the prompt. No value is refused: a wrong one would leave the user with an error in
place of the prompt.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.domain.service_names import SANDBOX_MODEL

_CLOSING_MARKS: Final = {'"': '"', "'": "'", "“": "”", "„": "“", "‘": "’", "«": "»", "「": "」"}
_PLACEHOLDER: Final = re.compile(
    r"\$(?:\d+|[A-Z_]+|[@*]|\{[^}]*\})|\{\{[^}]*\}\}|\[\]|\{\}|(?i:undefined|null|none)"
)
_NUMBER: Final = re.compile(r"([+-]?\d+(?:\.\d+)?(?:e\d{1,3})?)(?: *(?:shots?|个?镜头))?", re.I)
_SECONDS: Final = re.compile(r"(\d+(?:\.\d+)?) *(?:s|secs?|seconds?|秒)?", re.I)
_RATIO: Final = re.compile(
    r"\d+(?:\.\d+)? *[:x×/：] *\d+(?:\.\d+)?"
    r"|(?i:wide(?:screen)?|landscape|horizontal|vertical|portrait|square)|横屏|竖屏|方形"
)
_YES: Final = frozenset(
    ["yes", "y", "true", "on", "sound", "audio", "with", "1", "有", "有声", "是", "要"]
)
_NO: Final = frozenset(
    [
        "no",
        "n",
        "false",
        "off",
        "silent",
        "silence",
        "mute",
        "without",
        "0",
        "无",
        "无声",
        "静音",
        "否",
        "不要",
    ]
)
MAX_SHOTS: Final = 12
"""Shots of one story: each is paid for, and the look drifts along a chain of last frames."""
MIN_MODEL_CHARS: Final = 3
"""Characters of a word that may be the beginning of a model's id; "a" begins one by chance."""


class StoryWishes(NamedTuple):
    """What is asked of a story; an empty text is not said."""

    topic: str = ""
    shots: str = ""
    style: str = ""
    model: str = ""
    ratio: str = ""
    seconds: str = ""
    sound: str = ""


def collect_values(order: Sequence[str], given: Mapping[str, str], *, main: str) -> dict[str, str]:
    """The values by argument: without empty ones and placeholders, and put together again.

    *order* is that of the prompt's arguments. Values of other names are added to *main*.
    """
    present = {name: unquote(given[name]) for name in order if name in given}
    values = _join_quotation(order, present)
    values = {name: unquote(value) for name, value in values.items()}
    extra = [unquote(value) for name, value in given.items() if name not in order]
    return _drop_empty({**values, main: " ".join([values.get(main, ""), *extra]).strip()})


def read_number(text: str) -> float | None:
    """The number that *text* is, in the digits of any script; None if it is not one."""
    match = _NUMBER.fullmatch(text.strip())
    return float(match[1]) if match else None


def read_seconds(text: str) -> float | None:
    """The number of seconds that *text* is; None if it is not one."""
    match = _SECONDS.fullmatch(text.strip())
    return float(match[1]) if match else None


def read_yes_or_no(text: str) -> bool | None:
    """What *text* says to a question; None if it says something else."""
    word = text.strip().casefold()
    return True if word in _YES else False if word in _NO else None


def reads_as_ratio(text: str) -> bool:
    """Whether *text* is a ratio, or a word for one."""
    return _RATIO.fullmatch(text.strip()) is not None


def sort_story_words(wishes: StoryWishes) -> StoryWishes:
    """What belongs to the topic moves there: a word in the place of the number of shots shows it.

    If every argument is one word, the host has split the user's text. The words in the places of
    the other arguments then belong to the topic as well, but for settings at its end; and those in
    the places of the settings belong to the style if the first of them cannot be a ratio.
    """
    topic, shots, style, model, ratio, seconds, sound = wishes
    split = all(map(is_word, wishes))
    if read_number(shots) is not None or not shots:
        if not split or not ratio or reads_as_ratio(ratio):
            return wishes
        kept = model if reads_as_model(model) else ""
        words = (style, "" if kept else model, ratio, seconds, sound)
        return StoryWishes(topic, shots, " ".join(filter(None, words)), kept)
    if not split or (model and reads_as_model(model)):
        return wishes._replace(topic=f"{topic} {shots}".strip(), shots="")
    return _take_settings(" ".join(filter(None, wishes)).split())


def _take_settings(words: list[str]) -> StoryWishes:
    """The topic that *words* are, with the ratio, the seconds and the shots at their end."""
    taken: dict[str, str] = {}
    while len(words) > 1:
        number = read_number(words[-1])
        if reads_as_ratio(words[-1]) and "ratio" not in taken:
            taken["ratio"] = words.pop()
        elif number is not None and 1 <= number <= MAX_SHOTS and "shots" not in taken:
            taken["shots"] = words.pop()
        elif number is None and read_seconds(words[-1]) is not None and "seconds" not in taken:
            taken["seconds"] = words.pop()
        else:
            break
    return StoryWishes(topic=" ".join(words), **taken)


def reads_as_model(word: str) -> bool:
    """Whether *word* may be a model's id, and not a word of the request that came in its place."""
    if not word or read_number(word) is not None or reads_as_ratio(word):
        return False
    if word == SANDBOX_MODEL or any(ch.isdigit() or ch in "-/" for ch in word):
        return True
    start = word.casefold()
    return len(word) >= MIN_MODEL_CHARS and any(
        name.casefold().startswith(start) for name in catalogue.models()
    )


def is_word(text: str) -> bool:
    """Whether *text* is one word, as every argument is if the host has split at spaces."""
    return len(text.split()) <= 1


def unquote(text: str) -> str:
    """*text* without the quotation marks around it; empty if it only stands for a value."""
    text = text.strip()
    while len(text) > 1 and _CLOSING_MARKS.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return "" if all(map(_PLACEHOLDER.fullmatch, text.split())) else text


def _drop_empty(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _join_quotation(order: Sequence[str], values: Mapping[str, str]) -> dict[str, str]:
    """*values*, with a quotation that the host has split over several arguments in the first.

    What follows the quotation belongs to the next arguments.
    """
    words = [values.get(name, "") for name in order]
    closing = _CLOSING_MARKS.get(words[0][:1])
    for index, word in enumerate(words[1:], 1):
        if closing and word.rstrip(",;.").endswith(closing):
            quotation = " ".join(filter(None, words[: index + 1]))
            return dict(zip(order, [quotation, *words[index + 1 :]], strict=False))
    cut = closing not in {None, "'"} and words[0].count(words[0][0]) == 1
    return _drop_empty({**values, order[0]: words[0][1:] if cut else words[0]})
