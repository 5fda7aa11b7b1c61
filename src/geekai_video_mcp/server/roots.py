"""The folders that a client has declared as its own (MCP's roots), for reading pictures.

They count only where `App.trust_roots` says so: over stdio, where the client runs as the same user
and could read them itself. From revision 2026-07-28 on there are no requests in the middle of a
call, so such a client is not asked.
"""

import os
from pathlib import Path
from typing import Final

import anyio.to_thread
from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.shared.message import ServerMessageMetadata
from mcp_types import ListRootsRequest, ListRootsResult
from pydantic import ValidationError

from geekai_video_mcp.app import App
from geekai_video_mcp.domain.media_refs import file_path
from geekai_video_mcp.server.tool import app_of

ANSWER_SECONDS: Final = 2.0
"""Seconds for the client's answer, which a program gives: some never do (Cline, 2026-11-26)."""
MAX_ROOTS: Final = 32
"""Folders of one answer that are read: several times those of a large workspace."""


async def list_root_folders(ctx: "Context[App]") -> list[Path]:
    """The folders that the client of this call declares; none if it may not or cannot be asked."""
    capabilities = ctx.client_capabilities
    declared = capabilities is not None and capabilities.roots is not None
    if not (app_of(ctx).trust_roots and declared and ctx.session.can_send_request):
        return []
    answer = None
    with anyio.move_on_after(ANSWER_SECONDS):
        try:
            answer = await ctx.session.send_request(
                ListRootsRequest(),
                ListRootsResult,
                metadata=ServerMessageMetadata(related_request_id=ctx.request_context.request_id),
            )
        except (MCPError, ValidationError):  # refused, or no list of roots
            return []
    uris = [str(root.uri) for root in answer.roots[:MAX_ROOTS]] if answer else []
    found = await anyio.to_thread.run_sync(lambda: [folder_of(uri) for uri in uris])
    return [folder for folder in found if folder is not None]


def folder_of(uri: str) -> Path | None:
    """The folder that a root names; None for a root that is not one of this computer's.

    The root of a file system is none either: it would be every file of the computer. Blocks.
    """
    path = file_path(uri) if uri.lower().startswith("file:") else None
    if path is None or not os.path.isabs(path):  # noqa: PTH117 - Path's takes no NUL
        return None
    folder = Path(os.path.realpath(path))
    return None if folder.parent == folder else Path(path)
