"""A model that is a program: over HTTP, it follows the script and keeps every request."""

import gzip
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from hosts.apis import find_api
from hosts.apis.conversation import Reply, Response, json_response
from hosts.script import Script

THINKING_SECONDS: Final = 3
"""Before the first call, as models think; a host may still be starting its servers."""
NOT_FOUND: Final = Response("application/json", "{}")


class FakeModel:
    """What all requests share. A folder of requests is what is judged afterwards."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._script = Script()
        self._lock = threading.Lock()
        self._count = 0
        self._called = False

    def respond(self, path: str, body: Mapping[str, Any]) -> Response | None:
        """The response to a POST, or None where there is nothing at *path*."""
        with self._lock:
            self._count += 1
            number = self._count
            api = find_api(path)
            reply = self._script.reply(api.read(body)) if api else Reply()
            called = reply.offer.name if reply.offer else None
            kept = {"path": path, "body": body, "called": called, "arguments": reply.arguments}
            text = json.dumps(kept, ensure_ascii=False)
            (self._folder / f"{number:03d}.json").write_text(text, "utf-8")
            if reply.offer and not self._called:
                self._called = True
                time.sleep(THINKING_SECONDS)
        if path.partition("?")[0].endswith(("/count_tokens", ":countTokens")):
            return json_response({"input_tokens": 1000, "totalTokens": 1000})
        if not api:
            return None
        stream = bool(body.get("stream")) or ":streamGenerateContent" in path
        return api.write(reply, body, number, stream=stream)


def serve(folder: Path) -> str:
    """Serve a new model in the background, and return its address."""
    model = FakeModel(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base's name
            pass

        def do_GET(self) -> None:
            one = {"id": "scripted", "name": "scripted", "object": "model", "created": 1}
            is_list = self.path.partition("?")[0].endswith("/models")
            self._send(json_response({"object": "list", "data": [one]}) if is_list else None)

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                raw = gzip.decompress(raw)
            try:
                body = json.loads(raw)
            except ValueError:  # a host's telemetry
                self._send(None)
            else:
                self._send(model.respond(self.path, body if isinstance(body, dict) else {}))  # pyright: ignore[reportUnknownArgumentType]

        def _send(self, response: Response | None) -> None:
            self.send_response(200 if response else 404)
            media_type, text = response or NOT_FOUND
            data = text.encode()
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"
