"""Who gets a preview when many ask: on a fake clock, with a program that ends when it is told."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from geekai_video_mcp.media.inspection import Reason
from geekai_video_mcp.media.preview import (
    MAX_QUEUED,
    PREVIEW_DEADLINE,
    PreviewRenderer,
    PreviewRequest,
)
from support.clock import run_without_thread, virtual_backend
from support.stills import write_file


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Trio on a clock that jumps to the next deadline once everything waits."""
    return virtual_backend()


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that jumps while a thread works would jump over it."""
    monkeypatch.setattr(to_thread, "run_sync", run_without_thread)


class Programs:
    """Takes a second for each picture, and counts."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds, self.running, self.most, self.started = seconds, 0, 0, 0

    async def run(self, arguments: Sequence[str], _: bytes) -> "subprocess.CompletedProcess[bytes]":
        self.started += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await anyio.sleep(self.seconds)
        finally:
            self.running -= 1
        return subprocess.CompletedProcess([], 0, b"{}\n" + arguments[1].encode())


async def ask_one(renderer: PreviewRenderer, path: Path) -> bytes | None:
    return (await renderer.render(PreviewRequest(paths=(path,)))).picture


async def ask(renderer: PreviewRenderer, paths: Sequence[Path]) -> list[bytes | None]:
    found: list[bytes | None] = []

    async def one(path: Path) -> None:
        found.append(await ask_one(renderer, path))

    async with anyio.create_task_group() as group:
        for path in paths:
            group.start_soon(one, path)
    return found


async def test_eight_at_once_all_get_theirs_two_at_a_time(tmp_path: Path) -> None:
    programs = Programs()
    paths = [write_file(tmp_path, f"{number}.mp4", b"x") for number in range(8)]
    found = await ask(PreviewRenderer(run_worker=programs.run), paths)

    assert sorted(found, key=str) == [str(path).encode() for path in paths]
    assert programs.most == 2


async def test_two_tenants_share_the_two_places(tmp_path: Path) -> None:
    programs = Programs()
    renderers = [PreviewRenderer(run_worker=programs.run) for _ in range(2)]
    async with anyio.create_task_group() as group:
        for number, renderer in enumerate(renderers):
            paths = [write_file(tmp_path, f"{number}-{each}.mp4", b"x") for each in range(3)]
            group.start_soon(ask, renderer, paths)

    assert programs.most == 2


async def test_a_flood_of_one_tenant_is_refused_at_once_and_delays_no_other(tmp_path: Path) -> None:
    programs = Programs()
    one, other = (PreviewRenderer(run_worker=programs.run) for _ in range(2))
    paths = [write_file(tmp_path, f"{number}.mp4", b"x") for number in range(100)]
    refused: list[float] = []

    async def flood(path: Path) -> None:
        shown = await one.render(PreviewRequest(paths=(path,)))
        if shown.files[0].reason is Reason.BUSY:
            refused.append(anyio.current_time())

    began = anyio.current_time()
    async with anyio.create_task_group() as group:
        for path in paths:
            group.start_soon(flood, path)
        await anyio.sleep(0.5)
        assert len(refused) == len(paths) - MAX_QUEUED
        assert max(refused) - began < 0.5
        assert await ask_one(other, write_file(tmp_path, "other.mp4", b"x"))
    assert await ask_one(one, paths[-1])


async def test_equal_questions_are_answered_once_until_the_file_changes(tmp_path: Path) -> None:
    programs = Programs()
    renderer = PreviewRenderer(run_worker=programs.run)
    path = write_file(tmp_path, "a.mp4", b"x")
    found = await ask(renderer, [path] * 8) + await ask(renderer, [path])
    assert (set(found), programs.started) == ({str(path).encode()}, 1)

    path.write_bytes(b"another")
    await ask(renderer, [path])
    assert programs.started == 2


async def test_whoever_waits_too_long_gets_none_and_holds_nobody(tmp_path: Path) -> None:
    programs = Programs(seconds=PREVIEW_DEADLINE * 0.9)
    paths = [write_file(tmp_path, f"{number}.mp4", b"x") for number in range(4)]
    began = anyio.current_time()
    found = await ask(PreviewRenderer(run_worker=programs.run), paths)

    assert sum(picture is None for picture in found) == 2
    assert anyio.current_time() - began == pytest.approx(PREVIEW_DEADLINE, abs=0.1)


async def test_who_asks_the_same_gets_it_when_the_first_one_gives_up(tmp_path: Path) -> None:
    renderer = PreviewRenderer(run_worker=Programs().run)
    path = write_file(tmp_path, "a.mp4", b"x")
    async with anyio.create_task_group() as first:
        first.start_soon(ask_one, renderer, path)
        await anyio.sleep(0.5)
        async with anyio.create_task_group() as second:
            second.start_soon(ask, renderer, [path])
            await anyio.sleep(0.1)
            first.cancel_scope.cancel()
    assert await ask_one(renderer, path) == str(path).encode()
