"""A service on a port of this machine that answers every read in the same way."""

import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def small_service(
    status: int, body: dict[str, Any], *, clock_ahead: float = 0.0
) -> Generator[tuple[str, list[str]]]:
    """Serve *body* for every GET; yields the base URL, and the requests that came.

    *clock_ahead* is how far the machine of the service is behind this one, in seconds.
    """
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(f"{self.command} {self.path}")
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def date_time_string(self, timestamp: float | None = None) -> str:
            del timestamp
            return formatdate(time.time() - clock_ahead, usegmt=True)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api/v1", requests
        finally:
            server.shutdown()
            thread.join()


def api_error_body(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
