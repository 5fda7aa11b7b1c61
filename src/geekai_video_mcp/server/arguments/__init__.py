"""The tools' arguments as pydantic models. Pure.

Field names are GeekAI's where it has one. Only what no model could use is refused here; what a
particular model supports is decided by the catalogue and the service, and sizes, resolutions,
ratios, fps and durations are passed through as the caller wrote them.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from geekai_video_mcp.domain.lifecycle import Media
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.errors import NOT_CHARGED, RequestRefused, quote_unless_id
from geekai_video_mcp.media.inputs.fields import MediaFields, media_fields
from geekai_video_mcp.server.arguments.fields import (
    MAX_VALUES,
    PROMPT_LIMIT,
    AnyOrText,
    AnyPicture,
    AnyVideo,
    Audio,
    JsonDecoded,
    Key,
    LongText,
    NotBoolean,
    Picture,
    Pictures,
    ShortText,
    Text,
    VariationNumber,
    Video,
    iterate_json,
    validate_json,
)

MAX_ARGUMENTS: Final = 100
"""Arguments of one call: four times those of the tool that has most."""
MAX_PROBLEMS: Final = 8
"""Wrong arguments that one refusal names: more would only repeat what a caller got wrong."""
MAX_WAIT_SECONDS: Final = 45
"""Seconds. Several clients give a call up after 60, and progress does not move them."""
DEFAULT_WAIT_SECONDS: Final = 15
"""Seconds. Long enough to save a second call for a short clip; under every known patience."""

DEFAULT_PAGE_SIZE: Final = 10
MAX_PAGE_SIZE: Final = 50
"""Tasks on a page; for all of them there is `geekai-video-mcp tasks export`."""

_RATIO: Final = re.compile(r"(\d{1,5})\s*:\s*(\d{1,5})")
_SIZE: Final = re.compile(r"(\d{2,5})\s*[xX*×]\s*(\d{2,5})")
_RESOLUTION: Final = re.compile(r"(\d{3,4})[pP]")
RATIO_SLACK: Final = 0.03
"""Share by which a size may differ from its ratio: 854x480 is meant to be 16:9."""


class Arguments(BaseModel):
    """Base of the tools' arguments: unknown names are refused, null is absent."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    may_cost: ClassVar[bool] = False
    """Whether the tool may cost money, so that a refusal has to say that it did not."""

    @classmethod
    def parse(cls, arguments: Mapping[str, Any], *, service_url: str = "") -> Self:
        """The arguments as a value. Links to the service itself are accepted whatever its host.

        Raises:
            RequestRefused: naming every argument that is wrong, in one line.
        """
        money = NOT_CHARGED if cls.may_cost else None
        if problem := _size_problem(arguments):
            raise RequestRefused(problem, money=money)
        try:
            given = {name: value for name, value in arguments.items() if value is not None}
            return cls.model_validate(given, context={"service_url": service_url})
        except ValidationError as refusal:
            messages = [
                _describe_error(each["loc"], each["type"], each["msg"], cls)
                # Without the input: a message never shows the caller's value itself.
                for each in refusal.errors(
                    include_url=False, include_input=False, include_context=False
                )[:MAX_PROBLEMS]
            ]
            more = refusal.error_count() - MAX_PROBLEMS
            omitted = f"; and {more} more problems" if more > 0 else ""
            problem = "; ".join(dict.fromkeys(messages)) + omitted
            raise RequestRefused(problem, money=money) from None


class ExtraBody(BaseModel):
    """Model-specific settings; members not named here are passed through unchanged."""

    model_config = ConfigDict(extra="allow", frozen=True)

    _all_json = model_validator(mode="before")(validate_json)

    draft: bool | None = None
    return_last_frame: bool | None = None
    movement_amplitude: ShortText | None = Field(None, description="auto, small, medium, large")
    camera_strength: ShortText | None = None
    image_list: Annotated[list[AnyPicture], JsonDecoded] | None = None
    video_list: Annotated[list[AnyVideo], JsonDecoded] | None = None
    camera_control: AnyOrText | None = Field(None, description="Preset, or JSON {type, config}")
    static_mask: AnyPicture | None = None


