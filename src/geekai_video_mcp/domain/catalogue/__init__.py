"""The facts about GeekAI's models, with their sources, and the checks based on them. Pure.

Every fact is in `models.toml` with its source and date; no model's name may enter the code.
"""

from geekai_video_mcp.domain.catalogue.availability import (
    MAX_SUGGESTIONS,
    LiveModel,
    availability,
    nearest_models,
    of_type,
    standing,
    unknown_model_message,
)
from geekai_video_mcp.domain.catalogue.capabilities import (
    MEDIA_INPUTS,
    USUAL_SECONDS,
    cost_of,
    has_resolution,
    is_free,
    length_for,
    makes_length,
    makes_video,
    needs,
    needs_text,
    other_way,
    takes,
    takes_together,
)
from geekai_video_mcp.domain.catalogue.checking import (
    CHECKS_VARIABLE,
    SANDBOX_MODEL,
    CheckedRequest,
    Checks,
    check_request,
    with_general_warnings,
)
from geekai_video_mcp.domain.catalogue.facts import (
    FACT_BY_FIELD,
    Fact,
    Model,
    Price,
    extra_body_values,
    first_in_lists,
    listed_values,
    models,
    price,
    rules,
)
from geekai_video_mcp.domain.catalogue.lengths import default_seconds, seconds_made
from geekai_video_mcp.domain.catalogue.search import matches_words, words_of

__all__ = [
    "CHECKS_VARIABLE",
    "FACT_BY_FIELD",
    "MAX_SUGGESTIONS",
    "MEDIA_INPUTS",
    "SANDBOX_MODEL",
    "USUAL_SECONDS",
    "CheckedRequest",
    "Checks",
    "Fact",
    "LiveModel",
    "Model",
    "Price",
    "availability",
    "check_request",
    "cost_of",
    "default_seconds",
    "extra_body_values",
    "first_in_lists",
    "has_resolution",
    "is_free",
    "length_for",
    "listed_values",
    "makes_length",
    "makes_video",
    "matches_words",
    "models",
    "nearest_models",
    "needs",
    "needs_text",
    "of_type",
    "other_way",
    "price",
    "rules",
    "seconds_made",
    "standing",
    "takes",
    "takes_together",
    "unknown_model_message",
    "with_general_warnings",
    "words_of",
]
