"""Which models there are: those described here, and those that the service lists now. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from geekai_video_mcp.catalogue.facts import models
from geekai_video_mcp.errors import quote

MAX_SUGGESTIONS: Final = 3
CLOSE_SIMILARITY: Final = 0.6
"""Likeness from 0 to 1, as difflib measures it, from which a name may be a slip of the pen:
kling-v1-6 for kling-video-v1-6 has 0.77."""
MIN_PARTIAL_NAME: Final = 4
"""Characters from which a part of a name stands for it: "veo" might be anything."""
RETIRED_STATUSES: Final = frozenset(
    {"deprecated", "dead", "inactive", "disabled", "offline", "retired"}
)
"""Words for a model that goes or is gone; `deprecated` is the documented one."""


@dataclass(frozen=True, kw_only=True)
class LiveModel:
    """A model as the service's own list has it."""

    id: str
    type: str = ""
    status: str = ""

    @property
    def is_retired(self) -> bool:
        """Whether the service says that it goes or is gone."""
        return self.status.lower() in RETIRED_STATUSES


def of_type(live: Iterable[LiveModel], kind: str) -> dict[str, LiveModel]:
    """The listed models of one type, by id."""
    return {one.id: one for one in live if one.type.lower() == kind}


def availability(model: str, live: Mapping[str, LiveModel] | None) -> str | None:
    """What the service's list of videos says against a model or for a new one; None for nothing.

    *live* is None if the service's list is not known.
    """
    if not live:  # an empty list says nothing, and would make every model look discontinued
        return None
    one = live.get(model)
    if one is None:
        return "not in the service's list now" if model in models() else None
    if one.is_retired:
        return f"{one.status.lower()} by the service"
    return None if model in models() else "listed by the service, not described here"


def nearest_models(name: str, among: Iterable[str] = ()) -> list[str]:
    """The ids most like *name*, the best first; of those described here if *among* has none."""
    return [model for _, model in _by_similarity(name, among)[:MAX_SUGGESTIONS]]


def is_close(name: str) -> bool:
    """Whether *name* may be a slip of the pen for a known id."""
    return _by_similarity(name, ())[0][0] >= CLOSE_SIMILARITY


def unknown_model_message(name: str, among: Iterable[str] = ()) -> str:
    """That there is no such model, and what may have been meant."""
    near = ", ".join(nearest_models(name, among))
    return f"{quote(name, limit=64)} is no model known here; nearest are {near}"


def _by_similarity(name: str, among: Iterable[str]) -> list[tuple[float, str]]:
    wanted, every = name.casefold(), tuple(among) or tuple(models())
    found = [(_similarity(wanted, one.casefold()), one) for one in every]
    return sorted(found, key=lambda pair: -pair[0])


def _similarity(wanted: str, one: str) -> float:
    """From 0 to 1; a name cut short, as veo-3.1 is, is closer than its length makes it."""
    likeness = SequenceMatcher(None, wanted, one).ratio()
    return (1 + likeness) / 2 if len(wanted) >= MIN_PARTIAL_NAME and wanted in one else likeness
