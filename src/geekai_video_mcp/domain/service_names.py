"""Who answers, as messages name it: GeekAI, or the sandbox in this process. Pure."""

from typing import Final

SANDBOX_HOST: Final = "sandbox.invalid"
"""RFC 2606 reserves the name, so it never resolves."""
SANDBOX_MODEL: Final = "sandbox"
"""The model of the sandbox in this process, which supports every field."""


def service_name(address: str) -> str:
    """Who answers at *address*, a host, a URL or an account, as the beginning of a sentence."""
    return "The sandbox" if SANDBOX_HOST in address else "GeekAI"
