"""The file with the token of the server over HTTP. The token itself is never shown."""

from typing import Final

import anyio.to_thread

from geekai_video_mcp.cli.checks.line import Line, fail, ok
from geekai_video_mcp.config import Settings
from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.quoting import quote
from geekai_video_mcp.server.http.token_file import check_token, token_path

CHECK: Final = "http token"


async def check_http_token(settings: Settings) -> list[Line]:
    state_dir = settings.state_dir
    try:
        found = await anyio.to_thread.run_sync(check_token, state_dir, abandon_on_cancel=True)
    except StorageUnavailable as exc:
        return [fail(CHECK, exc.message)]
    if not found:
        return [ok(CHECK, "there is none; a server over HTTP makes one at its first start")]
    where = quote(str(token_path(state_dir)), limit=1000)
    return [ok(CHECK, f"{where} holds one that only this user can read")]
