"""What a client can read beside the tools: tasks, their files, and pictures of them.

Reading asks the ledger and the disk, never the service: a resource is what is on this
machine. It is no delivery either: a host may show what no model has seen, and the same
request again must still find its task.
"""

from geekai_video_mcp.resources.filling import live, offer_nothing
from geekai_video_mcp.resources.listening import Listening
from geekai_video_mcp.resources.reading import register

__all__ = ["Listening", "live", "offer_nothing", "register"]
