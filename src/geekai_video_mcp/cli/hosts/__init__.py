"""The hosts that `install` configures, each in the way that its own documents name."""

from collections.abc import Mapping
from typing import Final

from geekai_video_mcp.cli.hosts.command_host import (
    CommandHost,
    claude_arguments,
    codex_arguments,
    gemini_arguments,
)
from geekai_video_mcp.cli.hosts.configured import Configured, Host
from geekai_video_mcp.cli.hosts.file_host import FileHost
from geekai_video_mcp.cli.hosts.launch import ENTRY, Launch, own_launch
from geekai_video_mcp.cli.hosts.printed import PRINTED
from geekai_video_mcp.cli.hosts.system import (
    claude_code_file,
    claude_desktop_places,
    codex_file,
    cursor_places,
    gemini_file,
    vscode_places,
)

__all__ = ["HOSTS", "PRINTED", "Configured", "Host", "Launch", "own_launch"]

_HOSTS: Final[tuple[Host, ...]] = (
    FileHost("claude-desktop", "Claude Desktop", claude_desktop_places),
    FileHost("cursor", "Cursor", cursor_places),
    FileHost(
        "vscode",
        "VS Code",
        vscode_places,
        servers="servers",
        fixed={"type": "stdio"},
    ),
    CommandHost(
        "claude-code",
        "Claude Code",
        "claude",
        claude_code_file,
        "mcpServers",
        claude_arguments,
        ("mcp", "remove", "--scope", "user", ENTRY),
        adds_twice=False,
        fixed={"type": "stdio"},
    ),
    CommandHost(
        "codex",
        "Codex",
        "codex",
        codex_file,
        "mcp_servers",
        codex_arguments,
        ("mcp", "remove", ENTRY),
        adds_twice=True,
    ),
    CommandHost(
        "gemini-cli",
        "Gemini CLI",
        "gemini",
        gemini_file,
        "mcpServers",
        gemini_arguments,
        ("mcp", "remove", "--scope", "user", ENTRY),
        adds_twice=True,
    ),
)
HOSTS: Final[Mapping[str, Host]] = {host.name: host for host in _HOSTS}
"""By the name that `install` takes."""
