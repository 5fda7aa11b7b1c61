"""The JSON of a task, written by hand from GeekAI's documentation (read 2026-11-22).

`video_result` is an object in the OpenAPI text and an array in every recent sample, so
both are supported; images are in `data`, as in OpenAI's API. Every response has a field
that is not documented, because a client that fails on one would fail on GeekAI's next
release. It is not documented where GeekAI puts the URL of a last frame; here it is
`last_frame_url` inside `video_result`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Protocol

from .errors import ApiError
from .store import Task

Json = dict[str, object]


class ResultFiles(Protocol):
    """URLs and contents of a task's result files, by file name."""

    def url_of(self, name: str) -> str: ...

    def read(self, name: str) -> bytes: ...


def task_body(task: Task, results: ResultFiles, *, seconds_left: float) -> Json:
    """Return the response body for a POST or a GET."""
    ignored_by_renderer = task.report.ignored if task.report else ()
    body: Json = {
        "model": task.model,
        "task_id": task.id,
        "task_status": task.status,
        "sandbox": {
            "preview": True,
            "ignored": [*dict.fromkeys(task.ignored + ignored_by_renderer)],
        },
    }
    if task.media == "image":
        body["created"] = int(task.charged_at)
    if task.status == "failed" and task.error:
        body["error"] = {"code": task.error.code, "message": task.error.message}
    elif task.status == "succeed":
        body |= _result_fields(task, results)
    else:
        body["estimated_seconds"] = seconds_left
    return body


def _result_fields(task: Task, results: ResultFiles) -> Json:
    if task.shape == "data":
        names = task.report.pictures if task.report else ()
        return {"data": [_image_item(task, name, results) for name in names]}
    result = _video_result(task, results.url_of)
    return {"video_result": [result] if task.shape == "array" else result}


def _image_item(task: Task, name: str, results: ResultFiles) -> Json:
    return {
        "url": None if task.inline else results.url_of(name),
        "b64_json": base64.b64encode(results.read(name)).decode() if task.inline else None,
        "revised_prompt": task.prompt,
    }


def _video_result(task: Task, url_of: Callable[[str], str]) -> Json:
    result: Json = {
        "id": task.id,
        "url": url_of("video.mp4"),
        "cover_image_url": url_of("cover.jpg"),
        "revised_prompt": task.prompt,
    }
    if task.last_frame:
        result["last_frame_url"] = url_of("last-frame.png")
    if task.report:
        seconds = task.report.seconds
        result["duration"] = int(seconds) if seconds.is_integer() else seconds
        # Fields of the older pages; a client of the newer ones must ignore them.
        result["size"] = f"{task.report.width}x{task.report.height}"
        result["fps"] = task.report.fps
    return result


def error_body(error: ApiError) -> Json:
    return {"error": {"code": error.code, "message": error.message}}
