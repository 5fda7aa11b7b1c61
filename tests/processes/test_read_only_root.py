"""The server in a file system that is read-only, but for its two folders and a small /tmp."""

import os
import re
import shutil
import signal
import sys
from pathlib import Path

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from support.missing import skip_test
from support.process import MODULE, SERVE, environment, http_client
from support.world import call, structured, text

CONFINED = """
set -e
mount --make-rprivate /
for folder in "$GEEKAI_STATE_DIR" "$GEEKAI_OUTPUT_DIR"; do mount --bind "$folder" "$folder"; done
mount -t tmpfs -o size=64m tmpfs "$TMPDIR"
mount -o remount,bind,ro /
if touch "$FORBIDDEN" 2>/dev/null; then echo "the root is not read-only" >&2; exit 77; fi
exec "$@"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a mount namespace of its own")
async def test_a_video_is_made_where_only_two_folders_can_be_written(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid() != 0:
        skip_test("only root may have a read-only root file system of its own")
    folders = {name: tmp_path / name for name in ("state", "videos", "scratch")}
    for folder in folders.values():
        folder.mkdir()
    env = environment(
        tmp_path,
        TMPDIR=str(folders["scratch"]),
        FORBIDDEN=str(tmp_path / "forbidden"),
        PYTHONDONTWRITEBYTECODE="1",
    )
    serve = [*MODULE, *SERVE]
    command = [unshare, "--mount", "sh", "-c", CONFINED, "sh", *serve]
    async with await anyio.open_process(command, env=env) as process:
        assert process.stderr is not None
        reader = BufferedByteReceiveStream(process.stderr)
        try:
            with anyio.fail_after(30):
                line = (await reader.receive_until(b"\n", 10_000)).decode()
            if "permission" in line or "not read-only" in line:
                skip_test("this container lets nobody mount")
            found = re.search(r"http://[^/\s]+", line)
            assert found, line
            async with http_client(f"{found[0]}/mcp", headers={}) as client:
                made = structured(
                    await call(
                        client, "generate_video", prompt="a fox", size="320x180", duration=1, fps=12
                    )
                )
                done = await call(
                    client, "get_video_task", task_id=made["task_id"], wait_seconds=45
                )
                looked_at = await call(client, "view_video", task_id=made["task_id"])
        finally:
            process.send_signal(signal.SIGTERM)
            with anyio.move_on_after(20):
                await process.wait()

    assert structured(done)["task_status"] == "succeed"
    assert Path(structured(done)["file"]).parent == folders["videos"]
    assert not looked_at.is_error, text(looked_at)
    assert not list(folders["scratch"].iterdir())
