"""How long to wait before something that failed is attempted again, and when to stop. Pure.

All durations are seconds.
"""

from enum import StrEnum
from typing import Final

UNSENT_RETRY_DELAYS: Final = (0.5, 1.0, 2.0)
"""Seconds before each further attempt to send a request that certainly did not leave."""
RATE_LIMIT_DELAYS: Final = (5.0, 10.0, 20.0, 40.0)
"""Seconds before each further attempt after a 429 without a Retry-After; a 429 is refused
before anything is executed."""
MAX_RETRY_AFTER: Final = 60.0
"""The longest Retry-After, in seconds, that is waited for. If the service asks for more, the
request is rejected, and the caller decides whether to wait."""
INTENT_TTL: Final = 900.0
"""Seconds after which a request that was never sent is dropped: its caller no longer expects
it to spend money."""


def retry_delay(*, tried: int, limited: bool, retry_after_seconds: float | None) -> float | None:
    """Seconds before the next attempt at a request that was not executed; None to stop.

    *tried* counts the earlier attempts that ended the same way. *limited* is true after a 429,
    and false if the request never left.
    """
    delays = RATE_LIMIT_DELAYS if limited else UNSENT_RETRY_DELAYS
    if tried >= len(delays) or (retry_after_seconds or 0.0) > MAX_RETRY_AFTER:
        return None
    return max(delays[tried] if retry_after_seconds is None else 0.0, retry_after_seconds or 0.0)


DOWNLOAD_RETRY_DELAYS: Final = (1.0, 5.0, 30.0, 120.0, 300.0, 600.0)
"""Seconds before each further attempt at a failed download; the last value repeats."""
FORBIDDEN: Final = 1
"""Attempts at a download that a rule of ours forbids: another try would meet the same rule."""
LASTING: Final = 3
"""Attempts where the obstacle is likely to last, as for a file that is no video: six seconds."""
PASSING: Final = 5
"""Attempts where the obstacle is likely to pass, as for a host that does not answer: three
minutes, or six if each takes as long as it may. After so many the caller is given the link, even
if the obstacles were different ones."""
UNTIL_LOST: Final = 6
"""Attempts with a link that is dead, and the link that replaced it: eight minutes. A new file may
need some to reach every edge server of its host."""


class Obstacle(StrEnum):
    """What keeps a finished result from being an ordinary file on this machine.

    The values are stored in the ledger and shown as error codes, so they never change.
    """

    UNREACHABLE = "unreachable"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"
    """Its host answers with an HTTP status in place of the file."""
    DISK_FULL = "disk_full"
    OUTPUT_FOLDER = "output_folder"
    """The output folder cannot be written."""
    NO_NEW_LINK = "no_new_link"
    """Its link is dead, and the service could not be asked for another."""
    INTERNAL = "internal"
    """An unexpected exception."""
    NOT_ALLOWED = "not_allowed"
    """A rule of ours forbids the link."""
    NOT_HTTPS = "not_https"
    """The link is http, and its host does not answer over https."""
    REDIRECTS = "redirects"
    NOT_MEDIA = "not_media"
    TOO_LARGE = "too_large"
    UNDECODABLE = "undecodable"
    END_UNDECODABLE = "end_undecodable"
    """It is stored, and may break off."""
    OTHER_FORMAT = "other_format"
    """It is stored, and is no ordinary video or picture."""
    RESULT_LOST = "result_lost"
    """Its link is dead, and so is the one that replaced it."""
    DELETED = "deleted"
    """It was stored, and deleted after the days that the operator keeps files."""
    NO_LINK = "no_link"
    """The service reports success, and has never given a link."""


PASSING_OBSTACLES: Final = frozenset(
    {
        Obstacle.UNREACHABLE,
        Obstacle.INTERRUPTED,
        Obstacle.REFUSED,
        Obstacle.DISK_FULL,
        Obstacle.OUTPUT_FOLDER,
        Obstacle.NO_NEW_LINK,
        Obstacle.INTERNAL,
    }
)
"""Obstacles that may end by themselves. The caller is given the link all the same, and the
download is tried again in the background while its link may work."""
LINK_TTL: Final = 7 * 86_400.0
"""Seconds that a result link stays valid, by GeekAI's Veo 3.1 manual (read 2026-11-22)."""


def download_retry_delay(failed_downloads: int) -> float:
    """Seconds before the next download after *failed_downloads* failures."""
    if not failed_downloads:
        return 0.0
    return DOWNLOAD_RETRY_DELAYS[min(failed_downloads, len(DOWNLOAD_RETRY_DELAYS)) - 1]
