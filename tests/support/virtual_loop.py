"""asyncio with a clock that jumps, as Trio's in tests, and stands still while PostgreSQL works.

asyncpg knows asyncio alone. A query takes real time, in which nobody else waits for anything but
the clock: it may not jump then, or the query would seem to have taken too long. A connection is
idle once the server has said that it is ready for the next query.
"""

import asyncio
import selectors
import socket
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:

    class _SelectorSocketTransport(asyncio.Transport):
        """What is used of asyncio's own, which no stub describes."""

        max_size: int
        _sock: socket.socket
        _protocol: asyncio.Protocol
        _conn_lost: int

        def __init__(self, *arguments: object) -> None: ...
        def _fatal_error(self, exc: OSError, message: str) -> None: ...
        def _read_ready__on_eof(self) -> None: ...
        def _force_close(self, exc: BaseException | None) -> None: ...
else:
    from asyncio.selector_events import _SelectorSocketTransport

_READY: Final = b"Z\0\0\0\x05"
"""The beginning of the message ReadyForQuery, whose last byte is the state of the transaction."""
_REAL_SECONDS: Final = 10.0
"""Seconds for which the loop waits for a socket: an answer that takes longer never comes."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its time begins at 0, and goes on to the next deadline once every task waits for one."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self.awaited: Final = set[object]()
        """The connections on which an answer of the server is under way."""
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._seconds

    def pass_time(self, seconds: float) -> bool:
        """Whether the clock could jump, because nobody waits for an answer."""
        if self.awaited:
            return False
        self._seconds += seconds
        return True

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:  # noqa: ANN401 - as asyncio's
        self.awaited.add(sock)
        try:
            await super().sock_connect(sock, address)
        finally:
            self.awaited.discard(sock)

    def _make_socket_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: "asyncio.Future[Any] | None" = None,
        *,
        extra: dict[str, Any] | None = None,
        server: Any = None,  # noqa: ANN401 - as asyncio's
    ) -> "_WatchedTransport":
        transport = _WatchedTransport(self, sock, protocol, waiter, extra, server)
        transport.awaited = self.awaited
        return transport


class _JumpingSelector(selectors.DefaultSelector):
    """Lets time pass in place of waiting, where no socket is ready."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop: Final = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0 or (timeout is not None and self._loop.pass_time(timeout)):
            return ready
        ready = super().select(_REAL_SECONDS)
        if not ready:
            tasks = "\n".join(map(repr, asyncio.all_tasks(self._loop)))
            who = self._loop.awaited or "everything"
            msg = f"{who} waits in vain at {self._loop.time()}:\n{tasks}"
            raise TimeoutError(msg)
        return ready


class _WatchedTransport(_SelectorSocketTransport):
    """A connection to PostgreSQL."""

    awaited: set[object]
    _tail = b""

    def write(self, data: Any) -> None:  # noqa: ANN401 - as asyncio's
        self._await_answer()
        super().write(data)

    def writelines(self, list_of_data: Any) -> None:  # noqa: ANN401 - as asyncio's
        # Since Python 3.12 it does not call `write`.
        self._await_answer()
        super().writelines(list_of_data)

    def _await_answer(self) -> None:
        self._tail = b""
        if not self._conn_lost:  # to a connection that is closed nobody answers
            self.awaited.add(self)

    def _read_ready__data_received(self) -> None:
        if self._conn_lost:
            return
        try:
            data = self._sock.recv(self.max_size)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._fatal_error(exc, "the connection was lost")
            return
        if not data:
            self._read_ready__on_eof()
            return
        self._tail = (self._tail + data)[-6:]
        if self._tail.startswith(_READY):
            self.awaited.discard(self)
        self._protocol.data_received(data)

    def close(self) -> None:
        self.awaited.discard(self)
        super().close()

    def _force_close(self, exc: BaseException | None) -> None:
        self.awaited.discard(self)
        super()._force_close(exc)
