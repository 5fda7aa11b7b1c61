"""Which names this server is reached by, and which web pages may call it. Pure.

A web page can make its own host name resolve to this machine (DNS rebinding); the browser then
sends that name as Host. Host and Origin are therefore parsed and compared whole: a prefix such as
`127.0.0.1:8765.evil.test` would be another machine's name.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_AUTHORITY: Final = r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
_HOST: Final = re.compile(_AUTHORITY)
_ORIGIN: Final = re.compile(rf"(?P<scheme>[A-Za-z]+)://{_AUTHORITY}")
_LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_LAST_PORT: Final = 65535


@dataclass(frozen=True)
class TrustedAddresses:
    """The names and origins that are served, each with every port.

    A tunnel or a port mapping may change the port, and it is not what an attacker lacks.
    """

    hosts: frozenset[str]
    """Host names and addresses in lower case, IPv6 in brackets."""
    origins: frozenset[str]
    """Scheme and name of web pages, such as `http://localhost`."""

    def trust_host(self, header: str) -> bool:
        """Whether the Host header consists of a trusted name and at most a port."""
        found = _HOST.fullmatch(header)
        return found is not None and _port_exists(found) and _name(found) in self.hosts

    def trust_origin(self, header: str) -> bool:
        """Whether the Origin header is a trusted origin, with any port; `null` is none."""
        found = _ORIGIN.fullmatch(header)
        if found is None or not _port_exists(found):
            return False
        return f"{found['scheme'].lower()}://{_name(found)}" in self.origins


def trust_addresses(
    *, listening: str | None = None, allowed: Iterable[str] = ()
) -> TrustedAddresses:
    """The names of this machine, and those by which others reach the server.

    *listening* is the address that it listens on, and *allowed* are the operator's names for it.
    """
    own = {*_LOOPBACK_NAMES}
    if listening is not None and not ipaddress.ip_address(listening).is_unspecified:
        own.add(_in_brackets(listening.lower()))
    names = {_name_of(host) for host in allowed}
    return TrustedAddresses(
        hosts=frozenset(own | names),
        origins=frozenset(
            {
                *(f"http://{host}" for host in own),
                *(f"{scheme}://{host}" for host in names for scheme in ("http", "https")),
            }
        ),
    )


def _name(found: re.Match[str]) -> str:
    return _name_of(found["name"])


def _name_of(host: str) -> str:
    return _in_brackets(host.lower().strip("[]"))


def _in_brackets(host: str) -> str:
    """An IPv6 address in its one normal form, in brackets; any other host as it is."""
    try:
        return f"[{ipaddress.IPv6Address(host).compressed}]"
    except ValueError:
        return host


def _port_exists(found: re.Match[str]) -> bool:
    return int(found["port"] or 0) <= _LAST_PORT
