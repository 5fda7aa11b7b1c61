"""Receives a body and throws it away, to count what the receiving alone takes of a processor."""

import time
from collections.abc import AsyncIterator, Callable

import anyio
import httpx

Receive = Callable[[httpx.Response], AsyncIterator[bytes]]


def receive_with_httpx(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as httpx passes it on."""
    return response.aiter_raw()


def cpu_seconds_to_receive(url: str, receive: Receive) -> float:
    """CPU time of this thread for the body of *url*, without the connecting."""

    async def main() -> float:
        async with (
            httpx.AsyncClient(trust_env=False) as client,
            client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
        ):
            started = time.thread_time()
            async for _ in receive(response):
                pass
            return time.thread_time() - started

    return anyio.run(main)
