"""Links that GeekAI is to fetch: https ones that lead to the open internet. Pure."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

from geekai_video_mcp.domain.public_hosts import is_same_origin, may_be_public

LINK_LIMIT: Final = 4000
"""Characters. A signed link with a session token has about 2,000."""


def link_problem(text: str, service_url: str) -> str | None:
    """Why GeekAI cannot or should not fetch the link; None if it may."""
    if len(text) > LINK_LIMIT:
        return f"the link has {len(text):,} characters; the limit is {LINK_LIMIT:,}"
    if not text.isprintable() or " " in text:
        return "a link has no spaces and no control characters"
    parts = split_url(text)
    return _url_problem(parts, service_url) if parts else "it cannot be read as a link"


def _url_problem(parts: SplitResult, service_url: str) -> str | None:
    if service_url and is_same_origin(parts, urlsplit(service_url)):
        return None  # the service's own, on whatever host the operator has it
    if parts.scheme not in {"https", "http"}:
        return "only https links are accepted here"
    if "@" in parts.netloc:
        return "a link must hold no user name or password"
    if not parts.hostname or not may_be_public(parts.hostname):
        return "the link's host is not publicly reachable"
    return "https is needed, and this is an http link" if parts.scheme == "http" else None


def split_url(text: str) -> SplitResult | None:
    """The parts of a URL; None if it has none that can be used."""
    try:
        parts = urlsplit(text)
        usable = parts.port != 0
    except ValueError:  # whose own words may repeat the link
        return None
    return parts if usable else None
