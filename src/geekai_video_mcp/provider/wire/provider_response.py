"""An HTTP response as the parsers see it, and what a message says about one. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cached_property
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from geekai_video_mcp.domain.service_names import service_name
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.provider.wire.answers import Answer, read_answer
from geekai_video_mcp.provider.wire.bodies import excerpt, parse_object
from geekai_video_mcp.quoting import quote

RAW_RESPONSE_LIMIT: Final = 4096
"""Characters of an unusable response kept for the user, who has to resolve the task."""
FIRST_WORDS: Final = 80
"""Characters of a response without an error of its own that a message repeats."""
MAX_RETRY_AFTER: Final = 86_400.0
"""Seconds; a Retry-After that is further away is as good as a day."""


@dataclass(frozen=True, kw_only=True)
class ProviderResponse:
    """An HTTP response. `at` is when it arrived, in Unix seconds."""

    status_code: int
    body: bytes
    at: float
    media: Media = Media.VIDEO
    """What the task generates."""
    retry_after: str | None = None
    date: str | None = None
    """The service's own time, as its Date header has it."""
    content_type: str = ""
    location: str = ""
    """Where it redirects to."""
    host: str = "GeekAI"
    """The host that responded: a key that it refuses may belong to the other region."""
    base_url: str = ""
    sent_bytes: int | None = None
    """Bytes of the request's body."""
    defect: str | None = None
    """Why the body is not whole, as the rest of a sentence that begins with "its answer"."""
    in_body_of: int | None = None
    """The HTTP status of a response whose body names `status_code`."""
    api_seen: bool = True
    """Whether GeekAI's API has answered this process at this address before."""

    @property
    def service(self) -> str:
        """Who has responded, as the beginning of a sentence."""
        return service_name(self.host)

    @property
    def ok(self) -> bool:
        """Whether the service accepted the request."""
        return HTTPStatus.OK <= self.status_code < HTTPStatus.MULTIPLE_CHOICES

    @property
    def status_text(self) -> str:
        """The status as a message names it."""
        if self.in_body_of is None:
            return f"HTTP {self.status_code}"
        return f"HTTP {self.in_body_of} and code {self.status_code}"

    @cached_property
    def payload(self) -> Mapping[str, object] | None:
        """The JSON object in the body; None if there is none."""
        return parse_object(self.body)

    @cached_property
    def answer(self) -> Answer | None:
        """What the JSON object says about a task."""
        return read_answer(self.payload, self.media) if self.payload is not None else None

    @property
    def is_page(self) -> bool:
        """Whether the body is a page for a browser, HTML or XML, and so not the API's."""
        start = self.body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
        return start.startswith(b"<") or (
            self.payload is None and self.content_type.lower().startswith("text/html")
        )

    @property
    def has_api_error(self) -> bool:
        """Whether the body has an `error` object, as every refusal of the API has."""
        return self.payload is not None and isinstance(self.payload.get("error"), Mapping)

    @property
    def redirect_host(self) -> str | None:
        """The scheme and host that it redirects to; None if it names none that can be read.

        Without the rest of the link, which may hold anything.
        """
        try:
            parts = urlsplit(self.location)
        except ValueError:
            return None
        return f"{parts.scheme}://{parts.hostname}" if parts.scheme and parts.hostname else None

    @property
    def raw_excerpt(self) -> str:
        """The beginning of the response, for the record."""
        text = excerpt(self.body, RAW_RESPONSE_LIMIT)
        if self.defect is None and text:
            return text
        return f"HTTP {self.status_code}{f', {self.defect}' if self.defect else ''}: {text}"[
            :RAW_RESPONSE_LIMIT
        ]

    @property
    def date_seconds(self) -> float | None:
        """The service's own time in Unix seconds; None if it does not say."""
        return _parse_date(self.date)

    @property
    def retry_after_seconds(self) -> float | None:
        """`Retry-After` in seconds from now; None if there is none that can be read.

        A date is compared with the service's own clock, which may differ from ours.
        """
        if not self.retry_after:
            return None
        try:
            seconds = float(self.retry_after)
        except ValueError:
            until, now = _parse_date(self.retry_after), self.date_seconds
            if until is None:
                return None
            seconds = until - (self.at if now is None else now)
        return min(max(0.0, seconds), MAX_RETRY_AFTER) if math.isfinite(seconds) else None


def reason_suffix(response: ProviderResponse) -> str:
    """The service's own error, quoted; without one, that it is a page, or its first words."""
    if response.answer is not None:
        words = (response.answer.error_code or response.answer.code, response.answer.error_message)
        if text := ": ".join(word for word in words if word):
            return f": {quote(text)}{_defect_note(response)}"
    if response.is_page:
        return f", with a web page instead of JSON{_defect_note(response)}"
    text = excerpt(response.body, FIRST_WORDS * 4).strip()
    said = f": {quote(text, limit=FIRST_WORDS)}" if text else ""
    return f"{said}{_defect_note(response)}"


def _defect_note(response: ProviderResponse) -> str:
    return f" (its answer {response.defect})" if response.defect else ""


def _parse_date(text: str | None) -> float | None:
    """A date of HTTP in Unix seconds; None if it is none."""
    try:
        parsed = parsedate_to_datetime(text or "")
        # A date without a zone is in UTC, as every date of HTTP is.
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
