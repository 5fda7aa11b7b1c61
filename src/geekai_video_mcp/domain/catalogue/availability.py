"""Which models exist: those described here, and those that the service lists now. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from geekai_video_mcp.domain.catalogue.facts import Model, models
from geekai_video_mcp.quoting import is_plain_id

MIN_PARTIAL_NAME: Final = 4
"""Characters from which a part of a name counts as similar: "veo" could be any of several."""
DOCUMENTED_TYPES: Final = frozenset({"chat", "image", "audio", "video", "embedding"})
RETIRED_STATUSES: Final = frozenset(
    {"deprecated", "dead", "inactive", "disabled", "offline", "retired"}
)
"""Statuses of a model that is or will be discontinued; `deprecated` is the documented one."""


@dataclass(frozen=True, kw_only=True)
class LiveModel:
    """A model as the service lists it."""

    id: str
    type: str = ""
    status: str = ""

    @property
    def is_retired(self) -> bool:
        """Whether the service says that it is or will be discontinued."""
        return self.status.lower() in RETIRED_STATUSES


def of_type(live: Iterable[LiveModel], kind: str) -> dict[str, LiveModel]:
    """The listed models of one type, by id; what could not be an id is left out."""
    return {one.id: one for one in live if one.type.lower() == kind and is_plain_id(one.id)}


def listed_for(live: Iterable[LiveModel], kind: str) -> dict[str, LiveModel]:
    """The listed models that may be of one type, by id: also those of a type that is not known."""
    return {
        one.id: one
        for one in live
        if one.type.lower() not in DOCUMENTED_TYPES - {kind} and is_plain_id(one.id)
    }


def availability(model: str, live: Mapping[str, LiveModel] | None) -> str | None:
    """What to say about a model that is discontinued, or new here; None for every other model.

    *live* holds the service's video models; None if they are not known.
    """
    if not live:  # an empty list says nothing, and would make every model look discontinued
        return None
    one = live.get(model)
    if one is None:
        return "not in GeekAI's list today" if model in models() else None
    if one.is_retired:
        return f"{one.status.lower()} by GeekAI"
    return None if model in models() else "listed by GeekAI, not described here"


def standing(model: Model, live: Mapping[str, LiveModel] | None) -> str | None:
    """What keeps the model from being used, or makes it doubtful; None if nothing is known to.

    That a maker has shut a model down is believed until GeekAI lists the model.
    """
    gone = model.value("gone")
    said = availability(model.id, live)
    return said or (f"may be gone: {gone}" if gone and not live else None)


def similarity(wanted: str, one: str) -> float:
    """From 0 to 1; a shortened name, such as veo-3.1, scores higher than difflib alone gives."""
    ratio = SequenceMatcher(None, wanted, one).ratio()
    return (1 + ratio) / 2 if len(wanted) >= MIN_PARTIAL_NAME and wanted in one else ratio
