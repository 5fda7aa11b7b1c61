"""The service's responses, which accept each field in every observed form. Pure."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

MAX_IGNORED: Final = 20
"""Names of ignored fields that are read; the sandbox lists up to fifty."""
MAX_MODELS: Final = 1000
"""Entries of a page of models that are read; a hundred are requested."""


def _none_if_unreadable(value: object, handler: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 - any field's own type
    """Treat a value of an unexpected type as missing."""
    try:
        return handler(value)
    except ValidationError:
        return None


_LENIENT: Final = ConfigDict(
    frozen=True,
    extra="ignore",
    coerce_numbers_to_str=True,
    # A blank id, link or text counts as missing: no task could be requested with it.
    str_strip_whitespace=True,
    str_min_length=1,
    # Python parses NaN and Infinity, but they are not valid in the JSON that we write.
    allow_inf_nan=False,
)

LenientText = Annotated[str | None, WrapValidator(_none_if_unreadable)]
LenientNumber = Annotated[float | None, WrapValidator(_none_if_unreadable)]


class VideoResult(BaseModel):
    """What stands beside the link of a result."""

    model_config = _LENIENT

    id: LenientText = None
    cover_image_url: LenientText = None
    last_frame_url: LenientText = None
    duration: LenientNumber = None
    revised_prompt: LenientText = None


class ErrorBody(BaseModel):
    """`error`: documented as an object, sometimes a string."""

    model_config = _LENIENT

    code: LenientText = None
    message: LenientText = None


def _error_object(value: object) -> object:
    return cast("object", value) if isinstance(value, Mapping) else {"message": value}


def _as_names(value: object) -> list[object]:
    """The names of fields; whatever else stands beside them is passed over."""
    entries = cast("list[object]", value) if isinstance(value, list) else []
    return [entry for entry in entries[:MAX_IGNORED] if isinstance(entry, str) and entry.strip()]


class SandboxNote(BaseModel):
    """`sandbox`: what the sandbox says about a task beside GeekAI's own fields."""

    model_config = _LENIENT

    ignored: Annotated[tuple[str, ...], BeforeValidator(_as_names)] = ()
    """The fields of the request that had no effect on the preview."""


def _note_object(value: object) -> object:
    return cast("object", value) if isinstance(value, Mapping) else {}


class AnswerLayer(BaseModel):
    """The state of one task, as one object of a response has it; see `answers`."""

    model_config = _LENIENT

    model: LenientText = None
    task_id: LenientText = None
    task_status: LenientText = None
    error: Annotated[ErrorBody, BeforeValidator(_error_object)] = ErrorBody()
    message: LenientText = None
    estimated_seconds: LenientNumber = None
    sandbox: Annotated[SandboxNote, BeforeValidator(_note_object)] = SandboxNote()

    # What gateways use beside or instead of GeekAI's names.
    task_id_camel: LenientText = None
    id: LenientText = None
    status: LenientText = None
    state: LenientText = None
    code: LenientText = None
    msg: LenientText = None
    fail_reason: LenientText = None
    task_status_msg: LenientText = None


def _as_entries(value: object) -> list[object]:
    """`data`, an array of objects; whatever else stands in it is passed over."""
    entries = cast("list[object]", value) if isinstance(value, list) else [value]
    return [entry for entry in entries[:MAX_MODELS] if isinstance(entry, Mapping)]


class ModelEntry(BaseModel):
    """An entry of `data` in a page of GET /models."""

    model_config = _LENIENT

    id: LenientText = None
    type: LenientText = None
    status: LenientText = None


class ModelsResponse(BaseModel):
    """A page of GET /models."""

    model_config = _LENIENT

    data: Annotated[list[ModelEntry], BeforeValidator(_as_entries)]
    total: LenientNumber = None
