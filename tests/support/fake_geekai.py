"""A scripted GeekAI: it charges before it replies, counts charges, and answers as a test sets.

It is used through `httpx.MockTransport`, so the real client, the real downloader and
everything above them are tested.
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
"""Complete by its boxes, but without frames."""

STILL = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) + b"IEND\xaeB`\x82"
"""A PNG by its first and last bytes, but without pixels."""

Answer = httpx.Response | Exception
Script = Callable[[httpx.Request], Awaitable[Answer | None]]


async def documented_reply(_: httpx.Request) -> None:
    """No scripted answer: the service answers as documented."""


@dataclass
class Job:
    """One charged request."""

    id: str
    endpoint: str
    """`videos` or `images`; the job only exists at this endpoint."""
    body: dict[str, Any]
    charged_at: float


@dataclass
class ScriptedGeekAI:
    """A service whose jobs take `job_seconds` on the test's clock."""

    clock: Callable[[], float]
    job_seconds: float = 30.0
    on_create: Script = documented_reply
    """Called after the charge; returns the reply, or None for the documented one."""
    before_charge: Script = documented_reply
    """Called before the charge; if it returns a reply, nothing is charged."""
    on_poll: Script = documented_reply
    on_file: Script = documented_reply
    on_models: Script = documented_reply
    models: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Its model list; empty for a service without one."""
    models_a_page: int = 100
    error: dict[str, str] | None = None
    """The error of every job; None for success."""
    as_array: bool = True
    as_base64: bool = False
    """Whether an image is in the answer itself."""
    signed: bool = False
    """Whether every poll returns a new link."""
    extras: dict[str, Any] = field(default_factory=dict[str, Any])
    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])

    @property
    def charges(self) -> list[str]:
        """The prompts that were charged, in order."""
        return [job.body["prompt"] for job in self.jobs.values()]

    @property
    def poll_count(self) -> int:
        return sum(
            r.method == "GET" and not r.url.path.endswith("/models") and "/files/" not in r.url.path
            for r in self.requests
        )

    @property
    def model_list_pages(self) -> list[int]:
        """The pages of the model list that were requested, in order."""
        return [int(r.url.params["page"]) for r in self.requests if r.url.path.endswith("/models")]

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path.startswith("/files/"):
            usual = STILL if request.url.path.endswith(".png") else VIDEO
            return await _scripted(self.on_file, request) or file_reply(usual)
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return api_error(401, "unauthorized", "invalid token")
        if request.method == "POST":
            return await self._create(request)
        if request.url.path.endswith("/models"):
            return await _scripted(self.on_models, request) or self._models(request)
        return await _scripted(self.on_poll, request) or self._poll(request)

    def _models(self, request: httpx.Request) -> httpx.Response:
        if not self.models:
            return api_error(404, "not_found", "no such page")
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
        endpoint, job_id = request.url.path.split("/")[-2:]
        job = self.jobs.get(job_id)
        if job is None or job.endpoint != endpoint:
            return api_error(404, "not_found", "no such task")
        answer: dict[str, Any] = {"model": job.body["model"], "task_id": job.id, **self.extras}
        if self.clock() < job.charged_at + self.job_seconds:
            return httpx.Response(200, json={**answer, "task_status": "running"})
        if self.error:
            return httpx.Response(
                200, json={**answer, "task_status": "failed", "error": self.error}
            )
        if endpoint == "images":
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
        content = {"b64_json": base64.b64encode(STILL).decode()} if self.as_base64 else {"url": url}
        return {"data": [{**content, "revised_prompt": f"{job.body['prompt']}, revised"}]}


async def _scripted(script: Script, request: httpx.Request) -> httpx.Response | None:
    answer = await script(request)
    if isinstance(answer, Exception):
        raise answer
    return answer


def file_reply(
    content: bytes, *, announced: int | None = None, chunk: int = 4096
) -> httpx.Response:
    """A download in chunks with its own Content-Length, or *announced* instead."""

    async def chunks() -> AsyncGenerator[bytes]:
        for start in range(0, len(content), chunk):
            yield content[start : start + chunk]

    length = str(len(content) if announced is None else announced)
    return httpx.Response(200, content=chunks(), headers={"Content-Length": length})


def api_error(status_code: int, code: str, message: str) -> httpx.Response:
    """An error in GeekAI's documented shape."""
    return httpx.Response(status_code, json={"error": {"code": code, "message": message}})


def always_answer(answer: Answer) -> Script:
    """A script that always returns *answer*."""

    async def script(_: httpx.Request) -> Answer:
        return answer

    return script


def answer_with_estimate(service: ScriptedGeekAI, *, seconds: float) -> Script:
    """A script that accepts the newest job with an estimate of its duration."""

    async def script(_: httpx.Request) -> Answer:
        job = list(service.jobs)[-1]
        answer = {"task_id": job, "task_status": "pending", "estimated_seconds": seconds}
        return httpx.Response(200, json=answer)

    return script


def answer_once(answer: Answer) -> Script:
    """A script that returns *answer* the first time, and the documented reply after that."""
    remaining = [answer]

    async def script(_: httpx.Request) -> Answer | None:
        return remaining.pop() if remaining else None

    return script
