"""What the assistant sees of its tasks: promises, in GeekAIClient's words and ours. Pure.

The result mirrors GeekAIClient's own answer; what is ours stands beside it. Whatever the state,
`next_step` tells the model what to do now, in one sentence.
"""

from geekai_video_mcp.views.forecasts import consent_text, dry_run, dry_run_text, warned
from geekai_video_mcp.views.lists import TaskList, statuses_of, task_list, task_list_text
from geekai_video_mcp.views.tasks import (
    DryRunView,
    Generation,
    Outlined,
    VideoTask,
    failed,
    generation,
    video_task,
)
from geekai_video_mcp.views.words import PREVIEW_LABEL, progress, repeated_text, text

__all__ = [
    "PREVIEW_LABEL",
    "DryRunView",
    "Generation",
    "Outlined",
    "TaskList",
    "VideoTask",
    "consent_text",
    "dry_run",
    "dry_run_text",
    "failed",
    "generation",
    "progress",
    "repeated_text",
    "statuses_of",
    "task_list",
    "task_list_text",
    "text",
    "video_task",
    "warned",
]
