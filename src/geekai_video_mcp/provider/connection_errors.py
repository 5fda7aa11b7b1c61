"""Why no connection was made, in words that name what a person can check. Pure but for proxies.

No message of an exception is repeated: some contain whole URLs, and a proxy's has a password.
"""

import socket
import ssl
from collections.abc import Iterator
from typing import Final, cast

from geekai_video_mcp.provider.network_settings import proxy_variables

_ANY_PROXY: Final = "HTTPS_PROXY, HTTP_PROXY and ALL_PROXY"


def explain_connection_error(exc: Exception, *, host: str) -> str:
    """The sentence for a request that certainly did not leave."""
    name = type(exc).__name__
    proxies = " and ".join(proxy_variables())
    or_proxy = f" and the proxy of {proxies}" if proxies else ""
    if name == "ProxyError":
        return (
            f"The proxy opened no connection to {host} ({name}); the operator checks the address,"
            f" user name and password in {proxies or _ANY_PROXY}"
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
        return f"{host} could not be reached ({name}); check the network{or_proxy}"
    return f"{host} could not be reached ({name}): {why}{or_proxy}"


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
