"""Models of the service's responses, which accept each field in every observed form. Pure."""

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
    """`video_result`, or one entry of it if it is an array."""

    model_config = _LENIENT

    id: LenientText = None
    url: LenientText = None
    cover_image_url: LenientText = None
    last_frame_url: LenientText = None
    duration: LenientNumber = None
    revised_prompt: LenientText = None


class ImageResult(BaseModel):
    """One entry of `data`, the result of an image task."""

    model_config = _LENIENT

    url: LenientText = None
    b64_json: LenientText = None
    revised_prompt: LenientText = None

    @property
    def link(self) -> str | None:
        """The URL of the image, or the image itself as a data URI."""
        if self.url or not self.b64_json:
            return self.url
        return f"data:;base64,{self.b64_json}"


class ErrorBody(BaseModel):
    """`error`: documented as an object, sometimes a string."""

    model_config = _LENIENT

    code: LenientText = None
    message: LenientText = None


def _as_entries(value: object) -> list[object]:
    """`video_result`: an object in the API reference, an array in every recent sample."""
    entries = cast("list[object]", value) if isinstance(value, list) else [value]
    return [entry for entry in entries if isinstance(entry, Mapping)]


def _error_object(value: object) -> object:
    return cast("object", value) if isinstance(value, Mapping) else {"message": value}


class TaskResponse(BaseModel):
    """The response of any endpoint for tasks: the current state of one task."""

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
