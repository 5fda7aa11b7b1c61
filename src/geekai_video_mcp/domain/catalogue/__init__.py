"""The facts about GeekAI's models, with their sources, and the checks based on them. Pure.

Every fact is in `models.toml` with its source and date; no model's name may enter the code.
"""

from geekai_video_mcp.domain.catalogue.alternatives import priced_image_models, priced_models
from geekai_video_mcp.domain.catalogue.availability import (
    DOCUMENTED_TYPES,
    LiveModel,
    listed_for,
    of_type,
    standing,
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
    CheckedRequest,
    Checks,
    check_request,
    in_words_of_model,
    with_general_warnings,
)
from geekai_video_mcp.domain.catalogue.costs import (
    Cost,
    format_cny,
    may_cost_more,
    price_in_brief,
    request_cost,
    rounded_cny,
)
from geekai_video_mcp.domain.catalogue.facts import (
    FACT_BY_FIELD,
    Fact,
    Model,
    Price,
    PriceUnit,
    extra_body_values,
    first_in_lists,
    image_models,
    listed_values,
    models,
    price,
    rules,
)
from geekai_video_mcp.domain.catalogue.lengths import default_seconds
from geekai_video_mcp.domain.catalogue.model_names import (
    MAX_SUGGESTIONS,
    nearest_models,
    resolve_model,
    unknown_model_message,
)
from geekai_video_mcp.domain.catalogue.search import matches_words, words_of
from geekai_video_mcp.domain.service_names import SANDBOX_MODEL

__all__ = [
    "DOCUMENTED_TYPES",
    "FACT_BY_FIELD",
    "MAX_SUGGESTIONS",
    "MEDIA_INPUTS",
    "SANDBOX_MODEL",
    "USUAL_SECONDS",
    "CheckedRequest",
    "Checks",
    "Cost",
    "Fact",
    "LiveModel",
    "Model",
    "Price",
    "PriceUnit",
    "check_request",
    "cost_of",
    "default_seconds",
    "extra_body_values",
    "first_in_lists",
    "format_cny",
    "has_resolution",
    "image_models",
    "in_words_of_model",
    "is_free",
    "length_for",
    "listed_for",
    "listed_values",
    "makes_length",
    "makes_video",
    "matches_words",
    "may_cost_more",
    "models",
    "nearest_models",
    "needs",
    "needs_text",
    "of_type",
    "other_way",
    "price",
    "price_in_brief",
    "priced_image_models",
    "priced_models",
    "request_cost",
    "resolve_model",
    "rounded_cny",
    "rules",
    "standing",
    "takes",
    "takes_together",
    "unknown_model_message",
    "with_general_warnings",
    "words_of",
]
