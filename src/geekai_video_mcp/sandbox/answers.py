"""GeekAI's JSON about a task, written by hand from its documents (read 2026-11-22).

`video_result` is an object in the OpenAPI text and an array in every recent sample, so
both are spoken. Every answer has a field that no document knows: a client that
breaks on one would break on GeekAI's next release. Where GeekAI puts the address of
a last frame is unknown; here it is `last_frame_url` inside `video_result`.
"""

from __future__ import annotations

from collections.abc import Callable

from .refusals import Refused
from .store import Task

Json = dict[str, object]


def task_answer(task: Task, *, url_of: Callable[[str], str], seconds_left: float) -> Json:
    """The answer to a POST or a GET; *url_of* links to a result by its file name."""
    answer: Json = {
        "model": task.model,
        "task_id": task.id,
        "task_status": task.status,
        "sandbox": {"preview": True, "ignored": _ignored(task)},
    }
    if task.status == "failed" and task.error:
        answer["error"] = {"code": task.error.code, "message": task.error.message}
    elif task.status == "succeed":
        result = _video_result(task, url_of)
        answer["video_result"] = [result] if task.shape == "array" else result
    else:
        answer["estimated_seconds"] = seconds_left
    return answer


def _ignored(task: Task) -> list[str]:
    rendered = task.report.ignored if task.report else ()
    return list(dict.fromkeys((*task.ignored, *rendered)))


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
        # The older pages' fields, which a reader of the newer ones must not mind.
        result["size"] = f"{task.report.width}x{task.report.height}"
        result["fps"] = task.report.fps
    return result


def error_answer(refused: Refused) -> Json:
    return {"error": {"code": refused.code, "message": refused.message}}
