"""The sandbox's fonts, and a video that is really made and decoded. No network."""

import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import anyio

from geekai_video_mcp.cli.checks.line import Line, Subject, fail, note, ok
from geekai_video_mcp.errors import GeekAIVideoError, describe_os_error, first_own_error
from geekai_video_mcp.quoting import quote

FONTS: Final = "fonts"
VIDEO: Final = "video"
FONT_SECONDS: Final = 12.0
VIDEO_SECONDS: Final = 12
"""Seconds in which the video has to be there; it takes two on a machine that is not busy."""
REINSTALL: Final = "Install this server anew: pip install --force-reinstall geekai-video-mcp"
BUSY: Final = "Run doctor again when the machine is less busy."
REQUEST: Final[dict[str, Any]] = {
    "prompt": "A paper lantern rises over a quiet lake",
    "duration": 3,
    "size": "640x360",
}


async def check_fonts(_: Subject) -> list[Line]:
    """Whether each vendored font is there and can be drawn, found out in a child process."""
    from geekai_sandbox.worker import child_environment

    command = [sys.executable, "-P", "-m", "geekai_sandbox.render.check_fonts"]
    with anyio.move_on_after(FONT_SECONDS):
        done = await anyio.run_process(command, env=child_environment(), check=False)
        try:
            found = cast("dict[str, str | None]", json.loads(done.stdout))
        except ValueError:
            said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            return [fail(FONTS, f"they cannot be drawn: {quote(said)}", remedy=REINSTALL)]
        wrong = {name: problem for name, problem in found.items() if problem is not None}
        if wrong:
            text = "; ".join(f"{name} {problem}" for name, problem in wrong.items())
            return [fail(FONTS, text, remedy=REINSTALL, facts={"fonts": found})]
        return [
            ok(FONTS, f"all {len(found)} are there and can be drawn", facts={"fonts": list(found)})
        ]
    return [note(FONTS, f"not drawn within {FONT_SECONDS:.0f} s", remedy=BUSY)]


async def check_video(_: Subject) -> list[Line]:
    """Ask the server itself for a video from its sandbox, in a folder that is removed."""
    try:
        folder = await anyio.to_thread.run_sync(
            partial(tempfile.TemporaryDirectory, prefix="geekai-")
        )
    except OSError as exc:
        text = f"no temporary folder can be made: {describe_os_error(exc)}"
        return [fail(VIDEO, text, remedy="Free disk space, or set TMPDIR to another folder.")]
    try:
        return [await _make_video(Path(folder.name))]
    except (GeekAIVideoError, BaseExceptionGroup) as exc:
        own_error = first_own_error(exc)
        if own_error is None:
            raise
        return [_not_made(own_error.message)]
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(folder.cleanup)


async def _make_video(folder: Path) -> Line:
    from mcp import Client

    from geekai_video_mcp.app import open_app
    from geekai_video_mcp.config import SANDBOX_WORD, Settings
    from geekai_video_mcp.server.build import build_server

    settings = Settings.from_env(
        {
            "GEEKAI_BASE_URL": SANDBOX_WORD,
            "GEEKAI_OUTPUT_DIR": str(folder / "videos"),
            "GEEKAI_STATE_DIR": str(folder / "state"),
        }
    )
    server = build_server(partial(open_app, settings), default_models=settings.default_models)
    started = time.monotonic()
    async with Client(server) as client:
        made = await client.call_tool("generate_video", REQUEST)
        if not made.is_error and made.structured_content:
            wait = {"task_id": made.structured_content["task_id"], "wait_seconds": VIDEO_SECONDS}
            made = await client.call_tool("get_video_task", {**wait, "view": "none"})
        result: dict[str, Any] = made.structured_content or {}
        if "file" in result:
            return await _decode(Path(str(result["file"])), time.monotonic() - started)
        text = " ".join(block.text for block in made.content if block.type == "text")
    if result.get("task_status") in {"pending", "running", "submitting"}:
        return note(VIDEO, f"not finished within {VIDEO_SECONDS} s", remedy=BUSY)
    return _not_made(text)


async def _decode(file: Path, seconds: float) -> Line:
    from geekai_video_mcp.media.inspection import Verdict, inspect_file

    facts = await inspect_file(file)
    if facts.verdict is Verdict.UNDECODABLE:
        return fail(VIDEO, "the sandbox made one that cannot be decoded here", remedy=REINSTALL)
    if facts.verdict is Verdict.UNKNOWN:
        return note(VIDEO, "the sandbox made one that was not decoded in time", remedy=BUSY)
    text = f"the sandbox made 3 s of video, and it was decoded, in {seconds:.1f} s"
    return ok(VIDEO, text, facts={"seconds": round(seconds, 1)})


def _not_made(reason: str) -> Line:
    folder = quote(tempfile.gettempdir(), limit=1000)
    return fail(
        VIDEO,
        f"the sandbox made none: {quote(reason)}",
        remedy=f"It needs room in the temporary folder {folder}; if there is, report the message.",
    )
