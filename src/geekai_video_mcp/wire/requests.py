"""What we send: the bodies of both POSTs, in GeekAI's documented spelling. Pure."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from geekai_video_mcp.lifecycle import Media


class GenerationRequest(BaseModel):
    """What both of the service's POSTs take. Only what was set is sent."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    media: ClassVar[Media]

    model: str
    prompt: str
    negative_prompt: str | None = None
    images: list[str] | None = None
    size: str | None = None
    aspect_ratio: str | None = None
    quality: str | None = None
    watermark: bool | None = None
    async_: bool | None = Field(None, alias="async")
    extra_body: dict[str, Any] | None = None
    retries: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The body as it leaves."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ImageRequest(GenerationRequest):
    """The body of POST /images/generations.

    Without `n`, for each picture is a task of its own, and without `response_format`: a
    link and base64 are both read.
    """

    media: ClassVar = Media.IMAGE

    image: str | None = None
    strength: float | None = None
    style_preset: str | None = None
    output_format: str | None = None
    mask: str | None = None
    background: str | None = None


class VideoRequest(GenerationRequest):
    """The body of POST /videos/generations.

    `images`, `video` and `audio` are newer than the reference page; GeekAI's model pages
    for Veo 3.1 and Seedance name them.
    """

    media: ClassVar = Media.VIDEO

    image: str | list[str] | None = None
    """One picture by the reference page; CogVideoX-3's page takes [first, last] here."""
    image_tail: str | None = None
    video: str | None = None
    audio: list[str] | None = None
    with_audio: bool | None = None
    resolution: str | None = None
    duration: int | None = None
    fps: int | None = None
