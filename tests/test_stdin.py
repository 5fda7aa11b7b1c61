"""The lines of stdin are the same whatever stdin is, and none is kept longer than a message."""

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import anyio
import pytest

from geekai_video_mcp.server import stdin
from geekai_video_mcp.server.stdin import HostLines

LIMIT = 10
SENT: list[tuple[bytes, list[bytes]]] = [
    (b"", []),
    (b"one\ntwo\n", [b"one\n", b"two\n"]),
    (b"\n\nlast", [b"\n", b"\n", b"last"]),
    (b"123456789\n1234567890\n", [b"123456789\n", b"1234567890\n"]),
    (b"12345678901\nnext\n", [b"12345678901", b"next\n"]),
    (b"x" * 25 + b"\nnext\n", [b"x" * 11, b"next\n"]),
    (b"x" * 25, [b"x" * 11]),
    ("zwei Füchse\n".encode()[:LIMIT] + b"\n", ["zwei Füchse".encode()[:LIMIT] + b"\n"]),
]


def from_pipe(sent: bytes, _: Path) -> BinaryIO:
    reading, writing = os.pipe()
    os.write(writing, sent)
    os.close(writing)
    return os.fdopen(reading, "rb")


def from_socket(sent: bytes, _: Path) -> BinaryIO:
    ours, host = socket.socketpair()
    with host:
        host.sendall(sent)
    return os.fdopen(ours.detach(), "rb")


def from_file(sent: bytes, folder: Path) -> BinaryIO:
    (folder / "input").write_bytes(sent)
    return (folder / "input").open("rb")


# On Windows a pipe is read like a file, and a socket is no input of a program.
STARTS = [from_file] if sys.platform == "win32" else [from_pipe, from_socket, from_file]


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("read_bytes", [1, 7, 65_536])
@pytest.mark.parametrize(("sent", "lines"), SENT)
async def test_lines_are_the_same_from_a_pipe_a_socket_and_a_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    start: Callable[[bytes, Path], BinaryIO],
    read_bytes: int,
    sent: bytes,
    lines: list[bytes],
) -> None:
    monkeypatch.setattr(stdin, "MAX_MESSAGE_BYTES", LIMIT)
    monkeypatch.setattr(stdin, "_READ_BYTES", read_bytes)
    with start(sent, tmp_path) as host:
        read, host_lines = list[bytes](), HostLines(host)
        with anyio.fail_after(5):
            while line := await host_lines.read():
                read.append(line)
            again = await host_lines.read()

    assert read == lines
    assert again == b""
