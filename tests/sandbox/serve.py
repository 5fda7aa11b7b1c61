"""A sandbox in a separate process that tests can kill: python serve.py FOLDER JOURNAL.

Prints its base URL when it accepts connections, and serves until it is stopped.
"""

import socket
import sys
from pathlib import Path

import anyio
import uvicorn

from geekai_sandbox.app import Sandbox


async def main(folder: Path, journal: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
    fake_renderer = Path(__file__).with_name("fake_renderer.py")
    renderer = [sys.executable, str(fake_renderer), str(journal)]
    sandbox = Sandbox(folder, base_url=base_url, renderer=renderer, max_waiting=100)
    config = uvicorn.Config(sandbox.app, log_level="warning", lifespan="off")
    async with sandbox:
        sys.stdout.write(f"{base_url}\n")
        sys.stdout.flush()
        await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), Path(sys.argv[2]))
