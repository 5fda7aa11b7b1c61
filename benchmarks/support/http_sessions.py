"""A server over Streamable HTTP as a process, and sessions of it, in raw requests."""

import contextlib
import http.client
import json
import socket
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.support.stdio import OWN_SERVER, PROTOCOL_VERSION, StdioServer, running

START_SECONDS: Final = 30.0
_HEADERS: Final = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
}


def own_command(port: int) -> Sequence[str]:
    """This server, on a port of this machine."""
    return [*OWN_SERVER, "serve", "--transport", "streamable-http", "--port", str(port)]


def bare_command(port: int) -> Sequence[str]:
    """The floor: the SDK's server with one tool, on a port of this machine."""
    program = "from benchmarks.support.bare_server import server; server.run"
    return [sys.executable, "-c", f"{program}('streamable-http', port={port})"]


class HttpServer:
    """A running server, and one connection to it."""

    def __init__(self, process: StdioServer, port: int) -> None:
        self.process = process
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)

    def open_session(self) -> str:
        """Make the handshake; the id of the session, which stays open."""
        session_id = self._post(
            "initialize",
            id=1,
            params={
                "protocolVersion": PROTOCOL_VERSION,
                "capabilities": {},
                "clientInfo": {"name": "benchmarks", "version": "1"},
            },
        )
        assert session_id is not None
        self._post("notifications/initialized", session_id=session_id)
        return session_id

    def close_session(self, session_id: str) -> None:
        """End a session, as a host does that is closed."""
        self._connection.request("DELETE", "/mcp", headers=self._headers(session_id))
        self._connection.getresponse().read()

    def disconnect(self) -> None:
        """Close the connection, which the next request opens again; the sessions stay open."""
        self._connection.close()

    def _post(self, method: str, *, session_id: str | None = None, **members: object) -> str | None:
        """Send a message and read the response; the session that it names."""
        body = json.dumps({"jsonrpc": "2.0", "method": method, **members})
        self._connection.request("POST", "/mcp", body, self._headers(session_id))
        response = self._connection.getresponse()
        response.read()
        if response.status >= http.client.BAD_REQUEST:
            msg = f"{method}: HTTP {response.status}"
            raise RuntimeError(msg)
        return response.headers["mcp-session-id"]

    def _headers(self, session_id: str | None) -> dict[str, str]:
        return _HEADERS | ({"Mcp-Session-Id": session_id} if session_id else {})


@contextlib.contextmanager
def serving(command: Sequence[str], *, port: int, folder: Path) -> Generator[HttpServer]:
    """The server that *command* starts on *port*; killed at the end of the block."""
    settings = {"GEEKAI_MAX_CALLS_PER_MINUTE": "1000000"}  # a figure is no flood
    with running(command, folder=folder, settings=settings) as process:
        _wait_for(port)
        yield HttpServer(process, port)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _wait_for(port: int) -> None:
    ends = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)
        else:
            return
