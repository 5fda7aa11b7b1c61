"""The arguments of the tools that generate, under GeekAI's names. Pure.

Only what no model could use is refused here; what a particular model supports is decided by the
catalogue and the service.
"""

from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator

from geekai_video_mcp.domain.media_fields import MediaFields, media_fields
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.server import MAX_WAIT_SECONDS
from geekai_video_mcp.server.arguments.extra_body import ExtraBody
from geekai_video_mcp.server.arguments.fields import (
    INT32,
    AudioList,
    Key,
    NumberOrText,
    ObjectDecoded,
    Picture,
    PictureList,
    Pictures,
    Prompt,
    ShortText,
    TextOrList,
    Video,
)
from geekai_video_mcp.server.arguments.frame_size import (
    AspectRatio,
    Resolution,
    Size,
    lines_conflict,
    ratio_conflict,
    spell_settings,
)
from geekai_video_mcp.server.arguments.parsing import Arguments, argument_names
from geekai_video_mcp.server.arguments.values import (
    FRAMES_PER_SECOND,
    SECONDS,
    Boolean,
    number_between,
    whole_number,
)

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


def _extra_body(description: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "object", "description": description})


MAX_SECONDS: Final = 60
"""Seconds of a video: more than any model makes."""
MAX_FPS: Final = 120
_OURS: Final = {"idempotency_key", "variation", "dry_run"}
"""Arguments that are not sent: the server's own."""


Variation = Annotated[int, whole_number(1, INT32, rule="a whole number, such as 2")]


class Generate(Arguments):
    """What both generating tools take: GeekAI's common fields, and ours."""

    model_config = ConfigDict(json_schema_extra=_in_order)

    may_cost = True
    media: ClassVar[Media]
    media_fields: ClassVar[MediaFields]
    """Which members of the body are pictures, videos and sound, as the types below mark them."""

    prompt: Prompt
    model: ShortText | None = None
    negative_prompt: TextOrList | None = Field(None, description="What should not appear.")
    images: PictureList | None = None
    size: Size | None = None
    aspect_ratio: AspectRatio | None = None
    quality: NumberOrText | None = None
    watermark: Boolean | None = Field(None, description="true: add it.")
    async_: Boolean = Field(default=True, alias="async")
    extra_body: Annotated[ExtraBody, ObjectDecoded] | None = None
    retries: Annotated[int, whole_number(0, 10)] | None = Field(
        None, description="0 to 10; each may be charged."
    )
    idempotency_key: Key | None = Field(
        None,
        description="Your own name for it; used again, it returns the same task.",
    )
    variation: Variation | None = None
    dry_run: Boolean = Field(
        default=False,
        description="true: only show the price.",
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
        return ratio_conflict(self.size, self.aspect_ratio), self._duplicated_in_extra_body()

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
        body: dict[str, Any] = {"model": default_model, **given, "async": True}
        if not body.get("extra_body", True):  # every member of it was null
            del body["extra_body"]
        return GenerationRequest(self.media, spell_settings(body))


_VIDEO_EXTRAS: Final = (
    "Settings that list_video_models shows for a model, such as"
    ' {"camera_control": {"type": "simple", "config": {"horizontal": -5}}} for Kling. Other models:'
    " write movement in the prompt."
)
_FORMS: Final = (
    '"task:ID" of a picture or video, also a running one (its last frame; "task:ID@2.5": at'
    " 2.5 s), an https URL, or a file's absolute path if this server is on the user's computer"
)


class GenerateVideo(Generate):
    """Arguments of `generate_video`: every field of POST /videos/generations."""

    media = Media.VIDEO

    prompt: Prompt = Field(
        description="What should be seen and heard, in any language.",
    )
    model: ShortText | None = Field(None, description="Id or usual name.")
    image: Pictures | None = Field(
        None,
        description=f"First frame: {_FORMS}. A picture in the chat has no path: ask for"
        " the file or a link.",
    )
    image_tail: Picture | None = Field(None, description="Last frame, named like image.")
    duration: Annotated[int, whole_number(1, MAX_SECONDS, units=SECONDS)] | None = Field(
        None,
        description="Seconds, as list_video_models shows; often 5 or 10.",
    )
    aspect_ratio: AspectRatio | None = Field(None, description="Such as 16:9 or 9:16 (vertical).")
    resolution: Resolution | None = Field(None, description="Such as 720p or 4k.")
    size: Size | None = Field(
        None,
        description="Such as 1080x1920, instead of aspect_ratio and resolution.",
    )
    with_audio: Boolean | None = Field(None, description="true: also make sound and speech.")
    images: PictureList | None = Field(
        None,
        description="Reference pictures that keep a person, thing or style the same; no first"
        " frame.",
    )
    video: Video | None = Field(
        None,
        description='"task:ID" or https URL of a video to extend or edit.',
    )
    audio: AudioList | None = Field(
        None,
        description="https URLs of sound that the video should follow.",
    )
    quality: NumberOrText | None = Field(
        None,
        description="std or pro (Kling, Veo); speed or quality (CogVideoX).",
    )
    fps: Annotated[int, whole_number(1, MAX_FPS, units=FRAMES_PER_SECOND)] | None = Field(
        None, description="Such as 24 or 60."
    )
    variation: Variation | None = Field(
        None,
        description="2 for a second take, charged as well; it is no count. Without it, the same"
        " call returns the same task.",
    )
    extra_body: Annotated[ExtraBody, ObjectDecoded, _extra_body(_VIDEO_EXTRAS)] | None = None
    async_: Boolean = Field(
        default=True,
        alias="async",
        description=f"false: wait up to {MAX_WAIT_SECONDS} s for the video.",
    )

    def _conflicts(self) -> tuple[str | None, ...]:
        return *super()._conflicts(), lines_conflict(self.size, self.resolution)


class GenerateImage(Generate):
    """Arguments of `generate_image`: POST /images/generations, one picture a task."""

    media = Media.IMAGE

    prompt: Prompt = Field(description="What should be seen.")
    model: ShortText | None = Field(None, description="Normally left out.")
    aspect_ratio: AspectRatio | None = Field(None, description="That of the planned video.")
    size: Size | None = Field(None, description="WIDTHxHEIGHT in pixels.")
    image: Picture | None = Field(None, description="Picture to change, as in generate_video.")
    images: PictureList | None = Field(None, description="Pictures to work from.")
    variation: Variation | None = Field(None, description="2 for a second take.")
    idempotency_key: Key | None = Field(None, description="As in generate_video.")
    strength: Annotated[float, number_between(0, 1)] | None = Field(
        None, description="0 to 1: how much may change."
    )
    style_preset: NumberOrText | None = Field(None, description="As the model names it.")
    output_format: NumberOrText | None = Field(None, description="png, jpeg, webp.")
    mask: Picture | None = Field(None, description="Picture that marks what to change.")
    background: NumberOrText | None = Field(None, description="transparent or opaque.")
    quality: NumberOrText | None = Field(None, description="As the model names it.")
    extra_body: (
        Annotated[ExtraBody, ObjectDecoded, _extra_body("Settings of single models.")] | None
    ) = None
    async_: Boolean = Field(
        default=False,
        alias="async",
        description="true: do not wait.",
    )
