"""The facts about GeekAI's models, with their sources, and the checks based on them. Pure.

Every fact is in `models.toml` with its source and date; no model's name may enter the code.
"""

from geekai_video_mcp.domain.catalogue.availability import (
    LiveModel,
    availability,
    nearest_models,
    of_type,
    unknown_model_message,
)
from geekai_video_mcp.domain.catalogue.checking import (
    FACT_BY_FIELD,
    CheckedRequest,
    check_request,
    with_general_warnings,
)
from geekai_video_mcp.domain.catalogue.facts import Fact, Model, Price, Source, models, price, rules

__all__ = [
    "FACT_BY_FIELD",
    "CheckedRequest",
    "Fact",
    "LiveModel",
    "Model",
    "Price",
    "Source",
    "availability",
    "check_request",
    "models",
    "nearest_models",
    "of_type",
    "price",
    "rules",
    "unknown_model_message",
    "with_general_warnings",
]
