"""Parsing of a POST body into a new task.

Reads the request, its input images and its plan, in that order; nothing is written and
nothing is charged before all of it is valid.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import NamedTuple, NoReturn, cast

from .errors import validation_error
from .estimates import image_seconds, render_seconds
from .fields import FieldReader
from .image_plan import ImagePlan, make_image_plan, wants_base64
from .input_images import FindBytes, InputImage, read_input_image
from .plan import Plan, make_plan
from .store import NewTask, Shape, Task, unix_time


class ParsedRequest(NamedTuple):
    """The new task of a valid request, and whether the caller waits for the result."""

    new_task: NewTask
    wait: bool


def parse_video_request(
    body: bytes, *, find: FindBytes, choose_shape: Callable[[int], Shape]
) -> ParsedRequest:
    """Parse the *body* of a video request.

    *choose_shape* chooses the shape of `video_result` by the task's number.

    Raises:
        ApiError: the request is not valid; the message says why.
    """
    fields = FieldReader(_parse_json_object(body))
    extra_body = fields.read_object("extra_body")
    first, tail = _read_first_and_last_image(fields, find)
    plan = make_plan(fields, extra_body, first=first, tail=tail)
    wait, ignored = _read_common_fields(fields, extra_body)
    ignored += plan.ignored
    expected = render_seconds(plan)

    def make_task(task_id: str, number: int) -> Task:
        return Task(
            id=task_id,
            number=number,
            model=plan.model,
            prompt=plan.prompt,
            charged_at=unix_time(),
            shape=choose_shape(number),
            expected_seconds=expected,
            last_frame=plan.last_frame,
            ignored=ignored,
        )

    images = {
        name: image.content
        for name, image in ((plan.image, first), (plan.image_tail, tail))
        if name and image
    }
    return ParsedRequest(_new_task(make_task, "plan.json", plan, images), wait)


def parse_image_request(body: bytes, *, find: FindBytes) -> ParsedRequest:
    """Parse the *body* of an image request.

    Raises:
        ApiError: the request is not valid; the message says why.
    """
    fields = FieldReader(_parse_json_object(body))
    extra_body = fields.read_object("extra_body")
    image = _read_first_image(fields, find)
    plan = make_image_plan(fields, image)
    inline = wants_base64(fields)
    wait, ignored = _read_common_fields(fields, extra_body)
    expected = image_seconds(plan)

    def make_task(task_id: str, number: int) -> Task:
        return Task(
            id=task_id,
            number=number,
            model=plan.model,
            prompt=plan.prompt,
            charged_at=unix_time(),
            shape="data",
            expected_seconds=expected,
            inline=inline,
            ignored=ignored,
        )

    images = {plan.image: image.content} if plan.image and image else {}
    return ParsedRequest(_new_task(make_task, "picture.json", plan, images), wait)


def _new_task(
    build: Callable[[str, int], Task], name: str, plan: Plan | ImagePlan, images: dict[str, bytes]
) -> NewTask:
    """Return the task of *plan*, which is stored as *name* with the number of its take."""

    def encode(take: int) -> bytes:
        numbered = plan.model_copy(update={"take": take})
        return numbered.model_dump_json(exclude=None if take else {"take"}).encode()

    def make_files(take: int) -> dict[str, bytes]:
        return {name: encode(take), **images}

    fingerprint = hashlib.sha256(encode(0))
    for content in images.values():
        fingerprint.update(hashlib.sha256(content).digest())
    return NewTask(build, fingerprint.hexdigest(), make_files)


def _read_common_fields(
    fields: FieldReader, extra_body: FieldReader
) -> tuple[bool, tuple[str, ...]]:
    """Return whether the caller waits for the result, and the names of the ignored fields."""
    wait = not fields.read_flag("async")
    # Checked and not used: GeekAI's retries are not visible to a client, and the sandbox
    # always retries a renderer that died.
    fields.read_number("retries")
    return wait, tuple(fields.ignored_names() + extra_body.ignored_names())


def _parse_json_object(body: bytes) -> dict[str, object]:
    try:
        parsed: object = json.loads(body, parse_constant=_reject_constant)
    except (ValueError, RecursionError) as exc:
        raise validation_error(message="The request body must be JSON.") from exc
    if not isinstance(parsed, dict):
        raise validation_error(message="The request body must be a JSON object.")
    return cast("dict[str, object]", parsed)


def _reject_constant(word: str) -> NoReturn:
    # Python accepts NaN and Infinity, which are not JSON and would make the plan invalid.
    raise ValueError(word)


def _read_first_image(fields: FieldReader, find: FindBytes) -> InputImage | None:
    """Return the image to start from; of several, only the first is used."""
    for name in ("image", "images"):
        sources = _image_sources(fields.read_value(name), name)
        if len(sources) > 1:
            fields.mark_ignored(name)
        if sources:
            return read_input_image(sources[0], name, find=find)
    return None


def _read_first_and_last_image(
    fields: FieldReader, find: FindBytes
) -> tuple[InputImage | None, InputImage | None]:
    """Return the images of the first and the last frame.

    Older pages (cogvideox-3, read 2026-11-22) have both in `image` as an array. The sandbox
    cannot place reference images, so the first of them becomes the first frame.
    """
    image, tail = fields.read_value("image"), fields.read_value("image_tail")
    sources = _image_sources(image, "image")
    if not sources:
        sources = _image_sources(fields.read_value("images"), "images")
        if len(sources) > 1:
            fields.mark_ignored("images")
    elif len(sources) == 2 and tail is None:  # noqa: PLR2004 - first and last
        tail = sources[1]
    elif len(sources) > 1:
        fields.mark_ignored("image")
    tails = _image_sources(tail, "image_tail")
    if len(tails) > 1:
        fields.mark_ignored("image_tail")
    return (
        read_input_image(sources[0], "image", find=find) if sources else None,
        read_input_image(tails[0], "image_tail", find=find) if tails else None,
    )


def _image_sources(value: object, name: str) -> list[str]:
    listed = cast("list[object]", value) if isinstance(value, list) else [value]
    sources: list[str] = []
    for source in listed:
        if source is None or source == "":
            continue
        if not isinstance(source, str):
            raise validation_error(message=f"{name} must be a link or a data URI.")
        sources.append(source.strip())
    return sources
