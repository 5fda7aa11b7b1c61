"""What a request costs by GeekAI's price list: the one place where that is worked out. Pure.

The list is of a certain day and channel, and GeekAI may charge less or more; so whatever shows a
cost says where the price was read, and when.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from geekai_video_mcp.domain.catalogue.conditions import value_at
from geekai_video_mcp.domain.catalogue.facts import Price, PriceUnit, normalize_value, price
from geekai_video_mcp.domain.catalogue.lengths import seconds_made
from geekai_video_mcp.domain.tasks import Media

DECIMALS: Final = 3
"""Decimals of a CNY that are told apart: the listed prices have no more."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The listed price of a request."""

    total_cny: float | None
    """Of the whole request; None if it depends on what is not known."""
    rate_cny: float
    per: PriceUnit
    seconds: int | None
    """Seconds of the video that will come; None for an image, and if that is not known."""
    source: str
    read_on: date
    note: str = ""
    """What the price is for, such as "at 768P"."""
    applies: bool = True
    """False if the price is listed for other settings than those of the request."""


def request_cost(body: Mapping[str, Any], *, media: Media) -> Cost | None:
    """The listed price of the request *body*; None if no price of its model is known.

    The length that counts is that of the video that the model makes, whatever its duration says.
    """
    listed = price(str(body.get("model", "")), media=media.value)
    if listed is None:
        return None
    seconds = seconds_made(body) if media is Media.VIDEO else None
    applies = _applies(listed, body)
    return Cost(
        total_cny=_total(listed, seconds) if applies else None,
        rate_cny=listed.cny,
        per=listed.per,
        seconds=seconds,
        source=listed.source,
        read_on=listed.read_on,
        note=listed.note,
        applies=applies,
    )


def _total(listed: Price, seconds: int | None) -> float | None:
    if listed.per != "second" or listed.cny == 0:
        return listed.cny
    return None if seconds is None else rounded_cny(listed.cny * seconds)


def _applies(listed: Price, body: Mapping[str, Any]) -> bool:
    """Whether the price is for such settings; a setting that is not given counts as such."""
    return all(
        (value := value_at(body, name)) is None or normalize_value(value) in among
        for name, among in listed.when.items()
    )


def may_cost_more(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields with which the request can cost more than its listed price; empty if none can."""
    repeats = isinstance(count := body.get("n"), int) and count > 1
    fields = {
        "retries": bool(body.get("retries")),
        "extra_body": bool(body.get("extra_body")),
        "n": repeats,
    }
    return tuple(name for name, possible in fields.items() if possible)


def price_in_brief(cost: Cost | None) -> str:
    """What a request costs, in a word or two."""
    if cost is None or not cost.applies:
        return "price not known here"
    if cost.rate_cny == 0:
        return "free"
    if cost.total_cny is None:
        return f"{format_cny(cost.rate_cny)} per {cost.per}"
    return format_cny(cost.total_cny)


def rounded_cny(amount: float) -> float:
    """An amount without the noise of adding and multiplying floats."""
    return round(amount, DECIMALS)


def format_cny(amount: float) -> str:
    """An amount with its unit, such as "12.5 CNY"."""
    return f"{amount:.{DECIMALS}f}".rstrip("0").rstrip(".") + " CNY"
