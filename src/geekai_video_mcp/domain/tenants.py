"""Whose a task is: the tenants of a server that serves several people. Pure.

A tenant sees its own tasks, files and caps, and nothing tells it that there are others.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

LOCAL_TENANT: Final = "local"
"""The operator: the user who runs the server, over stdio, on the command line and on loopback."""
OAUTH_PREFIX: Final = "oauth-"
"""How the tenants of an authorisation server begin; no name in the tokens file does."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_OAUTH_DIGITS: Final = 16


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who calls: the tenant of a verified token, and the caller's own key if it sent one."""

    tenant: str = LOCAL_TENANT
    key: SecretStr | None = None
    """GeekAI's key from the request, kept in memory only; None for the one of the settings."""


def is_tenant_name(name: str) -> bool:
    """Whether *name* can be a tenant's in the tokens file: it becomes the name of a folder."""
    return _NAME.fullmatch(name) is not None and not name.startswith(OAUTH_PREFIX)


def may_be_tenant(name: str) -> bool:
    """Whether a tenant, of the tokens file or of an authorisation server, can have this name."""
    return _NAME.fullmatch(name) is not None


def tasks_command(tenant: str) -> str:
    """The beginning of the operator's commands about the tasks of *tenant*."""
    named = "" if tenant == LOCAL_TENANT else f" --tenant {tenant}"
    return f"geekai-video-mcp tasks{named}"


def oauth_tenant(issuer: str, claim: str) -> str:
    """The tenant of a token of *issuer* whose claim about its user has this value.

    It is derived and not taken over: a value may be of any length and characters, and the same
    one of two issuers means two people.
    """
    digest = hashlib.sha256(f"{issuer}\0{claim}".encode()).hexdigest()
    return OAUTH_PREFIX + digest[:_OAUTH_DIGITS]
