"""What is known of GeekAI's models, packaged with its sources, and checks by it. Pure."""

from geekai_video_mcp.catalogue.checking import FACT_OF, Checked, check, unchecked
from geekai_video_mcp.catalogue.facts import Fact, Model, Price, Source, models, price, rules
from geekai_video_mcp.catalogue.names import Listed, nearest, of_type, standing, unknown

__all__ = [
    "FACT_OF",
    "Checked",
    "Fact",
    "Listed",
    "Model",
    "Price",
    "Source",
    "check",
    "models",
    "nearest",
    "of_type",
    "price",
    "rules",
    "standing",
    "unchecked",
    "unknown",
]
