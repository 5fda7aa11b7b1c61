"""What a content filter objects to, read from the codes of GeekAI's models. Pure.

A caller can fix a refusal only if it knows whether the prompt or a picture caused it. The
codes are the makers' own, which GeekAI passes on; code and message are shown verbatim beside
the advice given here. Sources, read 2026-11-22: docs.bigmodel.cn (Zhipu 1301), Kling's API
reference (1301), docs.byteplus.com/docs/ModelArk/1299023 (Seedance), Alibaba Cloud Model
Studio's error codes (Wan), ai.google.dev on Veo (a job that is done and holds no video).
"""

from typing import Final

_PROMPT: Final = (
    "The content filter objects to the prompt: rephrase it; retrying unchanged will not help."
)
_PICTURE: Final = (
    "The content filter objects to a picture or video that was given: use a different one."
)
_EITHER: Final = (
    "The content filter objects to the prompt or to a picture and does not say which: rephrase"
    " the prompt first."
)
_RESULT: Final = (
    "The content filter objects to the generated result: rephrase the prompt. Another variation of"
    " the same request sometimes passes, and may be charged."
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
"""Every code of Ark that begins with "input" or "output" contains one of these words."""
_BY_CODE: Final = {"1301": _EITHER, "no_output": _RESULT}


def advice(code: str | None) -> str | None:
    """What to change if *code* comes from a content filter; None for every other code."""
    key = (code or "").strip().lower()
    if key in _BY_CODE:
        return _BY_CODE[key]
    if key.startswith(("input", "output")) and not any(word in key for word in _FILTER_WORDS):
        return None
    return next((text for prefix, text in _BY_PREFIX.items() if key.startswith(prefix)), None)
