"""From the bytes of a POST to the draft of a task.

Reads the request, its pictures and its plan, in that order; nothing is written and
nothing charged before all of it is understood.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple, NoReturn, cast

from .estimates import picture_seconds, render_seconds
from .fields import Fields
from .pictures import draw_pictures, inline_of
from .plan import draw_plan
from .refusals import invalid
from .stills import FindBytes, Still, read_still
from .store import Draft, Shape, Task, now


class Order(NamedTuple):
    """A request understood: the draft of its task, and whether its sender will wait."""

    draft: Draft
    wait: bool


def take_order(body: bytes, *, find: FindBytes, shape_of: Callable[[int], Shape]) -> Order:
    """Return what *body* asks for, which is a video.

    *shape_of* chooses the shape of `video_result` by the task's number.

    Raises:
        Refused: what is wrong, in a sentence.
    """
    asked = Fields(_parse(body))
    extra = asked.inner("extra_body")
    first, tail = _stills(asked, find)
    plan = draw_plan(asked, extra, first=first, tail=tail)
    wait, ignored = _rest(asked, extra)
    expected = render_seconds(plan)

    def describe(task_id: str, number: int) -> Task:
        return Task(
            id=task_id,
            number=number,
            model=plan.model,
            prompt=plan.prompt,
            charged_at=now(),
            shape=shape_of(number),
            expected_seconds=expected,
            last_frame=plan.last_frame,
            ignored=ignored,
        )

    files = {"plan.json": plan.model_dump_json().encode()}
    for name, still in ((plan.image, first), (plan.image_tail, tail)):
        if name and still:
            files[name] = still.content
    return Order(Draft(describe, files), wait)


def take_picture_order(body: bytes, *, find: FindBytes) -> Order:
    """Return what *body* asks for, which is one picture or several.

    Raises:
        Refused: what is wrong, in a sentence.
    """
    asked = Fields(_parse(body))
    extra = asked.inner("extra_body")
    still = _first_still(asked, find)
    plan = draw_pictures(asked, still)
    inline = inline_of(asked)
    wait, ignored = _rest(asked, extra)
    expected = picture_seconds(plan)

    def describe(task_id: str, number: int) -> Task:
        return Task(
            id=task_id,
            number=number,
            model=plan.model,
            prompt=plan.prompt,
            charged_at=now(),
            shape="data",
            expected_seconds=expected,
            inline=inline,
            ignored=ignored,
        )

    files = {"picture.json": plan.model_dump_json().encode()}
    if plan.image and still:
        files[plan.image] = still.content
    return Order(Draft(describe, files), wait)


def _rest(asked: Fields, extra: Fields) -> tuple[bool, tuple[str, ...]]:
    """Whether the sender will wait, and the names of what nobody read."""
    wait = not asked.flag("async")
    # GeekAI's own retries happen before a result is seen; a render that died is retried anyway.
    asked.number("retries")
    return wait, tuple(asked.ignored() + extra.ignored())


def _parse(body: bytes) -> dict[str, object]:
    try:
        parsed: object = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as exc:
        raise invalid(message="The request body must be JSON.") from exc
    if not isinstance(parsed, dict):
        raise invalid(message="The request body must be a JSON object.")
    return cast("dict[str, object]", parsed)


def _no_constant(word: str) -> NoReturn:
    # Python reads NaN and Infinity, which are not JSON and would poison the plan.
    raise ValueError(word)


def _first_still(asked: Fields, find: FindBytes) -> Still | None:
    """The picture to start from: of several, which cannot all be shown, the first."""
    for name in ("image", "images"):
        sources = _sources(asked.value(name), name)
        if len(sources) > 1:
            asked.ignore(name)
        if sources:
            return read_still(sources[0], name, find=find)
    return None


def _stills(asked: Fields, find: FindBytes) -> tuple[Still | None, Still | None]:
    """The first and the last picture.

    Older pages (cogvideox-3, read 2026-11-22) put both into `image` as an array; of
    reference pictures, which the sandbox cannot place, the first is the still.
    """
    image, tail = asked.value("image"), asked.value("image_tail")
    sources = _sources(image, "image")
    if not sources:
        sources = _sources(asked.value("images"), "images")[:1]
    elif len(sources) == 2 and tail is None:  # noqa: PLR2004 - first and last
        tail = sources[1]
    elif len(sources) > 1:
        asked.ignore("image")
    tails = _sources(tail, "image_tail")
    return (
        read_still(sources[0], "image", find=find) if sources else None,
        read_still(tails[0], "image_tail", find=find) if tails else None,
    )


def _sources(value: object, name: str) -> list[str]:
    listed = cast("list[object]", value) if isinstance(value, list) else [value]
    sources: list[str] = []
    for source in listed:
        if source is None or source == "":
            continue
        if not isinstance(source, str):
            raise invalid(message=f"{name} must be a link or a data URI.")
        sources.append(source.strip())
    return sources
