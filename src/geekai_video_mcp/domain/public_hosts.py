"""Whether a host may be publicly reachable, by its name or address alone. Pure: no DNS lookup."""

import ipaddress
import re
import unicodedata
from typing import Final

_UNICAST: Final = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is public. `is_global` alone also accepts 64:ff9b::/96 (NAT64), ::/96 and
::ffff:0:0:0/96 (any IPv4 address, embedded), fec0::/10 (site-local addresses)."""
_NOT_PUBLIC: Final = (
    ipaddress.ip_network("2002::/16"),  # 6to4: any IPv4 address, embedded
    ipaddress.ip_network("192.0.0.0/24"),  # includes a cloud's metadata service
)

_LABEL: Final = re.compile(r"[\w-]{1,63}")
_NUMBER: Final = re.compile(r"\d+|0x[0-9a-f]*")
"""A last label that makes a host an address (WHATWG URL, 3.5): 127.1, 2130706433, 0x7f.1."""

_PRIVATE: Final = frozenset(
    {
        # Never in the public root: RFC 6761, 6762, 7686 and 8375; ICANN, 2024-07-29 (internal).
        *("localhost", "local", "onion", "home.arpa", "internal", "invalid", "test"),
        # Not in the public root and used inside networks (RFC 6762, appendix G).
        *("intranet", "private", "corp", "home", "lan", "localdomain"),
        # Public names that resolve to this machine or to any address written in them.
        *("localtest.me", "lvh.me", "nip.io", "sslip.io", "xip.io"),
        # Clouds' metadata services with a public name.
        *("metadata.goog", "metadata.tencentyun.com"),
    }
)
"""Names of hosts inside private networks; their subdomains are private too."""


def is_public(address: str) -> bool:
    """Whether *address* can only be a publicly reachable host."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _UNICAST:
        return False
    inside = any(ip in network for network in _NOT_PUBLIC if network.version == ip.version)
    return ip.is_global and not ip.is_multicast and not inside


def may_be_public(host: str) -> bool:
    """Whether *host*, as `urlsplit` gives it, may be publicly reachable.

    A public address is accepted only in its canonical form: programs disagree on how to read the
    other forms, which mostly serve to get around checks like this one.
    """
    # Normalized as IDNA does: ①②⑦ are digits, and 。 is a dot.
    name = unicodedata.normalize("NFKC", host).replace("。", ".").lower().removesuffix(".")
    labels = name.split(".")
    if ":" in name or _NUMBER.fullmatch(labels[-1]):
        return _is_public_literal(name)
    below = {".".join(labels[at:]) for at in range(len(labels))}
    return len(labels) > 1 and all(map(_LABEL.fullmatch, labels)) and not below & _PRIVATE


def _is_public_literal(name: str) -> bool:
    try:
        return is_public(name)
    except ValueError:
        return False
