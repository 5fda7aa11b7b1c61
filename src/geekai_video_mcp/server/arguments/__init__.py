"""The tools' arguments as pydantic models. Pure.

`parsing` turns the caller's arguments into a value or one refusal: `absent` drops what says
nothing, `unknown_names` suggests what was meant, `refusals` has the wording. `values`, `fields`,
`frame_size`, `task_id_list`, `since` and `extra_body` are types of single arguments; `json_text`
reads lists and objects that came as text; `generate`, `films`, `reads` and `view_video` are the
models.
"""

from geekai_video_mcp.server.arguments.extra_body import ExtraBody
from geekai_video_mcp.server.arguments.films import JoinVideos
from geekai_video_mcp.server.arguments.generate import (
    Generate,
    GenerateImage,
    GenerateVideo,
)
from geekai_video_mcp.server.arguments.parsing import Arguments
from geekai_video_mcp.server.arguments.reads import (
    GetVideoTask,
    ListVideoModels,
    ListVideoTasks,
    PublicStatus,
)

__all__ = [
    "Arguments",
    "ExtraBody",
    "Generate",
    "GenerateImage",
    "GenerateVideo",
    "GetVideoTask",
    "JoinVideos",
    "ListVideoModels",
    "ListVideoTasks",
    "PublicStatus",
]
