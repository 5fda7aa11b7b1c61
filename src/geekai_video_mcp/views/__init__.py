"""What the assistant sees of its tasks: promises, in GeekAI's words and ours. Pure.

The result mirrors GeekAI's own answer; what is ours stands beside it. Whatever the state,
`next_step` tells the model what to do now, in one sentence.
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
