"""The provider of a load, in a process of its own: it answers as documented.

    python -m load.provider

Prints its origin; at the end of its input it prints how often each request was charged, and ends.
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reliability.hostile_provider import running_hostile_provider

KEY: Final = "sk-load-0123456789"
"""Of nobody."""


@dataclass
class ProviderProcess:
    """The provider, and what a server needs to use it."""

    process: asyncio.subprocess.Process
    origin: str

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a server that uses it, and has no caps of its own in the way."""
        return {
            "GEEKAI_BASE_URL": f"{self.origin}/api/v1",
            "GEEKAI_API_KEY": KEY,
            "GEEKAI_MAX_VIDEOS_PER_DAY": "100000",
            "GEEKAI_MAX_IN_FLIGHT": "100000",
            "GEEKAI_REQUESTS_PER_SECOND": "1000",
        }

    async def finish(self) -> dict[str, int]:
        """End it; returns how often each request was charged, by its number."""
        stdout, _ = await self.process.communicate(b"")
        return json.loads(stdout.splitlines()[-1])


@asynccontextmanager
async def provider_process() -> AsyncGenerator[ProviderProcess]:
    """Run the provider while the block lasts."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "load.provider",
        cwd=Path(__file__).parents[1],  # which `-m` looks in
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=64_000_000,
    )
    assert process.stdout is not None
    try:
        yield ProviderProcess(process, (await process.stdout.readline()).decode().strip())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _serve() -> None:
    async with running_hostile_provider(0, KEY, hostility=0.0) as provider:
        sys.stdout.write(f"{provider.origin}\n")
        sys.stdout.flush()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, sys.stdin.read)
        loop.set_exception_handler(lambda _loop, _context: None)  # cut connections
        sys.stdout.write(json.dumps(provider.charges) + "\n")


if __name__ == "__main__":
    asyncio.run(_serve())
