"""Two hundred clients ask for videos while the server is told to stop: nothing is lost or doubled.

What is counted is printed (`pytest -s`); docs/hosting.md has the figures.
"""

import json
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.lowlevel
import httpx
import pytest

from support.handshake import HELLO
from support.process import SERVE, http_process, http_server, token_header
from support.provider import running_provider

CLIENTS = 200
UNLIMITED = {
    "GEEKAI_MAX_VIDEOS_PER_DAY": "100000",
    "GEEKAI_MAX_IN_FLIGHT": "100000",
    "GEEKAI_MAX_CALLS_PER_MINUTE": "100000",
    "GEEKAI_REQUESTS_PER_SECOND": "100",
}
REFUSALS = {
    "stopping": "is stopping and takes no new request. Nothing was charged.",
    "busy": "It may have been charged. Repeat the same call unchanged",
}
"""What a call may be refused with, once the server stops or the machine cannot keep up."""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals")


@dataclass
class Crowd:
    """What the clients were told."""

    origin: str
    headers: Mapping[str, str]
    outcomes: Counter[str] = field(default_factory=Counter[str])
    task_ids: list[str] = field(default_factory=list[str])

    async def submit_until_cut(self, number: int) -> None:
        """Ask for one video after another until the server has gone."""
        headers = {"Accept": "application/json, text/event-stream", **self.headers}
        async with httpx.AsyncClient(base_url=self.origin, headers=headers, timeout=60) as client:
            # A tenant has 128 calls at once; what is refused was not begun.
            while (opened := await client.post("/mcp", json=HELLO)).status_code == 429:
                self.outcomes["429"] += 1
            client.headers["Mcp-Session-Id"] = opened.headers["Mcp-Session-Id"]
            for video in range(10_000):
                arguments = {"prompt": f"client {number} video {video}"}
                params = {"name": "generate_video", "arguments": arguments}
                request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
                try:
                    answer = await client.post("/mcp", json=request)
                except httpx.TransportError as exc:
                    self.outcomes[f"cut: {type(exc).__name__}"] += 1
                    return
                if not self._count(answer):
                    return

    def _count(self, answer: httpx.Response) -> bool:
        """Note what the answer says; whether the client goes on."""
        if answer.status_code != 200:
            self.outcomes[f"HTTP {answer.status_code}"] += 1
            return False
        data = [line for line in answer.text.splitlines() if line.startswith("data: {")]
        if not data:
            self.outcomes["an answer without a result"] += 1
            return False
        result = json.loads(data[-1].removeprefix("data: "))["result"]
        if result.get("isError"):
            text = result["content"][0]["text"]
            kinds = [kind for kind, words in REFUSALS.items() if words in text]
            self.outcomes[kinds[0] if kinds else f"error: {text}"] += 1
            return False
        content = result["structuredContent"]
        self.outcomes[content["task_status"]] += 1
        self.task_ids.append(content["task_id"])
        return True


def rows(folder: Path) -> dict[str, tuple[str, str]]:
    """The prompt and status of every task, by its id."""
    with closing(sqlite3.connect(folder / "state" / "ledger.sqlite3", timeout=30)) as ledger:
        found = ledger.execute("SELECT id, request ->> 'prompt', status FROM task").fetchall()
    return {task_id: (prompt, status) for task_id, prompt, status in found}


@pytest.mark.exhaustive
async def test_a_stop_under_load_loses_nothing(tmp_path: Path) -> None:
    took = 0.0
    async with running_provider() as service:
        settings = {**service.settings, **UNLIMITED}
        async with http_process(tmp_path, *SERVE, **settings) as (origin, process):
            crowd = Crowd(origin, token_header(tmp_path))
            async with anyio.create_task_group() as clients:
                for number in range(CLIENTS):
                    clients.start_soon(crowd.submit_until_cut, number)
                with anyio.fail_after(50):
                    while len(service.prompts) < CLIENTS:
                        await anyio.lowlevel.checkpoint()
                process.send_signal(signal.SIGTERM)
                stopped_at = anyio.current_time()
                await process.wait()
                took = anyio.current_time() - stopped_at
        after_stop = rows(tmp_path)
        async with http_server(tmp_path, *SERVE, **settings):
            with anyio.fail_after(50):
                while {"pending", "running", "submitting"} & {
                    status for _, status in rows(tmp_path).values()
                }:
                    await anyio.lowlevel.checkpoint()
        after_restart = rows(tmp_path)

    print(f"{took:.1f} s to the end; clients: {dict(crowd.outcomes)}")  # noqa: T201 - the figures
    print(f"at the stop {Counter(status for _, status in after_stop.values())}")  # noqa: T201
    print(f"after it {Counter(status for _, status in after_restart.values())}")  # noqa: T201
    assert process.returncode == -signal.SIGTERM
    assert took < 15
    assert set(crowd.task_ids) <= set(after_stop)
    assert len(service.prompts) == len(set(service.prompts))
    recorded = {prompt for prompt, status in after_restart.values() if status != "rejected"}
    assert set(service.prompts) <= recorded
    assert {status for _, status in after_restart.values()} <= {"succeed", "unknown"}
    served = {"pending", "running", "succeed", "HTTP 429", "429"}
    other_outcomes = {name for name in crowd.outcomes if name not in served}
    assert all(name.startswith((*REFUSALS, "cut: ", "HTTP 503")) for name in other_outcomes)
