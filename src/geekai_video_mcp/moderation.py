"""What a content filter objects to, read from the codes of GeekAI's models. Pure.

A caller can mend a refusal only by knowing whether the prompt or a picture caused it. The
codes are the makers' own, which GeekAI passes on; code and message are shown verbatim beside
what is said here. Sources, read 2026-11-22: docs.bigmodel.cn (Zhipu 1301), Kling's API
reference (1301), docs.byteplus.com/docs/ModelArk/1299023 (Seedance), Alibaba Cloud Model
Studio's error codes (Wan), ai.google.dev on Veo (a job that is done and holds no video).
"""

from typing import Final

_PROMPT: Final = "The content filter objects to the prompt: rephrase it; trying again is no use."
_PICTURE: Final = "The content filter objects to a picture or video that was given: use another."
_EITHER: Final = (
    "The content filter objects to the prompt or to a picture and does not say which: rephrase"
    " the prompt first."
)
_RESULT: Final = (
    "The content filter objects to what came out: rephrase the prompt. Another take of the same"
    " request sometimes passes, and may be charged."
)

_BY_PREFIX: Final = {
    "inputtext": _PROMPT,
    "inputimage": _PICTURE,
    "inputvideo": _PICTURE,
    "inputaudio": _PICTURE,
    "output": _RESULT,
    "sensitivecontentdetected": _PROMPT,
    "datainspectionfailed": _EITHER,
    "content_policy": _EITHER,
    "content_filter": _EITHER,
}
_FILTER_WORDS: Final = ("sensitive", "risk")
"""One of these stands in every code of Ark that begins with what was judged."""
_BY_CODE: Final = {"1301": _EITHER, "no_output": _RESULT}


def advice(code: str | None) -> str | None:
    """What to change, if *code* is a content filter's; None for every other code."""
    word = (code or "").strip().lower()
    if word in _BY_CODE:
        return _BY_CODE[word]
    judged = word.startswith(("input", "output"))
    if judged and not any(name in word for name in _FILTER_WORDS):
        return None
    return next((text for prefix, text in _BY_PREFIX.items() if word.startswith(prefix)), None)
