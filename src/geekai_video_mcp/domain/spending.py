"""The cap on what may be spent in a day, in CNY by the price list. Pure.

It counts the listed prices that were recorded with the requests, so one whose price is not known
could exceed it unseen: under this cap such a request is refused, with what to change about it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from geekai_video_mcp.domain.catalogue import (
    format_cny,
    may_cost_more,
    price_in_brief,
    priced_image_models,
    priced_models,
    request_cost,
    rounded_cny,
)
from geekai_video_mcp.domain.tasks import (
    Media,
    Task,
)
from geekai_video_mcp.domain.wording import join_words
from geekai_video_mcp.errors import CapReached
from geekai_video_mcp.quoting import quote_unless_id

DAY: Final = 24 * 3600.0
"""Seconds for which a task counts towards a cap."""
MAX_SUGGESTED: Final = 3
"""Models with a known price that a refusal names."""
_ONLY_CONFIGURATION: Final = "only the server's configuration raises this cap"


@dataclass(frozen=True, kw_only=True)
class ReservedPrices:
    """The listed prices of the requests that count towards the caps of the day."""

    priced: tuple[tuple[float, float], ...] = ()
    """When each was made, and its price in CNY; oldest first, without the free ones."""
    unknown: int = 0
    """How many have no known price. They are not in the sum."""

    @property
    def sum_cny(self) -> float:
        return rounded_cny(sum(cny for _, cny in self.priced))

    def left_of(self, cap: float) -> float:
        """What the cap still allows, in CNY."""
        return max(0.0, rounded_cny(cap - self.sum_cny))

    def room_from(self, cny: float, cap: float) -> float | None:
        """When enough of them stop counting for another of *cny*; None if that is never enough."""
        counted = self.sum_cny
        for made_at, price in self.priced:
            counted = rounded_cny(counted - price)
            if rounded_cny(counted + cny) <= cap:
                return made_at + DAY
        return None


def check_spending(task: Task, prices: ReservedPrices, cap: float) -> None:
    """Raise if the request would exceed the cap, or if it is not known whether it would.

    Raises:
        CapReached: it may not be sent now.
    """
    setting = f"GEEKAI_MAX_CNY_PER_DAY={format_cny(cap).removesuffix(' CNY')}"
    if task.price_cny is None or (task.price_cny > 0 and may_cost_more(task.request)):
        reasons, changes = zip(*_unknown_cost(task), strict=True)
        raise CapReached(
            f"{setting} allows only requests whose price is known: {', and '.join(reasons)}",
            remedy=f"{'. '.join(changes)}; {_ONLY_CONFIGURATION}",
        )
    if rounded_cny(prices.sum_cny + task.price_cny) <= cap or task.price_cny == 0:
        return
    besides = f", besides {prices.unknown} of unknown price" if prices.unknown else ""
    raise CapReached(
        f"The requests of the last 24 hours are listed at {format_cny(prices.sum_cny)}{besides},"
        f" and this one is listed at {format_cny(task.price_cny)} ({setting})",
        remedy=_remedy(task.price_cny, prices, cap),
    )


def _remedy(cny: float, prices: ReservedPrices, cap: float) -> str:
    left, room_from = prices.left_of(cap), prices.room_from(cny, cap)
    fits = f"one of up to {format_cny(left)} still fits" if left else "only a free one fits now"
    if room_from is None:
        return (
            f"Tell the user: this request alone is above the cap, {fits}, and {_ONLY_CONFIGURATION}"
        )
    moment = datetime.fromtimestamp(room_from, UTC).isoformat(timespec="seconds")
    return (
        f"Tell the user: there is room for this request from {moment} on, {fits}, and"
        f" {_ONLY_CONFIGURATION}"
    )


def _unknown_cost(task: Task) -> Iterator[tuple[str, str]]:
    """Why its cost is not known, as part of a sentence, and what to change, as one of its own."""
    cost = request_cost(task.request, media=task.media)
    if cost is None:
        yield (
            f"the price of {quote_unless_id(task.model)} is not known here",
            f"Use a model whose price is known, such as {_suggestions(task)}",
        )
    elif not cost.applies:
        change = f"Make the request {cost.note}, or use a model whose price is known, such as"
        yield (
            f"the price of {task.model} is listed only {cost.note}",
            f"{change} {_suggestions(task)}",
        )
    elif cost.total_cny is None:
        yield (
            f"this one costs {format_cny(cost.rate_cny)} per second of a length that is not given",
            "Give duration",
        )
    if fields := may_cost_more(task.request):
        yield (
            f"{join_words(fields)} can make this one cost more than its listed price",
            f"Leave {join_words(fields, 'and')} out",
        )


def _suggestions(task: Task) -> str:
    """The cheapest models with a known price that may make what the request asks for."""
    image = task.media is Media.IMAGE
    models = priced_image_models() if image else priced_models(task.request)
    return join_words([f"{name} ({price_in_brief(cost)})" for name, cost in models[:MAX_SUGGESTED]])
