"""TLS to a PostgreSQL database: what is taken, and what is said of what is not."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from geekai_video_mcp.errors import ConfigError
from geekai_video_mcp.ledger import Ledger
from support.missing import skip_test
from support.postgres import VARIABLE, needs_postgres, running_cluster

pytestmark = needs_postgres


@pytest.fixture(scope="module")
def folder() -> Generator[Path]:
    """With a certificate for `localhost` and its key, and another certificate."""
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        made.chmod(0o755)  # the server is another user
        make_certificate(made, "other")
        make_certificate(made, "server")
        yield made


def make_certificate(folder: Path, name: str) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        skip_test("without openssl there is no certificate for PostgreSQL")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
    subprocess.run(command, check=True, capture_output=True, timeout=20)  # noqa: S603 - our own words
    if os.getuid() == 0:
        shutil.chown(folder / f"{name}.key", "postgres", "postgres")


@pytest.fixture(scope="module")
def url(folder: Path) -> Generator[str]:
    """The address of a server with TLS, by the name that its certificate has."""
    cert, key = f"{folder}/server.pem", f"{folder}/server.key"
    with running_cluster(ssl="on", ssl_cert_file=cert, ssl_key_file=key) as cluster:
        yield cluster.url.replace("127.0.0.1", "localhost")


async def test_a_server_is_taken_by_its_name_and_authority(
    url: str, folder: Path, tmp_path: Path
) -> None:
    verified = f"{url}?sslmode=verify-full&sslrootcert={folder}/server.pem"
    ledger = await Ledger.open_database(verified, tmp_path)
    await ledger.close()


@pytest.mark.parametrize(
    ("host", "parameters", "said"),
    [
        ("127.0.0.1", "sslmode=verify-full&sslrootcert={folder}/server.pem", "not be verified"),
        ("localhost", "sslmode=verify-full&sslrootcert={folder}/other.pem", "not be verified"),
        ("localhost", "sslmode=verify-full&sslrootcert={folder}/none.pem", "cannot be read"),
        ("localhost", "sslmode=verify-full", "needs sslrootcert"),
        ("localhost", "sslmode=maybe", "is no address of a database"),
    ],
)
async def test_a_server_that_cannot_be_verified_is_refused_with_the_reason(
    url: str, folder: Path, host: str, parameters: str, said: str
) -> None:
    address = f"{url}?{parameters.format(folder=folder)}".replace("localhost", host, 1)
    with pytest.raises(ConfigError, match="GEEKAI_DATABASE_URL") as refused:
        await Ledger.open_database(address, folder / "state")

    assert said in refused.value.message
    assert str(folder) not in refused.value.message


async def test_a_server_without_tls_is_refused_where_it_is_demanded(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="offers no TLS"):
        await Ledger.open_database(f"{os.environ[VARIABLE]}?sslmode=require", tmp_path)
