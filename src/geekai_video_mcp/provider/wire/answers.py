"""What a JSON object says about one task, however a gateway has wrapped it. Pure.

A body may be the task itself, or an envelope with the task in `data`, `output`, `result` or
`task`, as an object, as the entry of a list or as JSON text. What the envelope says of itself
("code": 0, "status": "success") is about the call, and not about the task.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import (
    Media,
    Result,
)
from geekai_video_mcp.provider.wire.bodies import is_task_id
from geekai_video_mcp.provider.wire.responses import AnswerLayer
from geekai_video_mcp.provider.wire.results import BLOT, find_result, parse_text, repeats_secret
from geekai_video_mcp.provider.wire.statuses import NO_ERROR, known_status
from geekai_video_mcp.quoting import sanitize

_WRAPPERS: Final = ("data", "output", "result", "task")
_MAX_LAYERS: Final = 8


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one response says about a task."""

    task_id: str | None
    word: str | None
    """The word for the task's status."""
    status: Status | None
    """What the word means; None without one, and for one that is unheard of."""
    documented: bool
    """Whether the word is the value of `task_status`."""
    result: Result | None
    repeats_secret: bool
    """Whether the link of a finished one repeats a secret of ours, and so is none."""
    model: str | None
    estimated_seconds: float | None
    ignored: tuple[str, ...]
    """The fields of the request that the sandbox says had no effect."""
    code: str | None
    """The code of an envelope, which is about the call."""
    error_code: str | None
    error_message: str | None
    has_error: bool
    """Whether `error` says anything: the other words may be about a call that worked."""


def read_answer(body: Mapping[str, object], media: Media) -> Answer:
    """Read *body* as the state of one task; nothing in it needs to be there."""
    layers = [AnswerLayer.model_validate(_rename(layer)) for layer in _find_layers(body)]
    result = find_result(body, media)
    task_id = _find_task_id(layers)
    word, documented = _find_word(layers, names_task=task_id is not None)
    error_code, error_message = _find_error(layers)
    status = known_status(word)
    missing = status is Status.SUCCEED and result is None
    return Answer(
        task_id=task_id,
        word=word,
        status=status,
        documented=documented,
        result=result,
        repeats_secret=missing and repeats_secret(body, media),
        model=next((layer.model for layer in layers if layer.model), None),
        estimated_seconds=next(
            (layer.estimated_seconds for layer in layers if layer.estimated_seconds is not None),
            None,
        ),
        ignored=layers[0].sandbox.ignored,
        code=layers[0].code,
        error_code=sanitize(error_code, limit=64) if error_code else None,
        error_message=sanitize(error_message) if error_message else None,
        has_error=any(_says_something(layer) for layer in layers),
    )


def _find_layers(body: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The body, and the objects that it wraps; the outermost first."""
    layers = [body]
    for layer in layers:  # it grows meanwhile
        for name in _WRAPPERS:
            value = layer.get(name)
            if isinstance(value, str):
                value = parse_text(value.strip())
            entries = cast("list[object]", value) if isinstance(value, list) else [value]
            for entry in entries[:_MAX_LAYERS]:
                if isinstance(entry, Mapping) and entry and len(layers) < _MAX_LAYERS:
                    layers.append(cast("Mapping[str, object]", entry))
    return layers


def _rename(layer: Mapping[str, object]) -> dict[str, object]:
    """The members that are read, without the pictures that others may hold."""
    names = {name: name for name in AnswerLayer.model_fields} | {"task_id_camel": "taskId"}
    return {name: layer[spelt] for name, spelt in names.items() if spelt in layer}


def _find_task_id(layers: list[AnswerLayer]) -> str | None:
    ids = [layer.task_id or layer.task_id_camel for layer in layers]
    # `id` alone may be a request's or a result's: it counts beside a word for a status.
    ids += [layer.id for layer in layers if known_status(layer.status or layer.task_status)]
    return next((one for one in ids if one and is_task_id(one) and BLOT not in one), None)


def _find_word(layers: list[AnswerLayer], *, names_task: bool) -> tuple[str | None, bool]:
    """The word for the task's status, and whether it is the documented one."""
    for layer in layers:
        if layer.task_status:
            return layer.task_status, True
    if not names_task:
        return None, False  # "status" of an answer that names no task is about the call
    for depth, layer in reversed(list(enumerate(layers))):
        word = layer.status or layer.state
        status = known_status(word)
        if status is not None and not (
            depth == 0 and len(layers) > 1 and status in {Status.SUCCEED, Status.FAILED}
        ):
            return word, False
    return None, False


def _says_something(layer: AnswerLayer) -> bool:
    words = (layer.error.code, layer.error.message)
    return any(word and word.lower() not in NO_ERROR for word in words)


def _find_error(layers: list[AnswerLayer]) -> tuple[str | None, str | None]:
    """The code and the message of the first error; without one, a message beside it."""
    for layer in layers:
        if _says_something(layer):
            return layer.error.code, layer.error.message or layer.message
    for layer in reversed(layers):
        for text in (layer.message, layer.msg, layer.task_status_msg, layer.fail_reason):
            if text and text.lower() not in NO_ERROR:
                return None, text
    return None, None
