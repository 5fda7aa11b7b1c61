"""The service: whether it can be reached, how fast, by which proxy, and what it says to the key.

The one request reads a task that nobody has, which costs nothing.
"""

import time
from typing import Final
from urllib.parse import urlsplit

from geekai_video_mcp.cli.checks.line import Line, fail, note, ok
from geekai_video_mcp.config import Settings
from geekai_video_mcp.errors import (
    RATE_LIMITED,
    GeekAIVideoError,
    NotAuthorised,
    ServiceUnavailable,
)
from geekai_video_mcp.provider.network_settings import find_wrong_variable, proxy_variables
from geekai_video_mcp.quoting import as_sentence

SERVICE: Final = "service"
KEY: Final = "key"
CLOCK: Final = "clock"
NETWORK: Final = "network"
CLOCK_TOLERANCE: Final = 30.0
"""Seconds by which this clock may differ from the service's: its Date header has whole seconds."""
CLOCK_LIMIT: Final = 300.0
"""Seconds from which links and caps, which are judged by this clock, go wrong."""


async def check_service(settings: Settings) -> list[Line]:
    wrong, proxies = find_wrong_variable(), " and ".join(proxy_variables())
    if settings.sandbox:
        lines = [ok(SERVICE, "the sandbox in this program; no request leaves this machine")]
        if wrong:
            lines.append(
                note(
                    NETWORK,
                    wrong,
                    remedy="Correct it before you use a key: no request would leave.",
                )
            )
        return lines
    if wrong:
        return [fail(NETWORK, f"no request can be sent: {wrong}", remedy="Correct this variable.")]
    through = f"requests go through the proxy of {proxies}" if proxies else "no proxy is used"
    return [ok(NETWORK, through), *await _probe(settings)]


async def _probe(settings: Settings) -> list[Line]:
    from geekai_video_mcp.provider.client import GeekAIClient

    host = urlsplit(settings.base_url).hostname or settings.base_url
    started = time.monotonic()
    try:
        async with GeekAIClient(base_url=settings.base_url, api_key=settings.api_key) as client:
            found = await client.probe()
    except ServiceUnavailable as exc:
        remedy = "Run doctor again when the network works elsewhere, such as in a browser."
        return [
            fail(SERVICE, exc.reason, remedy=remedy),
            note(KEY, "not checked, because the service could not be reached"),
        ]
    seconds = time.monotonic() - started
    lines = [
        ok(SERVICE, f"{host} answered in {seconds:.1f} s", facts={"seconds": round(seconds, 2)})
    ]
    lines += _judge_error(settings, found.error, host)
    if found.clock_ahead is not None:
        lines.append(_judge_clock(found.clock_ahead, host))
    return lines


def _judge_error(settings: Settings, error: GeekAIVideoError | None, host: str) -> list[Line]:
    """What the service's answer says of the key, or of the service itself."""
    if error is None:
        sent = "accepted the key" if settings.api_key else "answers without a key"
        return [ok(KEY, f"{host} {sent}")]
    if isinstance(error, NotAuthorised):
        return [fail(KEY, error.message)]
    unknown = note(KEY, "not known, because the service did not answer as expected")
    if isinstance(error, ServiceUnavailable) and error.code == RATE_LIMITED:
        remedy = "Run doctor again in a minute."
        return [note(SERVICE, as_sentence(error.reason), remedy=remedy), unknown]
    return [fail(SERVICE, error.message), unknown]


def _judge_clock(ahead: float, host: str) -> Line:
    """What a difference between this clock and the service's means."""
    distance = abs(ahead)
    if distance <= CLOCK_TOLERANCE:
        return ok(CLOCK, f"agrees with that of {host}", facts={"seconds_ahead": round(ahead)})
    direction = "ahead of" if ahead > 0 else "behind"
    text = f"this machine's clock is {distance:.0f} s {direction} that of {host}"
    say = note if distance <= CLOCK_LIMIT else fail
    return say(
        CLOCK,
        text,
        remedy="Set this machine's clock, or have it set over the network: links that expire and"
        " the caps of a day are judged by it.",
        facts={"seconds_ahead": round(ahead)},
    )
