"""A network between a server and its database that loses what it is told to lose.

It forwards bytes, and knows two things of PostgreSQL's protocol: a statement's text is sent when a
connection uses it for the first time, and a transaction ends with the simple query COMMIT.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from urllib.parse import urlsplit, urlunsplit

COMMIT: Final = b"COMMIT;\0"
CHUNK: Final = 65_536


class Loss(Enum):
    """What happens to a COMMIT, seen from the server that sends it."""

    REQUEST = "the connection breaks before COMMIT arrives, which the database does not notice"
    RESPONSE = "the connection breaks after COMMIT, and before the response"
    SILENCE = "COMMIT arrives, and the response never does, although the connection stays"


@dataclass(eq=False)
class _Link:
    """One connection from a server, and the one that continues it to the database."""

    client: asyncio.StreamWriter
    database: asyncio.StreamWriter
    sent: bytearray = field(default_factory=bytearray)
    """What the server has sent in the current transaction."""
    silent: bool = False
    """Whether nothing of the database is passed on any more."""
    lost_response: bool = False
    """Whether the connection is to break instead of the next response."""


@dataclass
class DatabaseProxy:
    """Forwards connections to the database, until it is told otherwise."""

    url: str
    """The address of the database through this proxy."""
    _host: str
    _port: int
    _losses: list[tuple[bytes, Loss]] = field(default_factory=list[tuple[bytes, Loss]])
    _links: set[_Link] = field(default_factory=set[_Link])
    _half_open: list[asyncio.StreamWriter] = field(default_factory=list[asyncio.StreamWriter])
    _is_down: bool = False
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the loss has happened."""

    def lose_commit(self, loss: Loss, *, after: bytes) -> None:
        """Lose the COMMIT of the next transaction with this text in one of its statements."""
        self._losses.append((after, loss))

    def take_down(self, *, half_open: bool = False) -> None:
        """Break every connection and refuse new ones; *half_open*: the database does not notice."""
        self._is_down = True
        for link in self._links:
            if half_open:
                self._half_open.append(link.database)
            link.client.transport.abort()

    def bring_up(self) -> None:
        self._is_down = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection until either side ends it."""
        if self._is_down:
            writer.transport.abort()
            return
        from_database, to_database = await asyncio.open_connection(self._host, self._port)
        link = _Link(writer, to_database)
        self._links.add(link)
        try:
            with suppress(OSError):
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(self._pump_responses(link, from_database))
                    await self._pump_requests(link, reader)
                    raise ConnectionResetError
        except ExceptionGroup:
            pass
        finally:
            self._links.discard(link)
            writer.transport.abort()
            if to_database not in self._half_open:
                to_database.transport.abort()

    async def _pump_requests(self, link: _Link, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(CHUNK):
            link.sent += data
            loss = self._take_loss(link.sent) if data.endswith(COMMIT) else None
            if data.endswith(COMMIT):
                link.sent.clear()
            if loss is not None:
                self.lost.set()
            if loss is Loss.REQUEST:
                self._half_open.append(link.database)
                return
            link.lost_response = loss is Loss.RESPONSE
            link.silent = link.silent or loss is Loss.SILENCE
            link.database.write(data)
            await link.database.drain()

    def _take_loss(self, sent: bytearray) -> Loss | None:
        for each in self._losses:
            if each[0] in sent:
                self._losses.remove(each)
                return each[1]
        return None

    async def _pump_responses(self, link: _Link, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(CHUNK):
            if link.lost_response:
                break
            if not link.silent:
                link.client.write(data)
                await link.client.drain()
        raise ConnectionResetError

    def close(self) -> None:
        self.take_down()
        for writer in self._half_open:
            writer.transport.abort()


@asynccontextmanager
async def database_proxy(url: str) -> AsyncGenerator[DatabaseProxy]:
    """A proxy of the database at *url* while the block lasts."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy = DatabaseProxy(url, parts.hostname, parts.port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    netloc = f"{parts.username}:{parts.password}@127.0.0.1:{port}"
    proxy.url = urlunsplit(parts._replace(netloc=netloc))
    try:
        yield proxy
    finally:
        server.close()
        proxy.close()
