"""The arguments of the tools that generate, under GeekAI's names. Pure.

Only what no model could use is refused here; what a particular model supports is decided by the
catalogue and the service, and sizes, resolutions, ratios, fps and durations are passed through as
the caller wrote them.
"""

import re
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from geekai_video_mcp.domain.lifecycle import Media
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.media.inputs.fields import MediaFields, media_fields
from geekai_video_mcp.server.arguments.fields import (
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
    validate_json,
)
from geekai_video_mcp.server.arguments.parsing import Arguments, argument_names
from geekai_video_mcp.server.arguments.reads import MAX_WAIT_SECONDS

_RATIO: Final = re.compile(r"(\d{1,5})\s*:\s*(\d{1,5})")
_SIZE: Final = re.compile(r"(\d{2,5})\s*[xX*×]\s*(\d{2,5})")
_RESOLUTION: Final = re.compile(r"(\d{3,4})[pP]")
RATIO_SLACK: Final = 0.03
"""Share by which a size may differ from its ratio: 854x480 is meant to be 16:9."""

_IN_ORDER: Final = (
    "prompt",
    "model",
    "image",
    "image_tail",
    "duration",
    "aspect_ratio",
    "resolution",
    "size",
    "with_audio",
    "images",
    "video",
    "audio",
    "negative_prompt",
    "quality",
    "fps",
    "watermark",
    "variation",
    "dry_run",
    "extra_body",
    "async",
    "retries",
    "idempotency_key",
)
"""The order in which people think of them, and in which a model reads them."""


def _in_order(schema: dict[str, Any]) -> None:
    properties = schema["properties"]
    first = {name: properties[name] for name in _IN_ORDER if name in properties}
    schema["properties"] = {**first, **properties}


class ExtraBody(BaseModel):
    """Model-specific settings; members not named here are passed through unchanged."""

    model_config = ConfigDict(extra="allow", frozen=True)

    _all_json = model_validator(mode="before")(validate_json)

    draft: bool | None = None
    return_last_frame: bool | None = None
    movement_amplitude: ShortText | None = None
    camera_strength: ShortText | None = None
    image_list: Annotated[list[AnyPicture], JsonDecoded] | None = None
    video_list: Annotated[list[AnyVideo], JsonDecoded] | None = None
    camera_control: AnyOrText | None = None
    static_mask: AnyPicture | None = None


def _extra_body(description: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "object", "description": description})


_OURS: Final = {"idempotency_key", "variation", "dry_run"}
"""Arguments that are not sent: the server's own."""


