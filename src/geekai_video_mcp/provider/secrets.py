"""Known secrets are blotted out of everything that a service says. Pure.

A service may repeat the key in an error, an echo of the request or a link. Its bytes are blotted
before anything reads them, so that neither the conversation nor the ledger nor a log can have a
secret of ours. A link that repeats one is no link any more; see `wire.results`.

A secret shorter than `MIN_SECRET_CHARS` is not blotted: it would shred ordinary words, and
whoever sets one has set no secret.
"""

import base64
import json
import re
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from geekai_video_mcp.provider.wire.results import BLOT

MIN_SECRET_CHARS: Final = 8

_ESCAPED: Final = re.compile(rb"\\\\|\\u00([2-7][0-9a-fA-F])|\\/")
"""The escapes of JSON for which there is a shorter form; a pair of backslashes is passed over."""
_SHORT_ESCAPES: Final = {b'"': b'\\"', b"\\": b"\\\\"}
"""The characters that a JSON text cannot hold as they are, as `json.dumps` writes them."""


class SecretBlotter:
    """Replaces secrets in what comes from outside."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _spellings(secret)}
        # Longest first: one spelling may be the beginning of another.
        self._forms = sorted(forms, key=len, reverse=True)
        self._has_slash = any(b"/" in form for form in forms)

    def blot_bytes(self, body: bytes) -> bytes:
        """*body* without secrets; in a body without any, JSON means the same as before."""
        if not self._forms:
            return body
        if b"\\u00" in body or (self._has_slash and b"\\/" in body):
            body = _ESCAPED.sub(_unescape, body)
        for form in self._forms:
            body = body.replace(form, BLOT.encode())
        return body

    def blot_text(self, text: str) -> str:
        """*text*, such as a header, without secrets."""
        return self.blot_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")


def proxy_secrets() -> list[str]:
    """The passwords in the addresses of this system's proxies, and what is sent of them."""
    found: list[str] = []
    for address in urllib.request.getproxies().values():
        with suppress(ValueError):
            parts = urlsplit(address if "://" in address else f"//{address}")
            if parts.password:
                user, password = unquote(parts.username or ""), unquote(parts.password)
                found += [password, base64.b64encode(f"{user}:{password}".encode()).decode()]
    return found


def _spellings(secret: str) -> Iterator[bytes]:
    """How a secret may be written: as it is, in JSON, in a URL, and in base64."""
    if len(secret) < MIN_SECRET_CHARS:
        return
    raw = secret.encode()
    quoted = quote(secret, safe="")
    lower = re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), quoted)
    for text in (secret, json.dumps(secret)[1:-1], quoted, lower):
        yield text.encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        # Without padding, and so within a longer text that begins with it, as in "Basic ...".
        yield encode(raw).rstrip(b"=")[: len(raw) * 4 // 3]


def _unescape(match: "re.Match[bytes]") -> bytes:
    if match[1] is None:
        return b"/" if match[0] == b"\\/" else match[0]
    character = bytes([int(match[1], 16)])
    return _SHORT_ESCAPES.get(character, character)
