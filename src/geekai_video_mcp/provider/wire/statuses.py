"""The services' words for a task's status: one table, with its sources. Pure."""

from collections.abc import Mapping
from typing import Final

from geekai_video_mcp.domain.statuses import Status

_WORDS: Final[Mapping[Status, tuple[str, ...]]] = {
    # GeekAI: pending. OpenAI, Ark, Luma: queued. Kling, new-api: submitted. fal, Jimeng: in_queue.
    # Vidu: created, queueing. MiniMax: queueing, preparing. Replicate: starting. Runway:
    # throttled. Hunyuan: wait. new-api, midjourney-proxy: not_start.
    Status.PENDING: (
        "pending",
        "queued",
        "queueing",
        "queuing",
        "submitted",
        "in_queue",
        "inqueue",
        "created",
        "preparing",
        "starting",
        "throttled",
        "wait",
        "waiting",
        "not_start",
        "not_started",
        "scheduled",
        "accepted",
        "init",
        "initialized",
    ),
    # GeekAI: running. Zhipu, Kling, MiniMax, Vidu, Replicate: processing. OpenAI, fal, new-api:
    # in_progress. Jimeng: generating. Hunyuan: run. Luma: dreaming. DashScope: suspended.
    Status.RUNNING: (
        "running",
        "processing",
        "process",
        "in_progress",
        "inprogress",
        "generating",
        "run",
        "dreaming",
        "suspended",
        "started",
        "active",
        "working",
        "rendering",
        "executing",
        "doing",
    ),
    # GeekAI: succeed, formerly success. Runway, Ark, DashScope, Replicate: succeeded. Zhipu,
    # MiniMax, Vidu, new-api: success. OpenAI, fal, Luma: completed. Jimeng, Hunyuan: done.
    Status.SUCCEED: (
        "succeed",
        "succeeded",
        "success",
        "successful",
        "completed",
        "complete",
        "done",
        "finished",
        "finish",
    ),
    # GeekAI, Kling, Runway, OpenAI: failed. Zhipu, MiniMax: fail. new-api: failure. Ark: expired,
    # cancelled. DashScope, Replicate: canceled.
    Status.FAILED: (
        "failed",
        "fail",
        "failure",
        "error",
        "errored",
        "expired",
        "cancelled",
        "canceled",
        "cancel",
        "rejected",
        "aborted",
        "timeout",
        "timed_out",
        "terminated",
    ),
}

STATUS_WORDS: Final[Mapping[str, Status]] = {
    word: status for status, words in _WORDS.items() for word in words
}
"""By word, in small letters with underscores (read 2026-11-22 to -26)."""

NO_ERROR: Final = frozenset(
    {"0", "200", "ok", "success", "succeed", "succeeded", "none", "null", "nil", "no_error"}
)
"""Codes and messages of an `error` that reports none."""


def known_status(word: str | None) -> Status | None:
    """The status that *word* means; None if it is unheard of."""
    if word is None:
        return None
    return STATUS_WORDS.get(word.strip().lower().replace("-", "_").replace(" ", "_"))
