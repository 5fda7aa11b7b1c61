"""Promise 2 at the composition root: what closes first, with real connections."""

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
from anyio.abc import SocketAttribute, SocketStream

from geekai_video_mcp.config import Settings
from geekai_video_mcp.server import open_app
from geekai_video_mcp.wire import VideoRequest

ANSWER = b'{"task_id": "p1", "task_status": "pending"}'


async def test_the_connection_of_a_paid_request_outlives_the_engine(tmp_path: Path) -> None:
    asked, leaving = anyio.Event(), anyio.Event()

    async def answer_late(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            asked.set()
            await leaving.wait()
            await anyio.sleep(0.3)  # for the closing to get as far as it can
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(ANSWER)}\r\n\r\n"
            await stream.send(head.encode() + ANSWER)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port: int = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no Django here
    settings = Settings.from_env(
        {
            "GEEKAI_API_KEY": "sk-test",
            "GEEKAI_BASE_URL": f"http://127.0.0.1:{port}/api/v1",
            "GEEKAI_STATE_DIR": str(tmp_path / "state"),
            "GEEKAI_OUTPUT_DIR": str(tmp_path / "videos"),
        }
    )
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer_late)
        async with open_app(settings) as app, anyio.create_task_group() as call:
            call.start_soon(
                app.engine.submit, VideoRequest.model_validate({"model": "m", "prompt": "a fox"})
            )
            await asked.wait()
            call.cancel_scope.cancel()
            leaving.set()
        tasks.cancel_scope.cancel()

    with closing(sqlite3.connect(tmp_path / "state" / "ledger.sqlite3")) as ledger:
        rows = ledger.execute("SELECT status, provider_task_id FROM task").fetchall()
    assert rows == [("pending", "p1")]
