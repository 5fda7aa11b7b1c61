"""What the commands do before their own work: read the settings, and the collector's start."""

import gc
import logging
import os
from typing import TYPE_CHECKING

from geekai_video_mcp.domain.tenants import LOCAL_TENANT

if TYPE_CHECKING:
    from geekai_video_mcp.config import Settings


def load_settings(tenant: str = LOCAL_TENANT) -> "Settings":
    """The settings of this process for *tenant*; their warnings are logged."""
    from geekai_video_mcp.cli.logs import configure_logging
    from geekai_video_mcp.config import Settings

    settings = Settings.load(os.environ)
    hosting = settings.hosting
    oauth_secret = hosting.oauth.client_secret if hosting.oauth else None
    known = [settings.api_key, hosting.secret, oauth_secret, hosting.database_url]
    configure_logging(
        settings.log_level,
        log_format=hosting.log_format,
        secrets=[one.get_secret_value() for one in known if one is not None],
    )
    for warning in settings.warnings:
        logging.getLogger(__name__).warning("%s", warning)
    if tenant == LOCAL_TENANT:
        return settings
    from geekai_video_mcp.config.tokens_file import load_tokens_file, settings_of_tenant

    return settings_of_tenant(settings, load_tokens_file(settings), tenant)


def resume_gc() -> None:
    """Collect again, once the command's modules are imported; `main` stopped it."""
    gc.freeze()
    gc.enable()
