"""GeekAI as a script: it charges before it replies, counts what it charged, and obeys a test.

It stands behind `httpx.MockTransport`, so the real client, the real artifacts and
everything above them are what is tested.
"""

import base64
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

BASE_URL = "https://geekai.test/api/v1"
KEY = "sk-canary-0123456789"


def box(name: bytes, content: bytes) -> bytes:
    """A box of an MP4, as long as it says."""
    return (8 + len(content)).to_bytes(4, "big") + name + content


VIDEO = (
    box(b"ftyp", b"mp42" + bytes(12))
    + box(b"moov", bytes(range(256)) * 4)
    + box(b"mdat", bytes(range(256)) * 60)
)
"""Whole to whoever reads its boxes, and nothing to see."""

STILL = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) + b"IEND\xaeB`\x82"
"""A picture to whoever looks at its ends, and nothing to see."""

Answer = httpx.Response | Exception
Script = Callable[[httpx.Request], Awaitable[Answer | None]]


async def documented_reply(_: httpx.Request) -> None:
    """No word of its own: the service answers as documented."""


@dataclass
class Job:
    """One charged request."""

    id: str
    endpoint: str
    """`videos` or `images`: only there is it known."""
    body: dict[str, Any]
    charged_at: float


@dataclass
class ScriptedGeekAI:
    """A service whose jobs take `supports` seconds on the test's clock."""

    clock: Callable[[], float]
    job_seconds: float = 30.0
    on_create: Script = documented_reply
    """Asked after the charge; what it returns is the reply, None for the documented one."""
    before_charge: Script = documented_reply
    """Asked before; what it returns is the reply, and nothing is charged."""
    on_poll: Script = documented_reply
    on_file: Script = documented_reply
    on_models: Script = documented_reply
    models: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Its own list; empty for a service that gives none."""
    models_a_page: int = 100
    error: dict[str, str] | None = None
    """What jobs fail with; None for success."""
    as_array: bool = True
    as_base64: bool = False
    """Whether a picture stands in the answer itself."""
    signed: bool = False
    """Whether every look gives a link of its own."""
    extras: dict[str, Any] = field(default_factory=dict[str, Any])
    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])

    @property
    def charges(self) -> list[str]:
        """The prompts that were paid for, in order."""
        return [job.body["prompt"] for job in self.jobs.values()]

    @property
    def poll_count(self) -> int:
        return sum(
            r.method == "GET" and not r.url.path.endswith("/models") and "/files/" not in r.url.path
            for r in self.requests
        )

    @property
    def model_list_pages(self) -> list[int]:
        """The pages of its models that were asked for, in order."""
        return [int(r.url.params["page"]) for r in self.requests if r.url.path.endswith("/models")]

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path.startswith("/files/"):
            usual = STILL if request.url.path.endswith(".png") else VIDEO
            return await _scripted(self.on_file, request) or file(usual)
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return refusal(401, "unauthorized", "invalid token")
        if request.method == "POST":
            return await self._create(request)
        if request.url.path.endswith("/models"):
            return await _scripted(self.on_models, request) or self._models(request)
        return await _scripted(self.on_poll, request) or self._poll(request)

    def _models(self, request: httpx.Request) -> httpx.Response:
        if not self.models:
            return refusal(404, "not_found", "no such page")
        page = int(request.url.params["page"])
        entries = self.models[(page - 1) * self.models_a_page : page * self.models_a_page]
        answer = {"data": entries, "total": len(self.models), "page": page, "extra": 1}
        return httpx.Response(200, json=answer)

    async def _create(self, request: httpx.Request) -> httpx.Response:
        if reply := await _scripted(self.before_charge, request):
            return reply
        job = Job(
            id=str(UUID(int=len(self.jobs) + 1)),
            endpoint=request.url.path.split("/")[-2],
            body=json.loads(request.content),
            charged_at=self.clock(),
        )
        self.jobs[job.id] = job
        return await _scripted(self.on_create, request) or httpx.Response(
            200, json={"model": job.body["model"], "task_id": job.id, "task_status": "pending"}
        )

    def _poll(self, request: httpx.Request) -> httpx.Response:
        room, name = request.url.path.split("/")[-2:]
        job = self.jobs.get(name)
        if job is None or job.endpoint != room:
            return refusal(404, "not_found", "no such task")
        answer: dict[str, Any] = {"model": job.body["model"], "task_id": job.id, **self.extras}
        if self.clock() < job.charged_at + self.job_seconds:
            return httpx.Response(200, json={**answer, "task_status": "running"})
        if self.error:
            return httpx.Response(
                200, json={**answer, "task_status": "failed", "error": self.error}
            )
        if room == "images":
            return httpx.Response(
                200, json={**answer, "task_status": "succeed", **self._picture(job)}
            )
        signature = f"?signature={self.poll_count}" if self.signed else ""
        url = f"https://geekai.test/files/{job.id}.mp4{signature}"
        result = {"id": "v1", "url": url, "duration": 5}
        return httpx.Response(
            200,
            json={
                **answer,
                "task_status": "succeed",
                "video_result": [result] if self.as_array else result,
            },
        )

    def _picture(self, job: Job) -> dict[str, Any]:
        url = f"https://geekai.test/files/{job.id}.png"
        said = {"b64_json": base64.b64encode(STILL).decode()} if self.as_base64 else {"url": url}
        return {"data": [{**said, "revised_prompt": f"{job.body['prompt']}, revised"}]}


async def _scripted(script: Script, request: httpx.Request) -> httpx.Response | None:
    answer = await script(request)
    if isinstance(answer, Exception):
        raise answer
    return answer


def file(content: bytes, *, announced: int | None = None, chunk: int = 4096) -> httpx.Response:
    """A download in chunks, announcing its own length or another one."""

    async def chunks() -> AsyncGenerator[bytes]:
        for start in range(0, len(content), chunk):
            yield content[start : start + chunk]

    length = str(len(content) if announced is None else announced)
    return httpx.Response(200, content=chunks(), headers={"Content-Length": length})


def refusal(status_code: int, code: str, message: str) -> httpx.Response:
    """An error in GeekAI's documented shape."""
    return httpx.Response(status_code, json={"error": {"code": code, "message": message}})


def always(answer: Answer) -> Script:
    """A script that always says *answer*."""

    async def script(_: httpx.Request) -> Answer:
        return answer

    return script


def estimating(service: ScriptedGeekAI, *, seconds: float) -> Script:
    """A script that accepts the newest job and says how long it will take."""

    async def script(_: httpx.Request) -> Answer:
        job = list(service.jobs)[-1]
        answer = {"task_id": job, "task_status": "pending", "estimated_seconds": seconds}
        return httpx.Response(200, json=answer)

    return script


def once(answer: Answer) -> Script:
    """A script that says *answer* the first time, and then lets the service speak."""
    left = [answer]

    async def script(_: httpx.Request) -> Answer | None:
        return left.pop() if left else None

    return script
