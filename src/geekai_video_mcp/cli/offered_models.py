"""The models that GeekAI lists today, for `models --live`: one read, which costs nothing."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from geekai_video_mcp.cli.for_people import print_for_person
from geekai_video_mcp.cli.output import FAILED, NOT_USABLE
from geekai_video_mcp.cli.request import run_in_loop
from geekai_video_mcp.cli.start import load_settings
from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.domain.tasks import Media

if TYPE_CHECKING:
    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.domain.catalogue import LiveModel


def read_offered_models() -> "Mapping[str, LiveModel] | int":
    """The video models by id; or, after saying why there are none, the exit status."""
    settings = load_settings()
    if settings.sandbox:
        print_for_person(
            "--live asks GeekAI, and there is no key: geekai-video-mcp setup stores one. Without"
            " --live the models are those that this version describes."
        )
        return NOT_USABLE
    listed = run_in_loop(lambda: _fetch(settings))
    models = None if listed is None else catalogue.of_type(listed, Media.VIDEO)
    if not models:
        print_for_person(
            "GeekAI's list of today could not be read; geekai-video-mcp doctor checks the service"
            " and the key. Without --live the models are those that this version describes."
        )
        return FAILED
    return models


async def _fetch(settings: "Settings") -> "tuple[LiveModel, ...] | None":
    from geekai_video_mcp.app import open_app

    # Without a sweep: tasks are left to the servers.
    async with open_app(settings, sweep=False) as app:
        return await app.engine.model_list.fetch()
