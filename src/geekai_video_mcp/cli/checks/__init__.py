"""What `doctor` examines. Each check finds out, changes nothing, and says what to do.

A check is independent of the others and limits its own time. Rules of tasks and money may not
enter, and no key, token, prompt or signed link may be in a line.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from geekai_video_mcp.cli.checks.folders import check_folders
from geekai_video_mcp.cli.checks.hosts import check_hosts
from geekai_video_mcp.cli.checks.ledger import check_tasks
from geekai_video_mcp.cli.checks.line import Line, Subject
from geekai_video_mcp.cli.checks.rendering import check_fonts, check_video
from geekai_video_mcp.cli.checks.service import check_service
from geekai_video_mcp.cli.checks.settings import load_subject
from geekai_video_mcp.cli.checks.token import check_http_token
from geekai_video_mcp.cli.checks.versions import check_versions

__all__ = ["CHECKS", "Check", "Line", "Subject", "load_subject"]

Check = Callable[[Subject], Awaitable[list[Line]]]

CHECKS: Final[Sequence[Check]] = (
    check_versions,
    check_folders,
    check_service,
    check_tasks,
    check_http_token,
    check_fonts,
    check_video,
    check_hosts,
)
"""In the order in which they begin; the settings come before all."""
