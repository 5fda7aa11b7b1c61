"""The sandbox's model list, in the two documented shapes (model pages, read 2026-11-22).

It has a few of GeekAI's models with their list prices of 2026-04-25, so that clients have
pages, types and prices to show. The sandbox itself accepts any model name.
"""

from __future__ import annotations

from typing import Final, NamedTuple

Json = dict[str, object]


class Model(NamedTuple):
    """`price_cny` is the price of one `unit` in CNY; 0 is free, None is unknown."""

    id: str
    owner: str
    kind: str = "video"
    price_cny: float | None = 0.0
    unit: str = "video"


MODELS: Final = (
    Model("sandbox", "sandbox"),
    Model("cogvideox-flash", "bigmodel"),
    Model("cogvideox", "bigmodel", price_cny=0.5),
    Model("cogvideox-2", "bigmodel", price_cny=0.5),
    Model("cogvideox-3", "bigmodel", price_cny=1.0),
    Model("vidu-2", "vidu", price_cny=1.25),
    Model("viduq2", "vidu", price_cny=0.156, unit="second"),
    Model("viduq3-pro", "vidu", price_cny=0.938, unit="second"),
    Model("MiniMax-Hailuo-02", "minimax", price_cny=2.0),
    Model("MiniMax-Hailuo-2.3", "minimax", price_cny=2.0),
    Model("MiniMax-H3", "minimax", price_cny=0.5, unit="second"),
    Model("kling-video-v1-6", "kling", price_cny=None),
    Model("kling-video-v2-6", "kling", price_cny=None),
    Model("kling-video-v3", "kling", price_cny=None),
    Model("doubao-seedance-1.0-pro", "bytedance", price_cny=3.6),
    Model("doubao-seedance-1.5-pro", "bytedance", price_cny=0.35, unit="second"),
    Model("doubao-seedance-2.0", "bytedance", price_cny=0.5, unit="second"),
    Model("jimeng_t2v_v30", "bytedance", price_cny=0.28, unit="second"),
    Model("veo-3.1-generate-preview", "google", price_cny=3.0, unit="second"),
    Model("veo-3.1-fast-generate-preview", "google", price_cny=1.125, unit="second"),
    Model("wan2.7-t2v", "alibaba", price_cny=1.0, unit="second"),
    Model("wan2.7-i2v", "alibaba", price_cny=1.0, unit="second"),
    Model("grok-video", "xai", price_cny=0.75, unit="second"),
    Model("cogview-3-flash", "bigmodel", kind="image", unit="image"),
    Model("gpt-image-1", "openai", kind="image", price_cny=None, unit="image"),
    Model("jimeng_t2i_v40", "bytedance", kind="image", price_cny=None, unit="image"),
)

CREATED_AT: Final = 1_767_225_600
"""Unix seconds: the first day of 2026. GeekAI's real dates are not known here."""
DEFAULT_PAGE_SIZE: Final = 20
MAX_PAGE_SIZE: Final = 100


def models_page(page: int, page_size: int) -> Json:
    """Return the models of one page, counted from 1; a page beyond the last is empty."""
    first = (page - 1) * page_size
    return {
        "data": [_list_item(model) for model in MODELS[first : first + page_size]],
        "total": len(MODELS),
        "page": page,
        "page_size": page_size,
        "sandbox": True,
    }


def model_detail(name: str) -> Json | None:
    """Return the details of one model; None for a name that is not listed."""
    for model in MODELS:
        if model.id == name:
            return {
                "id": model.id,
                "name": model.id,
                "type": model.kind,
                "desc": "Rendered as a preview by the sandbox; no money is charged.",
                "context": None,
                "platform": model.owner,
                "is_free": model.price_cny == 0,
                "price": _price(model),
                "discounts": [
                    {"channel": "sandbox", "discount": 1.0, "desc": "Rendered on this machine."}
                ],
                "sandbox": True,
            }
    return None


def _list_item(model: Model) -> Json:
    return {
        "id": model.id,
        "name": model.id,
        "type": model.kind,
        "status": "active",
        "created": CREATED_AT,
        "owned_by": model.owner,
        "context_window": None,
        "pricing": _price(model),
        "capabilities": [f"text-to-{model.kind}", f"image-to-{model.kind}"],
        "limitations": {"max_tokens": None, "max_requests_per_min": None},
        "platform": {"name": model.owner},
        "sandbox": True,
    }


def _price(model: Model) -> Json:
    return {"currency": "CNY", "unit": model.unit, "price": model.price_cny}