_EXTRA: Final = {
    "type": "object",
    "description": f"Of single models: {', '.join(ExtraBody.model_fields)}, ...",
}
"""Their names say enough: written out, the members would be a tenth of the whole tool list."""


_OURS: Final = {"idempotency_key", "variation", "dry_run"}
"""Arguments that are not sent: the server's own."""


class Generate(Arguments):
    """What both generating tools take: GeekAI's common fields, and ours."""

    may_cost = True
    media: ClassVar[Media]
    media_fields: ClassVar[MediaFields]
    """Which members of the body are pictures, videos and sound, as the types below mark them."""

    prompt: Text = Field(min_length=1, max_length=PROMPT_LIMIT)
    model: ShortText | None = Field(None, description="GeekAI model id")
    negative_prompt: LongText | None = None
    images: Annotated[list[Picture], Field(max_length=30), JsonDecoded] | None = Field(
        None, description="References, as image"
    )
    size: ShortText | None = Field(None, description="WIDTHxHEIGHT")
    aspect_ratio: ShortText | None = Field(None, description="16:9, 9:16, 1:1, ...")
    quality: ShortText | None = Field(None, description="speed|quality, or std|pro")
    watermark: bool | None = None
    async_: bool = Field(
        default=True, alias="async", description=f"false: wait up to {MAX_WAIT_SECONDS} s"
    )
    extra_body: Annotated[ExtraBody, JsonDecoded, WithJsonSchema(_EXTRA)] | None = None
    retries: Annotated[int, Field(ge=0, le=10), NotBoolean] | None = Field(
        None, description="May cost more"
    )
    idempotency_key: Key | None = Field(None, description="Your name for this request")
    variation: VariationNumber | None = Field(None, description="Another number: another take")
    dry_run: bool = Field(default=False, description="Tell what it would send and cost")

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        cls.media_fields = media_fields(cls)

    @model_validator(mode="after")
    def _reject_conflicts(self) -> Self:
        for problem in self._conflicts():
            if problem:
                raise ValueError(problem)
        return self

    def _conflicts(self) -> tuple[str | None, ...]:
        """What is wrong between fields, each in a sentence."""
        return self._aspect_ratio_conflict(), self._duplicated_in_extra_body()

    def _aspect_ratio_conflict(self) -> str | None:
        size = _SIZE.fullmatch(self.size or "")
        ratio = _RATIO.fullmatch(self.aspect_ratio or "")
        if not (size and ratio) or int(ratio[2]) == 0 or int(size[2]) == 0:
            return None
        ratio_given, ratio_of_size = int(ratio[1]) / int(ratio[2]), int(size[1]) / int(size[2])
        if ratio_given and abs(ratio_of_size / ratio_given - 1) <= RATIO_SLACK:
            return None
        return "size and aspect_ratio contradict each other; give only one"

    def _duplicated_in_extra_body(self) -> str | None:
        extra = set(self.extra_body.model_extra or ()) if self.extra_body else set[str]()
        misplaced = sorted(extra & (set(_argument_names(type(self))) - _OURS))
        if not misplaced:
            return None
        return f"extra_body: {', '.join(misplaced)} belongs at the top level, as an argument"

    def to_request(self, *, default_model: str) -> GenerationRequest:
        """The request to send: what the caller set, a model, and `async` always true.

        GeekAI cuts a synchronous response after five minutes, and with it the id of a task that
        goes on. The caller's `async: false` means "wait here", which this server does itself.
        """
        given = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=_OURS)
        body = {"model": default_model, **given, "async": True}
        return GenerationRequest(self.media, body)


def _argument_names(model: type[BaseModel]) -> Sequence[str]:
    return [info.alias or name for name, info in model.model_fields.items()]


def _drop_repeated_descriptions(schema: dict[str, Any]) -> None:
    """Leave out what the same argument of `generate_video` says: the list is read whole."""
    for name in _argument_names(Generate):
        said = schema["properties"][name]
        schema["properties"][name] = {key: said[key] for key in ("type", "items") if key in said}


