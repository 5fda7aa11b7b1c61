"""The MCP server: what it is, as its handshake says. Importing this module imports little.

Everything that knows MCP is in this package. HTTP to GeekAI, SQL and codecs may not enter: the
handlers call the engine, and show what it returns. `build` has everything that is offered.
"""

from typing import Final

NAME: Final = "geekai-video-mcp"
TITLE: Final = "GeekAI video"
MAX_WAIT_SECONDS: Final = 45
"""Seconds. Several clients give a call up after 60, and progress does not move them."""
INSTRUCTIONS: Final = (
    # The first paragraph stands alone: one host shows a model no more than its beginning.
    "Makes videos with GeekAI. Call generate_video with a prompt, then get_video_task with its"
    f" task_id and wait_seconds {MAX_WAIT_SECONDS} until it gives a file or fails. A wait that runs"
    " out is normal: wait again. Look at the contact sheet; give the user the file.\n\n"
    "To choose a model or to know a price: list_video_models, or dry_run true. If it is not"
    " known to be free, and the user chose neither the model nor a budget, tell the price and ask"
    " before sending. A request that was"
    " sent cannot be cancelled. After a timeout or an unknown outcome never send generate_video or"
    " generate_image again: find the task with get_video_task or list_video_tasks. A task that"
    " failed may be sent again, changed as its message says. To continue a shot, give the next one"
    ' image "task:ID". To make one film of several shots, trim one, or add music: join_videos.'
    " Results with sandbox true are previews, not made by GeekAI: tell the user"
    " so, and that a GeekAI key (GEEKAI_API_KEY) makes real videos."
)
TASKS_EXTENSION: Final = "io.modelcontextprotocol/tasks"
APPS_EXTENSION: Final = "io.modelcontextprotocol/ui"
TASK_TOOLS: Final = frozenset({"generate_video", "generate_image", "join_videos"})
"""The tools that start a task."""
