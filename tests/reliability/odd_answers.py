"""Answers that no document describes and that gateways give all the same, as a client gets them.

Each is a function of the task's id and of the link to its file. Their expected outcomes are in
`faults`.
"""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class OddAnswer:
    """One answer; a body that is announced longer than it is breaks off."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    missing: int = 0
    """Bytes of the body that are announced and never sent."""
    chunked: bool = False
    """Whether it is sent in chunks, the last of which is missing."""


def _json(**fields: object) -> OddAnswer:
    return OddAnswer(json.dumps(fields).encode())


def _in_gzip(task_id: str, _link: str) -> OddAnswer:
    body = gzip.compress(gzip.compress(json.dumps({"task_id": task_id}).encode()))
    return OddAnswer(body, headers={"Content-Encoding": "gzip"})


def _of_many_items(task_id: str, _link: str) -> OddAnswer:
    items = b",".join([b"{}"] * 150_000)
    return OddAnswer(b'{"task_id": "' + task_id.encode() + b'", "data": [' + items + b"]}")


ODD_ANSWERS: Final[dict[str, Callable[[str, str], OddAnswer]]] = {
    # A task in another wrapping, or under another word.
    "wrapped": lambda task_id, _: _json(
        code=0, message="success", data={"task_id": task_id, "task_status": "pending"}
    ),
    "listed": lambda task_id, _: _json(
        code=200, data=[{"task_id": task_id, "status": "submitted"}]
    ),
    "camel": lambda task_id, _: _json(taskId=task_id, state="wait"),
    "text": lambda task_id, _: _json(data=json.dumps({"task_id": task_id, "status": "queued"})),
    "unheard_of": lambda task_id, _: _json(task_id=task_id, task_status="MODAL"),
    "no_link": lambda task_id, _: _json(
        task_id=task_id, task_status="succeed", video_result=[], estimated_seconds=0.1
    ),
    # What breaks off.
    "after_id": lambda task_id, _: OddAnswer(
        json.dumps({"model": "m", "task_id": task_id}).encode()[:-1] + b', "task_st', missing=99
    ),
    "after_id_chunked": lambda task_id, _: OddAnswer(
        json.dumps({"task_id": task_id}).encode()[:-1], chunked=True
    ),
    "in_id": lambda task_id, _: OddAnswer(
        json.dumps({"task_id": task_id}).encode()[:-5], missing=99
    ),
    # What cannot be used.
    "envelope": lambda _, __: _json(code=1002, message="slow down"),
    "page": lambda _, __: OddAnswer(
        b"<!doctype html><p>welcome", headers={"Content-Type": "text/html"}
    ),
    "page_502": lambda _, __: OddAnswer(b"<html>bad gateway", status=502),
    "gzip": _in_gzip,
    "many": _of_many_items,
    "deep": lambda _, __: OddAnswer(b'{"x": ' + b"[" * 100_000),
    "damaged": lambda _, __: OddAnswer(b'{"task_status": "running", nonsense'),
    # A link in another place.
    "link_as_text": lambda _, link: _json(task_status="succeed", video_result=link),
    "link_in_list": lambda _, link: _json(task_status="succeed", video_result=[link]),
    "link_as_json": lambda _, link: _json(
        task_status="succeed", video_result=json.dumps([{"url": link}])
    ),
    "link_on_top": lambda _, link: _json(task_status="done", video_url=link),
    "link_wrapped": lambda _, link: _json(
        code=0, data={"task_status": "SUCCESS", "task_result": {"videos": [{"url": link}]}}
    ),
    "link_unheard_of": lambda _, link: _json(task_status="MODAL", video_result=[{"url": link}]),
    # The end, under another word.
    "failure": lambda task_id, _: _json(
        task_id=task_id, task_status="FAILURE", error={"code": "1301", "message": "unsafe"}
    ),
    "error": lambda task_id, _: _json(
        task_id=task_id, task_status="MODAL", error={"code": "1301", "message": "unsafe"}
    ),
}
