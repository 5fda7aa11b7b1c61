"""The errors of asyncpg as ours: a sentence that names the variable, and never the address."""

import ssl
from typing import Literal

import asyncpg

from geekai_video_mcp.errors import BUSY, DATABASE, ConfigError, StorageUnavailable
from geekai_video_mcp.ledger.postgres import VARIABLE
from geekai_video_mcp.ledger.row_checks import UnreadableRow, unreadable_row_error

FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection that is being closed by the server
    OSError,
    TimeoutError,
    UnreadableRow,
)
"""What asyncpg raises, and what a row raises that cannot be read."""

_LOCKED = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.QueryCanceledError,
)
_RESERVED_FOR_OPERATOR = "The operator makes the database of GEEKAI_DATABASE_URL available again"


def describe_error(exc: Exception, access: Literal["read", "written"]) -> StorageUnavailable:
    """Our error for one of asyncpg's, met while the ledger was used."""
    if isinstance(exc, UnreadableRow):
        return unreadable_row_error(exc, access)
    if isinstance(exc, _LOCKED):
        return StorageUnavailable(DATABASE, BUSY, access=access)
    return StorageUnavailable(
        DATABASE,
        describe_failure(exc),
        access=access,
        remedy=f"{_RESERVED_FOR_OPERATOR}; then the same call works. This server reconnects by"
        " itself.",
    )


def describe_failure(exc: Exception) -> str:  # noqa: PLR0911 - one line for each kind
    """What has happened, without an address, a user or a password, as words after a colon."""
    match exc:
        case asyncpg.DiskFullError():
            return "the disk of its server is full"
        case asyncpg.ReadOnlySQLTransactionError():
            return "its server takes no changes (it is a read-only replica)"
        case asyncpg.InsufficientPrivilegeError():
            return "its user lacks a permission"
        case asyncpg.TooManyConnectionsError():
            return "its server has no connection left"
        case asyncpg.CannotConnectNowError() | asyncpg.AdminShutdownError():
            return "its server is starting or stopping"
        case ConnectionRefusedError():
            return "its server cannot be reached"
        case (
            asyncpg.PostgresConnectionError()
            | asyncpg.InterfaceError()
            | asyncpg.InternalClientError()
            | ConnectionError()
        ):
            return "the connection to its server was lost"
        case TimeoutError():
            return "its server does not answer"
        case asyncpg.PostgresError():
            return f"its server refused the statement ({exc.sqlstate})"
        case _:
            return "its server cannot be reached"


def refuse_at_start(exc: Exception) -> ConfigError:
    """Why the database cannot be used at all, for the operator who has just set it."""
    match exc:
        case asyncpg.InvalidCatalogNameError():
            reason = "there is no database of that name; create it, or correct the name"
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            reason = (
                "its server does not accept this user with this password; correct them (in the"
                " password, all but letters, digits and -._~ is percent-encoded)"
            )
        case asyncpg.InsufficientPrivilegeError():
            reason = (
                "its user may not create the tables; grant CREATE on the database, or create the"
                " schema geekai_video and make the user its owner"
            )
        case ssl.SSLError():  # a certificate that does not hold is a ValueError as well
            reason = (
                "the certificate of its server could not be verified; sslrootcert names the file"
                " with its authority, and the host has to be as the certificate names it"
            )
        case FileNotFoundError() | PermissionError():
            reason = "a file that its parameters name (sslrootcert) cannot be read"
        case asyncpg.ClientConfigurationError() if "root.crt" in str(exc):
            reason = "sslmode=verify-full needs sslrootcert, the file with its server's authority"
        case ConnectionError() if "SSL upgrade" in str(exc):
            reason = "its server offers no TLS, which sslmode demands"
        case asyncpg.ClientConfigurationError() | ValueError():
            reason = (
                "is no address of a database; it has the form"
                " postgresql://USER:PASSWORD@HOST:5432/DATABASE"
            )
        case OSError() | TimeoutError():
            reason = f"{describe_failure(exc)}; see that it runs, and that host and port are right"
        case _:
            reason = describe_failure(exc)
    return ConfigError({VARIABLE: reason})


def refuse_setting(reason: str) -> ConfigError:
    """Why the database would not keep what it is given."""
    return ConfigError({VARIABLE: reason})
