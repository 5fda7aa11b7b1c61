"""Signed links to the files of tasks: who has one may read that one file until the link ends.

A link names the tenant, the task, which of its files, and when it ends, and is signed. It holds
no secret and no path. All links that are made on one day end at the same moment, so that the same
file has the same link all day long.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, Literal
from urllib.parse import quote, urlsplit

from pydantic import SecretStr
from starlette.types import Scope

from geekai_video_mcp.app import FileLink
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.server.http.public_url import PUBLIC_URL

FILES_PATH: Final = "/files/"
READ_METHODS: Final = frozenset({"GET", "HEAD"})
"""The methods that a link is for."""
DAY: Final = 86_400.0
MIN_LIFE: Final = DAY
"""Seconds that a link works at least; it ends with the first day, in UTC, that is over then."""
FileKind = Literal["result", "picture", "board"]
"""The file of the task, a picture saved beside it, or one of several tasks side by side."""

_VERSION: Final = 1
_KINDS: Final[tuple[FileKind, ...]] = ("result", "picture", "board")
_CONTEXT: Final = b"geekai-video-mcp file link 1"
"""What the key is derived for: it differs from every other key made of the same secret."""
_MAC_BYTES: Final = 16
"""Of the HMAC-SHA256, which may be cut to half: a model has to copy the whole link."""
_EXPIRY: Final = slice(2, 7)
_TASK: Final = slice(7, 23)
_TASK_ID: Final = re.compile("[0-9a-f]{32}")
_MAX_TOKEN: Final = 200
"""Characters: more than any of ours has."""


def is_file_request(scope: Scope) -> bool:
    """Whether the request reads a file by its link."""
    return scope["method"] in READ_METHODS and scope["path"].startswith(FILES_PATH)


@dataclass(frozen=True, kw_only=True)
class LinkedFile:
    """The contents of a link; `expires_at` is in Unix seconds."""

    tenant: str
    task_id: str
    kind: FileKind
    expires_at: float


class FileLinkSigner:
    """Signs links, and reads those that a process with the same secret has signed.

    Without a *secret* none but this object can read them. *clock* returns Unix seconds.
    """

    def __init__(self, secret: SecretStr | None, *, clock: Callable[[], float]) -> None:
        material = secret.get_secret_value().encode() if secret else secrets.token_bytes(32)
        self._key: Final = _derive_key(material)
        self._clock = clock

    def sign(self, linked: LinkedFile, *, name: str) -> str:
        """The token of a file. The *name* of a picture is part of what is signed."""
        head = bytes([_VERSION, _KINDS.index(linked.kind)])
        expiry = int(linked.expires_at).to_bytes(_EXPIRY.stop - _EXPIRY.start, "big")
        payload = head + expiry + bytes.fromhex(linked.task_id) + linked.tenant.encode()
        token = payload + self._mac(payload, linked.kind, name)
        return base64.urlsafe_b64encode(token).rstrip(b"=").decode()

    def read(self, token: str, *, name: str) -> LinkedFile | None:
        """The contents of a link; None if it is not ours, or has been changed, or has ended."""
        content = _decode(token)
        payload, mac = content[:-_MAC_BYTES], content[-_MAC_BYTES:]
        if len(payload) <= _TASK.stop or payload[0] != _VERSION or payload[1] >= len(_KINDS):
            return None
        kind = _KINDS[payload[1]]
        if not hmac.compare_digest(mac, self._mac(payload, kind, name)):
            return None
        expires_at = int.from_bytes(payload[_EXPIRY], "big")
        if self._clock() >= expires_at:
            return None
        return LinkedFile(
            tenant=payload[_TASK.stop :].decode(),
            task_id=payload[_TASK].hex(),
            kind=kind,
            expires_at=expires_at,
        )

    def expiry(self) -> float:
        """When a link that is signed now ends, in Unix seconds."""
        return ((self._clock() + MIN_LIFE) // DAY + 1) * DAY

    def _mac(self, payload: bytes, kind: FileKind, name: str) -> bytes:
        # A result is found by its task. Its name only tells people what it is, and a program that
        # spells it otherwise still gets the file.
        signed = payload if kind == "result" else payload + b"\0" + name.encode()
        return hmac.digest(self._key, signed, "sha256")[:_MAC_BYTES]


class SignedFileLinks:
    """`FileLinks` at the address of the current request, or the one that is configured."""

    def __init__(self, signer: FileLinkSigner, *, public_url: str | None = None) -> None:
        self._signer = signer
        self._public_url = public_url

    def link(self, task: Task, picture: str | None = None) -> FileLink | None:
        """The link to the file of *task*, or to the *picture* of that name beside it.

        None where there is no such file, or nobody knows how this server is reached.
        """
        base = self._base()
        # An id of another form is one that somebody has written into the database.
        if base is None or task.file_path is None or not _TASK_ID.fullmatch(task.id):
            return None
        if picture is None and task.file_status is not FileStatus.STORED:
            return None
        path = PurePath(task.file_path)
        if picture is None:
            kind, name = "result", f"{task.media.value}-{short_id(task.id)}{path.suffix}"
        elif picture.startswith(f"{path.stem}."):
            kind, name = "picture", picture.removeprefix(f"{path.stem}.")
        else:
            kind, name = "board", picture
        expires_at = self._signer.expiry()
        linked = LinkedFile(tenant=task.tenant, task_id=task.id, kind=kind, expires_at=expires_at)
        token = self._signer.sign(linked, name=name)
        return FileLink(
            url=f"{base}{FILES_PATH}{token}/{quote(name, safe='')}", expires_at=expires_at
        )

    def origin(self) -> str | None:
        """The origin of the links; None if nobody knows how this server is reached."""
        base = self._base()
        if base is None:
            return None
        parts = urlsplit(base)
        return f"{parts.scheme}://{parts.netloc}"

    def _base(self) -> str | None:
        return self._public_url or PUBLIC_URL.get(None)


def _derive_key(material: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869) without salt, for one block of output."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), material, "sha256")
    return hmac.digest(extracted, _CONTEXT + b"\x01", "sha256")


def _decode(token: str) -> bytes:
    if len(token) > _MAX_TOKEN or not token.isascii():
        return b""
    try:
        content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    # One link has one spelling: the last character may have bits that mean nothing.
    same = base64.urlsafe_b64encode(content).rstrip(b"=").decode() == token
    return content if same else b""
