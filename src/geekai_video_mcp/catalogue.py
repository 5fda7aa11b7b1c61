"""What is known of GeekAI's models, packaged with its source and the day it was read. Pure.

A fact that is not in `models.toml` is not known, and is never made up.
"""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a model costs by GeekAI's own list; an older or cheaper channel may differ."""

    cny: float
    per: Literal["video", "second"]
    source: str
    read_on: date

    def of(self, *, seconds: int | None) -> float | None:
        """CNY for one video; None if it depends on a length that nobody has said."""
        if self.per == "video" or self.cny == 0:
            return self.cny
        return None if seconds is None else round(self.cny * seconds, 3)


def price(model: str) -> Price | None:
    """The model's listed price; None if none is known."""
    prices = _facts()["prices"]
    for per in ("video", "second"):
        if (cny := prices[f"per_{per}"].get(model)) is not None:
            return Price(
                cny=float(cny), per=per, source=prices["source"], read_on=prices["read_on"]
            )
    return None


@cache
def _facts() -> dict[str, Any]:
    packaged = files("geekai_video_mcp").joinpath("models.toml")
    return tomllib.loads(packaged.read_text(encoding="utf-8"))
