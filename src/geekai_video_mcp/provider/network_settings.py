"""The variables by which the environment sets proxies and certificates, checked by name.

httpx reads them itself when a client is made. Some wrong values make it raise errors that name no
variable; others pass, and every request fails. So they are checked first, without httpx. Values
may hold passwords, and are never repeated.
"""

import importlib.util
import ipaddress
import os
import re
import ssl
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from geekai_video_mcp.errors import describe_os_error

INSTALL_SOCKS: Final = "pip install 'geekai-video-mcp[socks]'"
_PROXIED: Final = ("http", "https", "all")
_SCHEMES: Final = frozenset({"http", "https", "socks5", "socks5h"})
_HASHED_NAME: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_PORT: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
_ESCAPES: Final = "; in a password, characters such as # / @ have to be percent-encoded"


def find_wrong_variable() -> str | None:
    """The first variable with which no request can be sent, and why; None if all can be used."""
    proxies = urllib.request.getproxies()
    return next(_find_problems(os.environ, proxies), None)


def proxy_variables() -> list[str]:
    """The variables that set a proxy here, without their values."""
    proxies = urllib.request.getproxies()
    return [_variable_name(os.environ, scheme) for scheme in _PROXIED if proxies.get(scheme)]


def _find_problems(environ: Mapping[str, str], proxies: Mapping[str, str]) -> Generator[str]:
    bypass = [entry.strip() for entry in proxies.get("no", "").split(",")]
    if "*" not in bypass:  # with it, no proxy is used at all
        for scheme in _PROXIED:
            if problem := _proxy_problem(proxies.get(scheme, "")):
                yield f"{_variable_name(environ, scheme)} {problem}"
        for number, entry in enumerate(bypass, start=1):
            if problem := _bypass_problem(entry):
                yield f"{_variable_name(environ, 'no')} cannot be read: entry {number} {problem}"
    if path := environ.get("SSL_CERT_FILE"):
        if problem := _certificate_file_problem(path):
            yield f"SSL_CERT_FILE cannot be used: {problem}"
    elif (path := environ.get("SSL_CERT_DIR")) and (problem := _certificate_folder_problem(path)):
        yield f"SSL_CERT_DIR cannot be used: {problem}"


def _variable_name(environ: Mapping[str, str], scheme: str) -> str:
    """The variable that sets this proxy: lower case wins, as in urllib."""
    lower = f"{scheme}_proxy"
    if lower in environ:
        return lower
    set_ones = (name for name in environ if name.lower() == lower)
    return next(set_ones, f"the system's setting for {lower.upper()}")


def _proxy_problem(value: str) -> str | None:
    if not value:
        return None
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    scheme = url.partition("://")[0].lower()
    if scheme not in _SCHEMES:
        return "has a scheme other than http, https, socks5 and socks5h"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "contains a character that is not allowed in a URL"
    if not valid:
        return f"is not a valid URL: its host or port cannot be read{_ESCAPES}"
    if scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        return f"is a SOCKS proxy, for which a package is missing: {INSTALL_SOCKS}"
    return None


def _bypass_problem(entry: str) -> str | None:
    """Why httpx cannot read this entry of NO_PROXY."""
    if not entry.isascii() or not entry.isprintable():
        return "is not ASCII; write a host name in its xn-- form"
    with suppress(ValueError):
        ipaddress.ip_address(entry)
        return None
    bare = entry.partition("/")[0]
    if "://" not in entry and ("[" in bare or bare.count(":") > 1):
        return "is an IPv6 network or has brackets; write plain IPv6 addresses, such as ::1"
    try:
        host = urlsplit(entry if "://" in entry else f"//{entry}").netloc.rpartition("]")[2]
    except ValueError:
        return "is not a valid host"
    _, colon, port = host.partition(":")
    if not colon or _PORT.fullmatch(port):
        return None
    return "is not a host name, an IPv4 address or a plain IPv6 address, such as ::1"


def _certificate_file_problem(path: str) -> str | None:
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:  # a subclass of OSError
        return "it holds no certificate in PEM form"
    except OSError as exc:
        return describe_os_error(exc)
    except ValueError:
        return "it is not a valid path"
    return None


def _certificate_folder_problem(path: str) -> str | None:
    """Why no certificate is found there: OpenSSL itself would say nothing, and trust nobody."""
    try:
        folders = [Path(each) for each in path.split(os.pathsep) if each]
        names = [entry.name for folder in folders for entry in folder.iterdir()]
    except OSError as exc:
        return describe_os_error(exc)
    if any(_HASHED_NAME.fullmatch(name) for name in names):
        return None
    return "it holds no certificate under a hashed name; openssl rehash makes these names"
