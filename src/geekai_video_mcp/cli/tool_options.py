"""The options of a command that does what a tool does: one for each argument of the tool.

They are made from the schema that the tool publishes, and their values are read by the tool's own
model, so a command takes what the tool takes. Only help texts are written anew here, where those of
the tool speak to a model. A test holds the two together.
"""

import argparse
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from geekai_video_mcp.domain.media_refs import RefKind, ref_kind
from geekai_video_mcp.errors import RequestRefused
from geekai_video_mcp.quoting import quote
from geekai_video_mcp.server.arguments import Arguments
from geekai_video_mcp.server.schema import compact_schema

Model = type[Arguments]

PICTURE_FORMS: Final = (
    "a file, an https URL, or task:ID of a picture or video (its last frame; task:ID@2.5: at 2.5 s)"
)
VIDEO_HELP: Final[Mapping[str, str]] = {
    "model": "id or usual name, such as kling-video-v2-6 or 'Kling 2.6' (default:"
    " GEEKAI_DEFAULT_MODEL, or the free model)",
    "duration": "seconds, as the model has them; often 5 or 10",
    "resolution": "such as 720p or 4k",
    "aspect_ratio": "such as 16:9 or 9:16 (vertical)",
    "size": "such as 1080x1920, instead of --aspect-ratio and --resolution",
    "with_audio": "also make sound and speech",
    "image": f"first frame: {PICTURE_FORMS}",
    "image_tail": "last frame, named like --image",
    "images": "picture of a person, thing or style that stays the same, named like --image; repeat"
    " for more",
    "video": "task:ID or https URL of a video to extend or edit",
    "audio": "https URL of sound that the video should follow; repeat for more",
    "negative_prompt": "what should not appear",
    "quality": "std or pro (Kling, Veo); speed or quality (CogVideoX); others as the model names"
    " it",
    "fps": "frames per second, such as 24 or 60",
    "watermark": "add one",
    "variation": "2 for a second take, charged as well; without it, the same command returns the"
    " same task while that is new",
    "extra_body": 'settings of one model, such as \'{"camera_control": {"type": "simple", "config":'
    ' {"horizontal": -5}}}\' for Kling',
    "retries": "0 to 10 attempts more by GeekAI; each may be charged",
    "idempotency_key": "your own name for it; used again, it returns the same task",
}
"""What people read about each argument of a video."""
IMAGE_HELP: Final[Mapping[str, str]] = {
    **VIDEO_HELP,
    "model": "id, as GeekAI names its picture models (default: the free model)",
    "image": f"picture to change: {PICTURE_FORMS}",
    "images": "picture to work from, named like --image; repeat for more",
    "size": "such as 1080x1920, instead of --aspect-ratio",
    "quality": "as the model names it",
    "extra_body": "settings of single models",
    "strength": "0 to 1: how much of --image may change",
    "style_preset": "as the model names it",
    "output_format": "png, jpeg or webp",
    "mask": "picture that marks what to change, named like --image",
    "background": "transparent or opaque",
}
"""The same of a picture."""
METAVARS: Final[Mapping[str, str]] = {
    "duration": "SECONDS",
    "extra_body": "JSON",
    "idempotency_key": "NAME",
    "image": "PICTURE",
    "images": "PICTURE",
    "image_tail": "PICTURE",
    "mask": "PICTURE",
    "negative_prompt": "TEXT",
    "size": "WxH",
    "variation": "N",
    "retries": "N",
    "audio": "URL",
}
FILES: Final = frozenset({"image", "image_tail", "images", "mask"})
"""The arguments whose value may be a file."""

_PICTURE_NAME: Final = re.compile(
    r"\.(?:png|jpe?g|webp|gif|bmp|heic|heif|avif|tiff?)$", re.IGNORECASE
)


class NamedFiles(NamedTuple):
    """Arguments with the files that a person named, and the folders of those."""

    arguments: Mapping[str, Any]
    folders: Sequence[Path]


def add_tool_options(
    parser: argparse.ArgumentParser,
    model: Model,
    *,
    without: Collection[str],
    help_texts: Mapping[str, str],
) -> None:
    """Add an option for each argument of *model* but *without*; its value is a text or a list."""
    for name, schema in published_arguments(model).items():
        if name in without:
            continue
        flag = f"--{name.replace('_', '-')}"
        text = help_texts[name].replace("%", "%%")
        if schema.get("type") == "boolean":
            parser.add_argument(
                flag, action=argparse.BooleanOptionalAction, default=None, help=text
            )
            continue
        is_list = schema.get("type") == "array"
        parser.add_argument(
            flag,
            action="append" if is_list else "store",
            metavar=METAVARS.get(name, name.rpartition("_")[2].upper()),
            help=text,
        )


def published_arguments(model: Model) -> Mapping[str, Mapping[str, Any]]:
    """The schema of each argument of *model*, in the order in which the tool publishes them."""
    return compact_schema(model, mode="validation")["properties"]


def given_arguments(
    arguments: argparse.Namespace, model: Model, *, without: Collection[str]
) -> dict[str, Any]:
    """What the options of `add_tool_options` were given."""
    names = (name for name in published_arguments(model) if name not in without)
    values = ((name, getattr(arguments, name)) for name in names)
    return {name: value for name, value in values if value is not None}


def find_files(arguments: Mapping[str, Any]) -> NamedFiles:
    """The arguments with whole paths for the files in them.

    A person may name any file, also by a path relative to the folder that they are in. A tool may
    read those of some folders alone, so the folders of these files are given to it as well.

    Raises:
        RequestRefused: there is no file of this name.
    """
    files = list[Path]()

    def whole(name: str, value: object) -> object:
        if isinstance(value, list):
            return [whole(name, each) for each in cast("list[object]", value)]
        path = _existing_file(value) if isinstance(value, str) else None
        if path is not None:
            files.append(path)
            return str(path)
        if isinstance(value, str) and _is_meant_as_file(value):
            flag = f"--{name.replace('_', '-')}"
            problem = f"{flag}: there is no file {quote(value)}"
            raise RequestRefused(problem, code="no_file", remedy="")
        return value

    found = {
        name: whole(name, value) if name in FILES else value for name, value in arguments.items()
    }
    return NamedFiles(found, list(dict.fromkeys(file.parent for file in files)))


def _is_meant_as_file(text: str) -> bool:
    """Whether a person can have meant nothing but a file."""
    kind = ref_kind(text)
    return kind is RefKind.FILE or (kind is None and _PICTURE_NAME.search(text) is not None)


def _existing_file(text: str) -> Path | None:
    """The real path of the file that *text* names; None if it names none."""
    try:
        path = Path(text).expanduser()
        return path.resolve() if path.is_file() else None
    except (OSError, ValueError, RuntimeError):
        return None
