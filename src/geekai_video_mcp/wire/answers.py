"""What we read: a stranger's JSON, each field in any shape that it was met in. Pure."""

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


def _none_if_unreadable(value: object, handler: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 - any field's own type
    """A field in a shape that cannot be read is a field that was not given."""
    try:
        return handler(value)
    except ValidationError:
        return None


_LENIENT: Final = ConfigDict(
    frozen=True,
    extra="ignore",
    coerce_numbers_to_str=True,
    # A blank id, link or word is none: a task could never be asked for by it.
    str_strip_whitespace=True,
    str_min_length=1,
    # Python reads NaN and Infinity from JSON, and no JSON reader takes them from us.
    allow_inf_nan=False,
)

LenientText = Annotated[str | None, WrapValidator(_none_if_unreadable)]
LenientNumber = Annotated[float | None, WrapValidator(_none_if_unreadable)]


class VideoResult(BaseModel):
    """`video_result`, or one entry of it where it comes as an array."""

    model_config = _LENIENT

    id: LenientText = None
    url: LenientText = None
    cover_image_url: LenientText = None
    last_frame_url: LenientText = None
    duration: LenientNumber = None
    revised_prompt: LenientText = None


class ImageResult(BaseModel):
    """One entry of `data`, the result of a picture."""

    model_config = _LENIENT

    url: LenientText = None
    b64_json: LenientText = None
    revised_prompt: LenientText = None

    @property
    def link(self) -> str | None:
        """Where the picture is, or the picture itself."""
        if self.url or not self.b64_json:
            return self.url
        return f"data:;base64,{self.b64_json}"


class ErrorBody(BaseModel):
    """`error`: an object by the documents, a string at times."""

    model_config = _LENIENT

    code: LenientText = None
    message: LenientText = None


def _as_entries(value: object) -> list[object]:
    """`video_result`: an object by the reference page, an array by every recent sample."""
    entries = cast("list[object]", value) if isinstance(value, list) else [value]
    return [entry for entry in entries if isinstance(entry, Mapping)]


def _error_object(value: object) -> object:
    return cast("object", value) if isinstance(value, Mapping) else {"message": value}


class TaskResponse(BaseModel):
    """An answer of any endpoint: the task as the service sees it now."""

    model_config = _LENIENT

    model: LenientText = None
    task_id: LenientText = None
    task_status: LenientText = None
    video_result: Annotated[list[VideoResult], BeforeValidator(_as_entries)] = []
    data: Annotated[list[ImageResult], BeforeValidator(_as_entries)] = []
    error: Annotated[ErrorBody, BeforeValidator(_error_object)] = ErrorBody()
    message: LenientText = None
    estimated_seconds: LenientNumber = None


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
