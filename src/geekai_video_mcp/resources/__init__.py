"""What a client can read beside the tools: tasks, their files, and pictures of them.

Reading asks the ledger and the disk, never the service: a resource is what is on this
machine. It is no delivery either: a host may show what no model has seen, and the same
request again must still find its task.
"""

from geekai_video_mcp.resources.filling import completion_stub, fill_dynamic_content
from geekai_video_mcp.resources.listening import SubscriptionMiddleware
from geekai_video_mcp.resources.reading import register_templates

__all__ = [
    "SubscriptionMiddleware",
    "completion_stub",
    "fill_dynamic_content",
    "register_templates",
]
