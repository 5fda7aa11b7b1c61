"""Why no connection was made, in words that name what a person can check. Pure but for proxies.

No message of an exception is repeated: some contain whole URLs, and a proxy's has a password.
"""

import socket
import ssl
import urllib.request
from collections.abc import Iterator
from typing import Final, cast

_PROXY_VARIABLES: Final = {"https": "HTTPS_PROXY", "http": "HTTP_PROXY", "all": "ALL_PROXY"}


def explain_connection_error(exc: Exception, *, host: str) -> str:
    """The sentence for a request that certainly did not leave."""
    name = type(exc).__name__
    if name == "ProxyError":
        return (
            f"The proxy opened no connection to {host} ({name}); the operator checks the address,"
            f" user name and password in {_proxy_variables()}"
        )
    causes = list(_walk_causes(exc))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return (
            f"{host} could not be reached ({name}): its certificate could not be verified; if a"
            " proxy or firewall signs connections anew, the operator sets SSL_CERT_FILE to its"
            " certificate, and otherwise checks this machine's clock"
        )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        why = "it does not speak TLS as expected; the operator checks GEEKAI_BASE_URL"
    elif any(isinstance(cause, socket.gaierror) for cause in causes):
        why = "its name could not be resolved; check the network and GEEKAI_BASE_URL"
    elif any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        why = "it refused the connection; check GEEKAI_BASE_URL and the network"
    else:
        return f"{host} could not be reached ({name}); check the network{_proxy_hint()}"
    return f"{host} could not be reached ({name}): {why}{_proxy_hint()}"


def _walk_causes(exc: BaseException) -> Iterator[BaseException]:
    """The exception, what caused it, and every member of a group among these."""
    waiting, seen = [exc], set[int]()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            waiting.extend(cast("BaseExceptionGroup[BaseException]", current).exceptions)
        waiting.extend(one for one in (current.__cause__, current.__context__) if one is not None)


def _proxy_hint() -> str:
    """That connections go through a proxy, if they do."""
    return f" and the proxy of {_proxy_variables()}" if urllib.request.getproxies() else ""


def _proxy_variables() -> str:
    """The variables that set a proxy here, without their values; all three if none does."""
    used = [
        name for scheme, name in _PROXY_VARIABLES.items() if scheme in urllib.request.getproxies()
    ]
    return " and ".join(used) if used else "HTTPS_PROXY, HTTP_PROXY and ALL_PROXY"
