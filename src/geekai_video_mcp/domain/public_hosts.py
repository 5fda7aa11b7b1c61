"""Whether a host may be publicly reachable, by its name or address alone. Pure: no DNS lookup."""

import ipaddress
import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import SplitResult

_UNICAST: Final = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is public. `is_global` alone also accepts ::/96 and ::ffff:0:0:0/96 (any IPv4
address, embedded) and fec0::/10 (site-local addresses)."""
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
"""An IPv4 host as a network without IPv4 reaches it, its address in the last 32 bits (RFC 6052)."""
_RESERVED: Final = ipaddress.ip_network("192.0.0.0/24")
"""Includes a cloud's metadata service."""
_FAKE_IP: Final = ipaddress.ip_network("198.18.0.0/15")
"""What local proxies such as Clash and mihomo answer for every name, and then connect by the
name. The range is for benchmarks (RFC 2544), so nothing else has an address in it."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

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
    ip = _effective_address(address)
    reserved = ip not in _UNICAST if isinstance(ip, IPv6Address) else ip in _RESERVED
    return ip.is_global and not ip.is_multicast and not reserved


def may_lead_to_public(address: str) -> bool:
    """Whether a connection to *address*, which DNS gave for a name, may reach a public host.

    Not for an address that stands in a link: no public service has one in the fake-ip range.
    """
    ip = _effective_address(address)
    return is_public(address) or (isinstance(ip, IPv4Address) and ip in _FAKE_IP)


def _effective_address(address: str) -> IPv4Address | IPv6Address:
    """*address*, or the IPv4 address that an IPv6 address contains: traffic goes to that one."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def is_same_origin(url: SplitResult, service: SplitResult) -> bool:
    """Whether *url* leads to the scheme, host and port of *service*, in any of their spellings.

    Every name of this machine's loopback counts as one host. A URL with a user name is never
    the service's.
    """
    if "@" in url.netloc or not url.hostname or not service.hostname:
        return False
    return (url.scheme, _canonical_host(url.hostname), _effective_port(url)) == (
        service.scheme,
        _canonical_host(service.hostname),
        _effective_port(service),
    )


def _effective_port(url: SplitResult) -> int | None:
    """The port, stated or not; ValueError if it is none."""
    return url.port or _DEFAULT_PORTS.get(url.scheme)


def _canonical_host(host: str) -> str:
    name = _normalize(host)
    try:
        ip = _effective_address(name)
    except ValueError:
        return name
    return "localhost" if ip.is_loopback else str(ip)


def is_loopback(host: str) -> bool:
    """Whether *host*, a name or an address, is certain to be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def may_be_public(host: str) -> bool:
    """Whether *host*, as `urlsplit` gives it, may be publicly reachable.

    A public address is accepted only in its canonical form: programs disagree on how to read the
    other forms, which mostly serve to get around checks like this one.
    """
    name = _normalize(host)
    if is_address(host):
        return _is_public_literal(name)
    labels = name.split(".")
    below = {".".join(labels[at:]) for at in range(len(labels))}
    return len(labels) > 1 and all(map(_LABEL.fullmatch, labels)) and not below & _PRIVATE


def is_address(host: str) -> bool:
    """Whether *host* is an address, in whatever form, and not a name that DNS looks up."""
    name = _normalize(host)
    return ":" in name or bool(_NUMBER.fullmatch(name.rpartition(".")[2]))


def _normalize(host: str) -> str:
    """The host as IDNA reads it: ①②⑦ are digits, and 。 is a dot."""
    return unicodedata.normalize("NFKC", host).replace("。", ".").lower().removesuffix(".")


def _is_public_literal(name: str) -> bool:
    try:
        return is_public(name)
    except ValueError:
        return False
