"""What an operator sees of a server over HTTP: whether it is ready, its numbers, and its log."""

import json
import socket
import sqlite3
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.disks import mounted_tmpfs
from support.process import (
    SERVE,
    SMALL,
    http_client,
    http_process,
    http_server,
    run_cli,
    token_header,
)
from support.provider import HELD_PREFIX, running_provider
from support.world import call, structured


@dataclass(frozen=True)
class Answers:
    """A running server, asked by a client without a token."""

    client: httpx.AsyncClient
    folder: Path

    async def ready(self) -> tuple[int, str]:
        answer = await self.client.get("/ready")
        assert str(self.folder) not in answer.text
        return answer.status_code, answer.json().get("error_description", "")

    async def metrics(self, **headers: str) -> dict[str, float]:
        """Each sample, by its name and labels as they are written."""
        answer = await self.client.get("/metrics", headers=headers or token_header(self.folder))
        assert answer.status_code == 200, answer.text
        return {
            f"{each.name}{sorted(each.labels.items())}": each.value
            for family in text_string_to_metric_families(answer.text)
            for each in family.samples
        }


@asynccontextmanager
async def asked(folder: Path, **settings: str) -> AsyncGenerator[Answers]:
    async with (
        http_server(folder, *SERVE, **settings) as origin,
        httpx.AsyncClient(base_url=origin) as client,
    ):
        yield Answers(client, folder)


def sample_name(name: str, **labels: str) -> str:
    return f"{name}{sorted(labels.items())}"


async def test_a_server_is_ready_while_its_ledger_and_folder_can_be_written(
    tmp_path: Path,
) -> None:
    async with asked(tmp_path, GEEKAI_API_KEY="sk-any") as server:
        at_first = await server.ready()
        with closing(sqlite3.connect(tmp_path / "state" / "ledger.sqlite3")) as other:
            other.execute("BEGIN EXCLUSIVE")
            while_locked = await server.ready()
            with anyio.fail_after(10):
                while while_locked[0] == 200:  # as it was found within the same second
                    while_locked = await server.ready()
            started = anyio.current_time()
            health = await server.client.get("/health")
            took = anyio.current_time() - started
            other.execute("ROLLBACK")
        with anyio.fail_after(10):
            while (await server.ready())[0] != 200:
                await anyio.lowlevel.checkpoint()

    assert at_first == (200, "")
    assert while_locked[0] == 503
    assert "could not be written within 2 seconds" in while_locked[1]
    assert health.status_code == 200
    assert took < 1


async def test_a_full_disk_makes_a_server_unready(tmp_path: Path) -> None:
    with mounted_tmpfs(tmp_path / "disk", "size=24m") as disk:
        async with asked(tmp_path, GEEKAI_OUTPUT_DIR=str(disk / "videos")) as server:
            status, reason = await server.ready()

    assert status == 503
    assert "no room for another result" in reason


async def test_however_many_ask_one_check_is_made_a_second(tmp_path: Path) -> None:
    path = tmp_path / "state" / "ledger.sqlite3"

    def changes() -> int:
        """How often the file was written, as its header says."""
        return int.from_bytes(path.read_bytes()[24:28], "big")

    async with asked(tmp_path) as server:
        await server.ready()
        before, started = changes(), anyio.current_time()
        answers = [await server.ready() for _ in range(200)]
        seconds = anyio.current_time() - started
        written = changes() - before

    assert {status for status, _ in answers} == {200}
    assert written <= seconds + 1


async def test_the_metrics_say_what_became_of_requests(tmp_path: Path) -> None:
    async with asked(tmp_path) as server:
        async with http_client(f"{server.client.base_url}/mcp", headers={}) as client:
            for prompt in ("canary-fox", "canary-fox", "an owl"):
                made = structured(await call(client, "generate_video", prompt=prompt, **SMALL))
            done = structured(
                await call(client, "get_video_task", task_id=made["task_id"], wait_seconds=45)
            )
        found = await server.metrics()
        text = (await server.client.get("/metrics")).text

    model = {"tenant": "local", "model": done["model"]}
    assert found[sample_name("geekai_submissions_total", outcome="accepted", **model)] == 2
    assert found[sample_name("geekai_submissions_total", outcome="duplicate", **model)] == 1
    assert found[sample_name("geekai_polls_total", tenant="local", outcome="answered")] >= 1
    assert found[sample_name("geekai_downloads_total", tenant="local", outcome="stored")] >= 1
    assert found[sample_name("geekai_downloaded_bytes_total", **model)] > 1000
    assert found[sample_name("geekai_waits_total", tenant="local")] >= 1
    assert found[sample_name("geekai_waiting_calls", tenant="local")] == 0
    assert found[sample_name("geekai_poll_lateness_seconds_count")] >= 1
    assert found[sample_name("geekai_http_requests_total", status_class="2xx")] >= 3
    assert found[sample_name("process_resident_memory_bytes")] > 10_000_000
    assert "canary" not in text
    assert made["task_id"][:8] not in text


