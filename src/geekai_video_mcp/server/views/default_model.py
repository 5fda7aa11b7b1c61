"""Stub until the branch `lists` is merged."""

from geekai_video_mcp.domain.lifecycle import Media


def describe_default(model_id: str, media: Media) -> str:
    del media
    return f"Default model: {model_id}."