class GenerateImage(Generate):
    """Arguments of `generate_image`: POST /images/generations, one picture a task."""

    model_config = ConfigDict(json_schema_extra=_drop_repeated_descriptions)

    media = Media.IMAGE

    image: Picture | None = None
    """To start from."""
    strength: Annotated[float, Field(ge=0, le=1), NotBoolean] | None = None
    style_preset: ShortText | None = None
    output_format: ShortText | None = None
    mask: Picture | None = None
    background: ShortText | None = None


class GenerateVideo(Generate):
    """Arguments of `generate_video`: every field of POST /videos/generations."""

    media = Media.VIDEO

    image: Pictures | None = Field(
        None, description="First frame: https URL, file path, data URI or task:ID"
    )
    image_tail: Picture | None = Field(None, description="Last frame")
    video: Video | None = Field(None, description="Reference: https URL or task:ID")
    audio: Annotated[list[Audio], Field(max_length=10), JsonDecoded] | None = Field(
        None, description="https URLs"
    )
    with_audio: bool | None = Field(None, description="Make sound")
    resolution: ShortText | None = Field(None, description="720p, 1080p, ...")
    duration: Annotated[int, Field(ge=1, le=60), NotBoolean] | None = Field(
        None, description="Seconds"
    )
    fps: Annotated[int, Field(ge=1, le=120), NotBoolean] | None = None

    def _conflicts(self) -> tuple[str | None, ...]:
        return *super()._conflicts(), self._resolution_conflict()

    def _resolution_conflict(self) -> str | None:
        size, lines = _SIZE.fullmatch(self.size or ""), _RESOLUTION.fullmatch(self.resolution or "")
        if not (size and lines) or int(lines[1]) in (int(size[1]), int(size[2])):
            return None
        return "size and resolution contradict each other; give only one"


class GetVideoTask(Arguments):
    """Arguments of `get_video_task`."""

    task_id: ShortText = Field(
        description="From generate_video, or GeekAI's own",
    )
    wait_seconds: Annotated[int, Field(ge=0, le=MAX_WAIT_SECONDS), NotBoolean] = Field(
        DEFAULT_WAIT_SECONDS, description="Answer when it is done, or after this"
    )
    preview: Literal["none", "cover", "frames"] = Field(
        "frames", description="Picture of a finished video"
    )


class ListVideoTasks(Arguments):
    """Arguments of `list_video_tasks`."""

    status: Literal["submitting", "pending", "running", "succeed", "failed", "unknown"] | None = (
        None
    )
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE), NotBoolean] = DEFAULT_PAGE_SIZE
    before: ShortText | None = Field(None, description="A page's next_before")


class ListVideoModels(Arguments):
    """Arguments of `list_video_models`."""

    model: ShortText | None = Field(None, description="All about this one")
    query: ShortText | None = None
    first_frame: bool | None = None
    last_frame: bool | None = None
    references: bool | None = None
    audio: bool | None = Field(None, description="Makes sound")
    seconds: Annotated[int, Field(ge=1, le=60), NotBoolean] | None = Field(
        None, description="At least"
    )
    free: bool | None = None


def _size_problem(arguments: Mapping[str, Any]) -> str | None:
    """What is wrong with the number of values, which no check of one argument counts."""
    if len(arguments) > MAX_ARGUMENTS:
        return f"{len(arguments):,} arguments were given; the limit is {MAX_ARGUMENTS}"
    for name, value in arguments.items():
        if any(True for _ in islice(iterate_json(value), MAX_VALUES, None)):
            return f"{quote_unless_id(name, limit=64)}: has more than {MAX_VALUES:,} values"
    return None


def _describe_error(
    loc: tuple[int | str, ...], kind: str, pydantic_message: str, model: type[BaseModel]
) -> str:
    where = quote_unless_id(".".join(map(str, loc)), limit=64) if loc else ""
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(where, _argument_names(model), n=1)
        hint = (
            f"did you mean {near[0]}?" if near else f"known are {', '.join(_argument_names(model))}"
        )
        return f"{where}: no such argument; {hint}"
    if kind == "missing":
        return f"{where} is required"
    message = pydantic_message
    for prefix in ("Value error, ", "Input ", "String "):
        message = message.removeprefix(prefix)
    return f"{where}: {message}" if where else message
