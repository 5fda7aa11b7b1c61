"""Tasks as tool results: the structured content and its text. Pure.

A result uses GeekAI's own field names for what GeekAI returned, and adds fields of this server.
In every state, `next_step` says in a sentence or two what the model should do now. Each form is
complete: some clients show their model only the text, and some only the structure. What is
published here are promises: names and types of published fields do not change.
"""

from geekai_video_mcp.server.views.dry_run import consent_text, dry_run, dry_run_text
from geekai_video_mcp.server.views.next_steps import PREVIEW_LABEL
from geekai_video_mcp.server.views.report import Picture, TaskReport, is_failure
from geekai_video_mcp.server.views.settings import sent_settings
from geekai_video_mcp.server.views.several import (
    Entry,
    Unread,
    all_failed,
    several_progress_text,
    several_tasks,
    several_tasks_text,
)
from geekai_video_mcp.server.views.task_list import TaskList, statuses_of, task_list, task_list_text
from geekai_video_mcp.server.views.tasks import (
    DryRunView,
    Film,
    Generation,
    ToolResult,
    VideoTask,
    film_result,
    generation_result,
    task_structure,
    video_task,
)
from geekai_video_mcp.server.views.text import (
    ignored_fields,
    progress_text,
    public_status,
    task_text,
    warning_sentences,
)

__all__ = [
    "PREVIEW_LABEL",
    "DryRunView",
    "Entry",
    "Film",
    "Generation",
    "Picture",
    "TaskList",
    "TaskReport",
    "ToolResult",
    "Unread",
    "VideoTask",
    "all_failed",
    "consent_text",
    "dry_run",
    "dry_run_text",
    "film_result",
    "generation_result",
    "ignored_fields",
    "is_failure",
    "progress_text",
    "public_status",
    "sent_settings",
    "several_progress_text",
    "several_tasks",
    "several_tasks_text",
    "statuses_of",
    "task_list",
    "task_list_text",
    "task_structure",
    "task_text",
    "video_task",
    "warning_sentences",
]
