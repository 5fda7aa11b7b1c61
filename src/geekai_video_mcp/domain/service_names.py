"""Who answers, as messages name it: GeekAI, or the sandbox in this process. Pure."""

from typing import Final

SANDBOX_HOST: Final = "sandbox.invalid"
"""RFC 2606 reserves the name, so it never resolves."""
SANDBOX_MODEL: Final = "sandbox"
"""The model of the sandbox in this process, which supports every field."""


def is_sandbox(address: str) -> bool:
    """Whether the sandbox in this process answers at *address*, a host, a URL or an account."""
    return SANDBOX_HOST in address


def service_name(address: str) -> str:
    """Who answers at *address*, a host, a URL or an account, as the beginning of a sentence."""
    return "The sandbox" if is_sandbox(address) else "GeekAI"
