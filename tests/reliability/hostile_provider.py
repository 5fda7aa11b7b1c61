"""A GeekAI whose answers are hostile: each field gets any value, and each body any shape.

Half of the answers are as documented. What it answers depends on the seed and the prompt alone,
so a call that is run again meets the same answers. It charges every POST that it does not refuse.
"""

import asyncio
import json
import random
import re
import socket
import zlib
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from reliability import hostile_values as hostile
from reliability.fault_rules import ConnectionEnded, Request
from reliability.hostile_calls import dice_for
from support.fake_geekai import STILL, VIDEO

NUMBER: Final = re.compile(r"#(\d+)#")
NOT_CHARGED: Final = frozenset({301, 400, 401, 402, 403, 404, 413, 415, 422, 429})
STATUSES: Final = (
    *sorted(NOT_CHARGED - {429}),
    204,
    206,
    408,
    409,
    418,
    451,
    500,
    502,
    503,
    504,
    599,
)
ENDPOINTS: Final = tuple(f"/api/v1/{name}" for name in ("videos/", "images/", "models"))
WORDS: Final = ("pending", "running", "succeed", "failed", "expired", "SUCCEED", "blocked", "")


@dataclass
class HostileProvider:
    """The service, and what it was asked for."""

    seed: int
    key: str
    hostility: float = 0.5
    origin: str = ""
    charges: Counter[str] = field(default_factory=Counter[str])
    """How often the prompt of each call was charged."""
    video: bytes = VIDEO
    picture: bytes = STILL
    without_key: list[str] = field(default_factory=list[str])
    """Requests to an endpoint of the API without the key."""
    _prompts: dict[str, int] = field(default_factory=dict[str, int])
    _requests: Counter[str] = field(default_factory=Counter[str])

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a server that uses this provider."""
        return {"GEEKAI_BASE_URL": f"{self.origin}/api/v1", "GEEKAI_API_KEY": self.key}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.split("\r\n")
                method, path, _ = first.split(" ", 2)
                pairs = (line.partition(":") for line in lines if line)
                headers = {name.strip().lower(): text.strip() for name, _, text in pairs}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                await self._answer(Request(method, path, headers, body, writer, reader))
        except (OSError, EOFError, ConnectionEnded, ValueError):
            pass
        finally:
            writer.close()

    async def _answer(self, request: Request) -> None:
        if not request.path.startswith("/api/"):
            await self._file(request)
            return
        # A hostile relative link leads below the API's path too, and is tried without the key.
        endpoint = request.method == "POST" or request.path.startswith(ENDPOINTS)
        if endpoint and request.headers.get("authorization") != f"Bearer {self.key}":
            self.without_key.append(f"{request.method} {request.path}")
        prompt = str(json.loads(request.body).get("prompt")) if request.body else request.path
        found = NUMBER.search(prompt)
        job = request.path.rsplit("/", 1)[-1]
        number = int(found[1]) if found else self._prompts.get(job, 0)
        self._requests[f"{request.method} {number}"] += 1
        nth = self._requests[f"{request.method} {number}"]
        dice = dice_for(self.seed, f"{request.method} {nth}", number)
        if dice.random() < self.hostility:
            status, body, headers = self._hostile(dice, number)
        else:
            status, body, headers = *self._documented(request, number), {}
        if request.method == "POST":
            self._prompts[f"job-{number}"] = number
            if status not in NOT_CHARGED:
                self.charges[str(number)] += 1
        if dice.random() < self.hostility / 10:
            await request.reply(status, body[: len(body) // 2], headers, announced=len(body) + 1)
            raise ConnectionEnded
        await request.reply(status, body, headers)

    def _documented(self, request: Request, number: int) -> tuple[int, bytes]:
        if request.path.startswith("/api/v1/models"):
            models = [{"id": name, "type": "video"} for name in ("veo3", "sora-2", "cogvideox-3")]
            return 200, _to_json({"data": models, "total": len(models)})
        if number == 0:
            return 404, _to_json({"error": {"code": "not_found", "message": "no such task"}})
        answer: dict[str, Any] = {"task_id": f"job-{number}", "estimated_seconds": 0}
        if request.method == "POST":
            return 200, _to_json({**answer, "task_status": "pending"})
        image = "/images/" in request.path
        link = {"url": f"{self.origin}/files/{number}.{'png' if image else 'mp4'}"}
        result = {"data": [link]} if image else {"video_result": [link]}
        return 200, _to_json({**answer, "task_status": "succeed", **result})

    def _hostile(self, dice: random.Random, number: int) -> tuple[int, bytes, dict[str, str]]:
        status = 200 if dice.random() < 0.6 else dice.choice(STATUSES)
        if dice.random() < 0.002:  # rare, because it stops every request for up to a minute
            status = 429
        written = _to_json(self._object(dice, number))
        bodies = (
            *(written,) * 8,
            written[: len(written) // 2],
            b"\xef\xbb\xbf" + written,
            b"\n\n  " + written,
            b"[" + written + b"]",
            b"<html><body>" + hostile.text(dice).encode("utf-8", "replace") + b"</body></html>",
            b"",
            b"\0\xff\xfe",
            b"null",
            b"[" * dice.choice((900, 100_000)),
            b'{"task_id":' * 5000 + b"1" + b"}" * 5000,
            b'{"task_id":"' + b"x" * 300_000 + b'"}',
            b'{"data":[' + b"[]," * 20_000 + b"[]]}",
            self.key.encode(),
        )
        headers = {"Retry-After": dice.choice(("0", "-1", "1e999", "soon", "nan", "9" * 400))}
        if dice.random() < 0.05:
            headers["Content-Encoding"] = dice.choice(("gzip", "deflate", "br", "nonsense"))
        body = dice.choice(bodies)
        if headers.get("Content-Encoding") == "deflate":
            body = zlib.compress(bytes(1_000_000))
        return status, body, headers if dice.random() < 0.2 else {}

    def _object(self, dice: random.Random, number: int) -> dict[str, Any]:
        def text() -> str:
            leak = (self.key, f"Bearer {self.key}")
            return dice.choice(leak) if dice.random() < 0.1 else hostile.text(dice)

        def link() -> object:
            inside = f"{self.origin}/files/{number}.mp4"
            return dice.choice((inside, inside.upper(), "/files/x", text(), hostile.value(dice)))

        result = {
            "id": text(),
            "url": link(),
            "cover_image_url": link(),
            "last_frame_url": link(),
            "duration": dice.choice(hostile.NUMBERS),
            "revised_prompt": text(),
        }
        full: dict[str, Any] = {
            "model": text(),
            "task_id": dice.choice((f"job-{number}", text(), hostile.value(dice))),
            "task_status": dice.choice((*WORDS, text(), hostile.value(dice))),
            "video_result": dice.choice((result, [result], [], None, hostile.value(dice))),
            "data": dice.choice(([result], result, hostile.value(dice))),
            "error": dice.choice(
                ({"code": text(), "message": text()}, text(), hostile.value(dice), None)
            ),
            "message": text(),
            "estimated_seconds": dice.choice(hostile.NUMBERS),
        }
        return {name: member for name, member in full.items() if dice.random() < 0.6}

    async def _file(self, request: Request) -> None:
        """A video, a picture, or something else."""
        dice = dice_for(self.seed, request.path, 0)
        good = self.picture if request.path.endswith(".png") else self.video
        bad = (good[:100], b"<html>", b"", b"GIF89a" + bytes(50))
        content = dice.choice(bad) if dice.random() < self.hostility else good
        await request.reply(200, content, {"Content-Type": "video/mp4"})


def _to_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=len(str(value)) % 2 == 0).encode("utf-8", "replace")


@asynccontextmanager
async def running_hostile_provider(
    seed: int, key: str, *, hostility: float = 0.5
) -> AsyncGenerator[HostileProvider]:
    """Serve on a free port of loopback while the block lasts."""
    provider = HostileProvider(seed, key, hostility)
    sock = socket.create_server(("127.0.0.1", 0))
    provider.origin = f"http://127.0.0.1:{sock.getsockname()[1]}"
    server = await asyncio.start_server(provider.serve, sock=sock, limit=64 * 1024)
    try:
        yield provider
    finally:
        server.close()