async def test_the_metrics_show_what_has_not_ended_and_who_was_refused(tmp_path: Path) -> None:
    async with running_provider() as service, asked(tmp_path, **service.settings) as server:
        headers = token_header(tmp_path)
        async with http_client(f"{server.client.base_url}/mcp", headers=headers) as client:
            prompt = f"{HELD_PREFIX} a fox"
            await call(client, "generate_video", prompt=prompt, model="canary-model-9")
        refused = await server.client.get("/metrics")
        found = await server.metrics()

    labels = {"tenant": "local", "model": "other", "outcome": "accepted"}
    assert refused.status_code == 401
    assert found[sample_name("geekai_http_refusals_total", status="401")] == 1
    assert found[sample_name("geekai_submissions_total", **labels)] == 1
    assert sum(value for name, value in found.items() if name.startswith("geekai_tasks")) == 1
    assert "canary" not in str(found)


async def test_without_the_extra_the_metrics_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hidden" / "prometheus_client").mkdir(parents=True)
    missing = "raise ModuleNotFoundError('No module named prometheus_client')"
    (tmp_path / "hidden" / "prometheus_client" / "__init__.py").write_text(missing, "utf-8")
    monkeypatch.setenv("PYTHONPATH", ":".join([str(tmp_path / "hidden"), *sys.path]))
    async with asked(tmp_path) as server:
        answer = await server.client.get("/metrics")

    assert answer.status_code == 404
    assert "geekai-video-mcp[metrics]" in answer.json()["error_description"]


async def test_every_line_of_a_json_log_is_an_object_without_secrets(tmp_path: Path) -> None:
    async with running_provider() as service:
        settings = {
            **service.settings,
            "GEEKAI_API_KEY": "sk-canary-55512",
            "GEEKAI_LOG_LEVEL": "DEBUG",
            "GEEKAI_LOG_FORMAT": "json",
            "GEEKAI_SECRET": "canary-secret-0123456789-0123456789",
            "PYTHONWARNINGS": "always",
        }
        async with http_process(tmp_path, *SERVE, **settings) as (origin, process):
            headers = token_header(tmp_path)
            async with http_client(f"{origin}/mcp", headers=headers) as client:
                made = structured(await call(client, "generate_video", prompt="canary-fox"))
                await call(client, "get_video_task", task_id=made["task_id"], wait_seconds=45)
            async with httpx.AsyncClient() as stranger:
                await stranger.post(f"{origin}/mcp", headers={"Authorization": "Bearer canary-t"})
                await stranger.get(f"{origin}/health", headers={"Host": "canary.test"})
            process.terminate()
        log = (tmp_path / "stderr.log").read_text("utf-8")

    lines: list[dict[str, Any]] = [json.loads(line) for line in log.splitlines()]
    assert lines
    for line in lines:
        assert {"time", "level", "logger", "message"} <= set(line)
        assert line["time"].endswith("+00:00")
    assert any(line.get("method") == "POST" for line in lines)
    for secret in ("canary-55512", "canary-fox", "canary-secret", "canary-t"):
        assert secret not in log.replace("canary.test", "")


async def test_why_a_server_does_not_start_is_an_error_in_a_json_log(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, _, stderr = await run_cli(
            tmp_path, "serve", "--transport", "http", "--port", port, GEEKAI_LOG_FORMAT="json"
        )
    last: dict[str, str] = json.loads(stderr.splitlines()[-1])

    assert (status, last["level"]) == (2, "ERROR")
    assert f"--port {port}" in last["message"]
