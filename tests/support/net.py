"""A scripted internet: names, addresses and answers, and a folder for downloads."""

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import (
    FileUpdate,
    Result,
    Task,
)
from geekai_video_mcp.errors import DownloadFailed
from geekai_video_mcp.media.downloads import InspectFile, ResultDownloader
from support.fake_geekai import VIDEO, file_reply
from support.world import skip_inspection

PUBLIC = "93.184.216.34"
SERVICE = f"https://{PUBLIC}/api/v1"
"""The service by its IP address, so that its transport also serves hosts resolved to it."""
LINK = "https://static.geekai.co/video/2026/11/22/a.mp4"
WEBM = b"\x1a\x45\xdf\xa3" + bytes(5000)

Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


@dataclass
class Net:
    """The addresses of every name, the requests that were made, and the answers."""

    folder: Path
    names: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    answers: dict[str, httpx.Response] = field(default_factory=dict[str, httpx.Response])
    """By the host of the request."""
    usual: Answer | None = None
    inspect: InspectFile = skip_inspection
    """What says of a received file whether it can be decoded."""
    api_key: SecretStr | None = None
    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])
    looked_up: list[str] = field(default_factory=list[str])

    async def resolve(self, host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        self.looked_up.append(host)
        found = self.names.get(host, [PUBLIC])
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.usual is not None:
            return await self.usual(request)
        return self.answers.get(request.headers["Host"]) or file_reply(VIDEO)

    async def fetch(self, task: Task, *, service: str = SERVICE) -> FileUpdate:
        transport = httpx.MockTransport(self.answer)
        async with ResultDownloader(
            self.folder,
            service_url=service,
            api_key=self.api_key,
            transport=transport,
            inspect_file=self.inspect,
        ) as fetcher:
            return await fetcher.download(task)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*"))


def succeeded_task(url: str | None = LINK, *, prompt: str = "a fox in the snow") -> Task:
    return Task(
        id="0123456789abcdef" * 2,
        created_at=0.0,
        account="s",
        model="cogvideox-flash",
        request={"prompt": prompt},
        status=Status.SUCCEED,
        result=Result(url=url),
    )


def redirect(to: str, status_code: int = 302) -> httpx.Response:
    return httpx.Response(status_code, headers={"Location": to})


async def download_refusal(net: Net, task: Task) -> str:
    """The reason why the download failed; also asserts that it left no file behind."""
    with pytest.raises(DownloadFailed) as error:
        await net.fetch(task)
    assert net.files() == []
    assert "://" not in error.value.message
    return error.value.reason
