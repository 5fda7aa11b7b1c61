"""What a server needs before it may be one of several on one database."""

from typing import TYPE_CHECKING

from geekai_video_mcp.config.tokens_file import settings_of_tenant
from geekai_video_mcp.errors import ConfigError

if TYPE_CHECKING:
    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.config.tokens_file import TokensFile

_UNREADABLE = (
    "is needed with GEEKAI_DATABASE_URL over HTTP, the same for every server on the database:"
    " without it none can read the links and the questions of another, nor its own after a restart."
    " openssl rand -base64 32 prints one"
)
_NO_KEY = (
    "is needed with GEEKAI_DATABASE_URL: the sandbox keeps its tasks in one process, and no other"
    " server on the database would find them. To try several servers without a key, run"
    " geekai-video-mcp sandbox as a service of its own, set GEEKAI_BASE_URL to its address, and"
    " any GEEKAI_API_KEY"
)


def require_common_settings(settings: "Settings", tokens: "TokensFile") -> None:
    """Refuse what would make servers on one database answer differently by chance.

    Without a key of the operator it is enough that one of the tenants has one, or may send one:
    `app` refuses the requests of the others.

    Raises:
        ConfigError: with all that is missing.
    """
    hosting = settings.hosting
    if hosting.database_url is None:
        return
    problems = dict[str, str]()
    if hosting.secret is None:
        problems["GEEKAI_SECRET"] = _UNREADABLE
    keyless = all(
        settings_of_tenant(settings, tokens, name).sandbox for name in tokens.tenant_names
    )
    if settings.sandbox and hosting.client_keys == "refuse" and keyless:
        problems["GEEKAI_API_KEY"] = _NO_KEY
    if problems:
        raise ConfigError(problems)


def require_key(settings: "Settings") -> None:
    """The same for a server over stdio, which serves the operator alone and makes no links.

    Raises:
        ConfigError: there is no key.
    """
    if settings.hosting.database_url is not None and settings.sandbox:
        raise ConfigError({"GEEKAI_API_KEY": _NO_KEY})
