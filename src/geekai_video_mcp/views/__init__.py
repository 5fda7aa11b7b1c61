"""Tasks as tool results: the structured content and its text. Pure.

A result uses GeekAI's own field names for what GeekAI returned, and adds fields of this server.
In every state, `next_step` says in one sentence what the model should do now. What is published
here are promises: names and types of published fields do not change.
"""

from geekai_video_mcp.views.forecasts import consent_text, dry_run, dry_run_text, warnings_text
from geekai_video_mcp.views.lists import TaskList, statuses_of, task_list, task_list_text
from geekai_video_mcp.views.tasks import (
    DryRunView,
    Generation,
    ToolResult,
    VideoTask,
    generation_result,
    is_failure,
    video_task,
)
from geekai_video_mcp.views.words import PREVIEW_LABEL, duplicate_text, progress_text, task_text

__all__ = [
    "PREVIEW_LABEL",
    "DryRunView",
    "Generation",
    "TaskList",
    "ToolResult",
    "VideoTask",
    "consent_text",
    "dry_run",
    "dry_run_text",
    "duplicate_text",
    "generation_result",
    "is_failure",
    "progress_text",
    "statuses_of",
    "task_list",
    "task_list_text",
    "task_text",
    "video_task",
    "warnings_text",
]
