"""Debian's nginx with `deploy/nginx.conf` before servers of a test."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

from support.missing import skip_test

CONF: Final = Path(__file__).parents[2] / "deploy" / "nginx.conf"
NGINX: Final = """
{user}daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 2048; }}
http {{
    log_format upstream '$request $status $upstream_addr';
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


START_SECONDS: Final = 20.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False


def make_certificate(folder: Path) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        skip_test("without openssl there is no certificate for nginx")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(command, check=True, capture_output=True, timeout=20)  # noqa: S603 - our own words
    return folder / "certificate.pem"


@contextlib.contextmanager
def nginx_before(
    origins: Sequence[str], folder: Path, *, at_root: bool
) -> Generator[tuple[str, Path]]:
    """Run nginx with our configuration before the servers at *origins*; yields URL, certificate."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if nginx is None:
        skip_test("nginx is not installed: the server was not tried behind it")
    folder.mkdir()
    certificate, port = make_certificate(folder), free_port()
    site = CONF.read_text("utf-8")
    for there, here in {
        "    server server:8765;": "\n".join(
            f"    server {each.removeprefix('http://')};" for each in origins
        ),
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/run/secrets/tls_certificate": str(certificate),
        "/run/secrets/tls_key": str(folder / "key.pem"),
        "/var/log/nginx/access.log combined": f"{folder}/access.log upstream",
    }.items():
        assert there in site
        site = site.replace(there, here)
    if at_root:  # as its first lines say
        site = re.sub(r".*(X-Forwarded-Prefix|location / ).*\n", "", site).replace("/studio/", "/")
    # Its workers have to write into a folder that only this user may enter.
    user = "user root;\n" if hasattr(os, "getuid") and os.getuid() == 0 else ""
    (folder / "site.conf").write_text(site, "utf-8")
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user=user), "utf-8")
    command = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(command, stderr=stderr)  # noqa: S603 - our own words
    try:
        until = time.monotonic() + START_SECONDS
        while not _accepts(port):
            assert process.poll() is None, (folder / "stderr").read_text("utf-8")
            assert time.monotonic() < until, "nginx has not started"
            time.sleep(0.02)
        yield f"https://localhost:{port}{'' if at_root else '/studio'}", certificate
    finally:
        process.terminate()
        process.wait(20)