class Generate(Arguments):
    """What both generating tools take: GeekAI's common fields, and ours."""

    model_config = ConfigDict(json_schema_extra=_in_order)

    may_cost = True
    media: ClassVar[Media]
    media_fields: ClassVar[MediaFields]
    """Which members of the body are pictures, videos and sound, as the types below mark them."""

    prompt: Text = Field(min_length=1, max_length=PROMPT_LIMIT)
    model: ShortText | None = None
    negative_prompt: LongText | None = Field(None, description="What should not appear.")
    images: Annotated[list[Picture], Field(max_length=30), JsonDecoded] | None = None
    size: ShortText | None = None
    aspect_ratio: ShortText | None = None
    quality: ShortText | None = None
    watermark: bool | None = Field(None, description="true: add the provider's watermark.")
    async_: bool = Field(default=True, alias="async")
    extra_body: Annotated[ExtraBody, JsonDecoded] | None = None
    retries: Annotated[int, Field(ge=0, le=10), NotBoolean] | None = Field(
        None, description="Automatic retries by GeekAI, 0 to 10, default 0. Each may be charged."
    )
    idempotency_key: Key | None = Field(
        None,
        description="Your own name for this request. Repeating it returns the same task for good.",
    )
    variation: VariationNumber | None = None
    dry_run: bool = Field(
        default=False,
        description="true: check the request and show its price. Nothing is sent.",
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        cls.media_fields = media_fields(cls)

    @property
    def waits(self) -> bool:
        """Whether the call waits for the finished result."""
        return not self.async_

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
        misplaced = sorted(extra & (set(argument_names(type(self))) - _OURS))
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


_VIDEO_EXTRAS: Final = (
    "Settings that only some models have; list_video_models with model shows them. Kling camera"
    ' moving left: {"camera_control": {"type": "simple", "config": {"horizontal": -5}}}; one of'
    " horizontal, vertical, pan, tilt, roll, zoom, from -10 to 10. For other models write the"
    " camera movement in the prompt."
)
_FORMS: Final = (
    '"task:ID" of an earlier picture or video (a video gives its last frame), an https URL, or the'
    " absolute path of a PNG, JPEG or WebP file on this computer"
)


class GenerateVideo(Generate):
    """Arguments of `generate_video`: every field of POST /videos/generations."""

    media = Media.VIDEO

    prompt: Text = Field(
        min_length=1,
        max_length=PROMPT_LIMIT,
        description="What should be seen, in any language: subject, action, place, light, camera,"
        " and sound if there is any.",
    )
    model: ShortText | None = Field(None, description="Model id from list_video_models.")
    image: Pictures | None = Field(
        None,
        description=f"First frame: {_FORMS}. A picture seen only in the chat has no path: ask the"
        " user for the file or a link.",
    )
    image_tail: Picture | None = Field(None, description="Last frame, in the same forms as image.")
    duration: Annotated[int, Field(ge=1, le=60), NotBoolean] | None = Field(
        None,
        description="Length in seconds, one of those list_video_models shows; often 5 or 10.",
    )
    aspect_ratio: ShortText | None = Field(
        None, description="For example 16:9, 9:16 (vertical) or 1:1."
    )
    resolution: ShortText | None = Field(None, description="For example 720p, 1080p or 4k.")
    size: ShortText | None = Field(
        None,
        description="WIDTHxHEIGHT in pixels, for example 1080x1920 for vertical, instead of"
        " aspect_ratio and resolution.",
    )
    with_audio: bool | None = Field(
        None, description="true: the model also makes sound (ambience, effects, speech)."
    )
    images: Annotated[list[Picture], Field(max_length=30), JsonDecoded] | None = Field(
        None,
        description="Reference pictures, so that a person, thing or style looks the same in several"
        " videos; not the first frame. Each in the same forms as image.",
    )
    video: Video | None = Field(
        None,
        description='"task:ID" or https URL of a video to extend or edit, only for models that take'
        " video.",
    )
    audio: Annotated[list[Audio], Field(max_length=10), JsonDecoded] | None = Field(
        None,
        description="https URLs of sound files that the video should follow. Not for making sound:"
        " that is with_audio.",
    )
    quality: ShortText | None = Field(
        None,
        description="std or pro (Kling, Veo); speed or quality (CogVideoX: how carefully it works,"
        " not playback speed).",
    )
    fps: Annotated[int, Field(ge=1, le=120), NotBoolean] | None = Field(
        None, description="Frames per second, for example 24, 30 or 60."
    )
    variation: VariationNumber | None = Field(
        None,
        description="Number of this take, not how many to make. Leave it out for the first, 2 for"
        " the second, 3 for the third: one call each, each charged. Without it, the same request"
        " again returns the same task.",
    )
    extra_body: Annotated[ExtraBody, JsonDecoded, _extra_body(_VIDEO_EXTRAS)] | None = None
    async_: bool = Field(
        default=True,
        alias="async",
        description=f"false: wait up to {MAX_WAIT_SECONDS} s for the finished video.",
    )

    def _conflicts(self) -> tuple[str | None, ...]:
        return *super()._conflicts(), self._resolution_conflict()

    def _resolution_conflict(self) -> str | None:
        size, lines = _SIZE.fullmatch(self.size or ""), _RESOLUTION.fullmatch(self.resolution or "")
        if not (size and lines) or int(lines[1]) in (int(size[1]), int(size[2])):
            return None
        return "size and resolution contradict each other; give only one"


class GenerateImage(Generate):
    """Arguments of `generate_image`: POST /images/generations, one picture a task."""

    media = Media.IMAGE

    prompt: Text = Field(
        min_length=1, max_length=PROMPT_LIMIT, description="What should be seen, in any language."
    )
    model: ShortText | None = Field(None, description="Image model id; normally left out.")
    aspect_ratio: ShortText | None = Field(
        None, description="The same as that of the planned video."
    )
    size: ShortText | None = Field(None, description="WIDTHxHEIGHT in pixels.")
    image: Picture | None = Field(
        None, description="Picture to change, in the same forms as image of generate_video."
    )
    images: Annotated[list[Picture], Field(max_length=30), JsonDecoded] | None = Field(
        None, description="Pictures to work from, in the same forms."
    )
    variation: VariationNumber | None = Field(
        None, description="Number of this take, as in generate_video."
    )
    strength: Annotated[float, Field(ge=0, le=1), NotBoolean] | None = Field(
        None, description="0 to 1: how much of image may change."
    )
    style_preset: ShortText | None = Field(
        None, description="Name of a style, if the model has any."
    )
    output_format: ShortText | None = Field(None, description="png, jpeg or webp.")
    mask: Picture | None = Field(
        None, description="Picture that marks what of image is to be changed."
    )
    background: ShortText | None = Field(None, description="transparent or opaque.")
    quality: ShortText | None = Field(None, description="As the model names it.")
    extra_body: (
        Annotated[ExtraBody, JsonDecoded, _extra_body("Settings that only some models have.")]
        | None
    ) = None
    async_: bool = Field(
        default=False,
        alias="async",
        description="true: return a task_id at once and do not wait.",
    )
