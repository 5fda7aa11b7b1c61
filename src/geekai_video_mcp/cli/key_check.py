"""Whether the service accepts a key: found by reads, which cost nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

import anyio

from geekai_video_mcp.errors import NotAuthorised, ServiceUnavailable
from geekai_video_mcp.quoting import as_sentence

if TYPE_CHECKING:
    from pydantic import SecretStr

    from geekai_video_mcp.connections import Transport
    from geekai_video_mcp.provider.client import GeekAIClient

CHECK_SECONDS: Final = 20.0
"""Seconds for the whole check of one address: a person waits."""
Verdict = Literal["accepted", "refused", "unreachable"]


@dataclass(frozen=True, kw_only=True)
class KeyCheck:
    """What the service at one address says of a key."""

    base_url: str
    verdict: Verdict
    message: str
    """The verdict as a sentence."""
    seconds: float
    """How long it took."""

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).netloc


async def check_key(
    base_url: str,
    key: "SecretStr | None",
    *,
    transport: "Transport | None" = None,
) -> KeyCheck:
    """Ask the service for a task that nobody has, which costs nothing.

    A service may show its models to everybody, but a task only to the key that it belongs to.
    """
    from geekai_video_mcp.provider.client import GeekAIClient
    from geekai_video_mcp.provider.network_settings import find_wrong_variable

    started = anyio.current_time()
    host = urlsplit(base_url).netloc
    if transport is None and (problem := find_wrong_variable()):
        found: tuple[Verdict, str] = ("unreachable", f"No request can be sent: {problem}.")
    else:
        own = transport() if transport else None
        try:
            with anyio.fail_after(CHECK_SECONDS):
                async with GeekAIClient(base_url=base_url, api_key=key, transport=own) as client:
                    found = await _ask(client, host)
        except TimeoutError:
            found = ("unreachable", f"{host} did not answer within {CHECK_SECONDS:.0f} s.")
    verdict, message = found
    return KeyCheck(
        base_url=base_url,
        verdict=verdict,
        message=message,
        seconds=anyio.current_time() - started,
    )


async def _ask(client: "GeekAIClient", host: str) -> tuple[Verdict, str]:
    try:
        error = (await client.probe()).error
    except ServiceUnavailable as exc:
        error = exc
    if error is None:
        return "accepted", f"{host} accepts the key."
    if isinstance(error, NotAuthorised):
        return _judge(error, host)
    if isinstance(error, ServiceUnavailable):
        return "unreachable", as_sentence(error.reason)
    return "unreachable", error.message


def _judge(exc: NotAuthorised, host: str) -> tuple[Verdict, str]:
    if exc.status_code == HTTPStatus.PAYMENT_REQUIRED:
        return "accepted", f"{host} accepts the key; the balance of its account is used up."
    denied = (
        "denies the key its permission"
        if exc.status_code == HTTPStatus.FORBIDDEN
        else "refuses the key"
    )
    return "refused", f"{host} {denied} (HTTP {exc.status_code})."


async def check_entries(
    base_urls: Sequence[str],
    key: "SecretStr",
    *,
    transport: "Transport | None" = None,
) -> Sequence[KeyCheck]:
    """What each of several addresses says of the key, in their order; they are asked at once."""
    found: dict[str, KeyCheck] = {}

    async def check(url: str) -> None:
        found[url] = await check_key(url, key, transport=transport)

    async with anyio.create_task_group() as group:
        for url in base_urls:
            group.start_soon(check, url)
    return [found[url] for url in base_urls]


def choose_entry(checks: Sequence[KeyCheck], present: str | None) -> KeyCheck | None:
    """The address that accepts the key: the present one, else the one that answered first."""
    accepted = [check for check in checks if check.verdict == "accepted"]
    same = [check for check in accepted if check.base_url == present]
    return min(same or accepted, key=lambda check: check.seconds, default=None)
