"""The tools' arguments as pydantic models. Pure.

`parsing` turns what a caller gave into a value or one refusal, `fields` has the types of single
arguments, `generate` and `reads` the models.
"""

from geekai_video_mcp.server.arguments.generate import (
    ExtraBody,
    Generate,
    GenerateImage,
    GenerateVideo,
)
from geekai_video_mcp.server.arguments.parsing import Arguments
from geekai_video_mcp.server.arguments.reads import (
    MAX_TASKS,
    MAX_WAIT_SECONDS,
    GetVideoTask,
    ListVideoModels,
    ListVideoTasks,
)

__all__ = [
    "MAX_TASKS",
    "MAX_WAIT_SECONDS",
    "Arguments",
    "ExtraBody",
    "Generate",
    "GenerateImage",
    "GenerateVideo",
    "GetVideoTask",
    "ListVideoModels",
    "ListVideoTasks",
]
