"""What `doctor` examines. Each check finds out, changes nothing, and says what to do.

A check is independent of the others and limits its own time. Rules of tasks and money may not
enter, and no key, token, prompt or signed link may be in a line.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from geekai_video_mcp.cli.checks.folders import check_folders
from geekai_video_mcp.cli.checks.hosts import check_hosts
from geekai_video_mcp.cli.checks.ledger import check_tasks
from geekai_video_mcp.cli.checks.line import Line, Subject, note
from geekai_video_mcp.cli.checks.rendering import check_fonts, check_video
from geekai_video_mcp.cli.checks.service import check_service
from geekai_video_mcp.cli.checks.settings import load_subject
from geekai_video_mcp.cli.checks.token import check_http_token
from geekai_video_mcp.cli.checks.versions import check_versions
from geekai_video_mcp.config import Settings

__all__ = ["CHECKS", "Check", "Line", "Subject", "load_subject"]

Check = Callable[[Subject], Awaitable[list[Line]]]


def _with_settings(name: str, check: Callable[[Settings], Awaitable[list[Line]]]) -> Check:
    """A check that needs the settings, and is skipped if they are wrong."""

    async def run(subject: Subject) -> list[Line]:
        if subject.settings is None:
            return [note(name, "skipped, because the settings are wrong")]
        return await check(subject.settings)

    return run


CHECKS: Final[Mapping[str, Check]] = {
    "versions": check_versions,
    "folders": _with_settings("folders", check_folders),
    "service": _with_settings("service", check_service),
    "tasks": _with_settings("tasks", check_tasks),
    "http token": _with_settings("http token", check_http_token),
    "fonts": check_fonts,
    "video": check_video,
    "hosts": check_hosts,
}
"""By name, in the order in which they begin; the settings come before all."""
