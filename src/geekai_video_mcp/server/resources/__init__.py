"""MCP resources: tasks, their files, and preview images.

Reading a resource uses the ledger and the disk and makes no network request. It does not mark
a task as delivered: a host may show a resource that the model has not seen, and repeating the
same request must still find the task.
"""

from geekai_video_mcp.server.resources.middleware import completion_stub, fill_dynamic_content
from geekai_video_mcp.server.resources.subscriptions import CallersBus, SubscriptionMiddleware
from geekai_video_mcp.server.resources.templates import register_templates

__all__ = [
    "CallersBus",
    "SubscriptionMiddleware",
    "completion_stub",
    "fill_dynamic_content",
    "register_templates",
]
