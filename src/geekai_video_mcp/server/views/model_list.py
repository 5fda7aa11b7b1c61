"""The models as a tool result: a page of a table with whole ids. Pure.

Each form takes at most `MAX_BYTES` bytes, because one host cuts a whole result at 8,000
characters, and the model that reads it pays for every token.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from math import prod
from typing import Annotated, Any, Final, cast

from pydantic import WithJsonSchema

from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.domain.catalogue import LiveModel, Model
from geekai_video_mcp.errors import RequestRefused
from geekai_video_mcp.server.arguments import ListVideoModels
from geekai_video_mcp.server.views.model_filters import (
    all_models,
    matches,
    new_models,
    no_match_text,
    rank,
)
from geekai_video_mcp.server.views.tasks import ToolResult, View

MAX_BYTES: Final = 3500
"""Bytes of the text, and of the structured content as JSON."""
MAX_ROWS: Final = 20
"""Models on a page."""
MAX_SIZES: Final = 2
"""Sizes in pixels that a row names; of more, it names the largest, and its card has all."""
MAX_NEW_NAMES_CHARS: Final = 40
"""Characters of the names of new models that every page shows; of more, it shows the number."""
MOST_PAGES: Final = 99
"""More pages than any list has, for the room that their number takes."""
HEADINGS: Final = (
    "model",
    "maker",
    "pictures, video, sound taken",
    "seconds",
    "resolutions",
    "sound",
    "camera control",
    "price in CNY",
    "note",
)
UNKNOWN: Final = "unknown"
PRICES: Final = "CNY, unknown where absent"


class ModelRow(View):
    """A model in a list; what is absent is not known."""

    id: str
    maker: str | None = None
    inputs: list[str] | None = None
    """The arguments of generate_video for pictures, videos and sounds that it takes."""
    needs: str | None = None
    """The inputs of which one has to be given; None if it works from a prompt alone."""
    seconds: str | None = None
    resolutions: list[str] | None = None
    sizes: str | None = None
    """Sizes in pixels, of a model whose resolution is chosen by `size`."""
    sound: bool | None = None
    camera: str | None = None
    """How to move the camera, where the model has something for that."""
    price: int | float | None = None
    """CNY for a `unit`; None if it is not known."""
    unit: catalogue.PriceUnit | None = None
    price_date: str | None = None
    """The day of the price, if it is not the list's."""
    cost_cny: float | None = None
    """CNY for a video of `cost_seconds`, in a list by price."""
    cost_seconds: int | None = None
    note: str | None = None


class ModelList(ToolResult):
    """A page of models, or the details of one."""

    published_fields = ("models", "next_step")

    models: list[ModelRow] | None = None
    card: Annotated[dict[str, Any], WithJsonSchema({"type": "object"})] | None = None
    total: int | None = None
    """Models that match, on all pages."""
    page: int | None = None
    pages: int | None = None
    prices: str | None = None
    """What the prices are in, and what it means that there is none."""
    price_date: str | None = None
    """The day of the price list from which the prices are."""
    warnings: list[str] | None = None
    next_step: str
    live: bool
    """Whether GeekAI's list of today was available and is included."""


def model_list(
    args: ListVideoModels, live: Mapping[str, LiveModel] | None, *, sandbox: bool = False
) -> tuple[ModelList, str]:
    """A page of the models that match *args*, as structured content and as text.

    *sandbox*: whether no key is set, so that every model is only rendered as a preview.

    Raises:
        RequestRefused: there is no such page.
    """
    rows = list_models(args, live)
    dates = Counter(row.price_date for row in rows if row.price_date)
    usual_date = max(dates, key=dates.__getitem__, default=None)
    whole = ModelList(
        models=[],
        total=len(rows),
        page=args.page,
        pages=MOST_PAGES,
        prices=PRICES if rows else None,
        price_date=usual_date,
        next_step=" ".join([*args.notes, _next_step(args, MOST_PAGES, live, sandbox=sandbox)]),
        live=bool(live),
    )
    pages = _pages([_without_date(row, usual_date) for row in rows], around=whole) or [[]]
    if args.page > len(pages):
        msg = f"page: there is no page {args.page}; the last page of this list is {len(pages)}"
        raise RequestRefused(msg, money=None)
    step = (
        _next_step(args, len(pages), live, sandbox=sandbox)
        if rows
        else no_match_text(args, args.takes, live)
    )
    result = whole.model_copy(
        update={
            "models": pages[args.page - 1],
            "pages": len(pages),
            "next_step": " ".join([*args.notes, step]),
        }
    )
    return result, _list_text(result)


def list_models(args: ListVideoModels, live: Mapping[str, LiveModel] | None) -> list[ModelRow]:
    """The models that match *args*, in the order of the list, whatever the page."""
    matching = [model for model in all_models(live) if matches(model, args, args.takes)]
    seconds = (args.seconds or catalogue.USUAL_SECONDS) if args.sort else None
    matching.sort(key=partial(rank, live=live, seconds=seconds))
    return [_row(model, args.takes, live, seconds=seconds) for model in matching]


def _row(
    model: Model,
    wanted: Sequence[str],
    live: Mapping[str, LiveModel] | None,
    *,
    seconds: int | None,
) -> ModelRow:
    price = catalogue.price(model.id)
    cost = catalogue.cost_of(model, seconds) if seconds else None
    resolutions = model.value("resolutions")
    sound, camera = model.value("sound"), model.value("camera")
    return ModelRow(
        id=model.id,
        maker=model.maker or None,
        inputs=_inputs(model),
        needs=catalogue.needs_text(model),
        seconds=_seconds_text(model),
        resolutions=cast("list[str]", resolutions) if isinstance(resolutions, list) else None,
        sizes=None if resolutions else _sizes_text(model),
        sound=None if sound is None else bool(sound),
        camera=str(camera).partition(",")[0] if camera else None,
        price=price and (int(price.cny) if price.cny.is_integer() else price.cny),
        unit=price and price.per,
        price_date=price and price.read_on.isoformat(),
        cost_cny=cost,
        cost_seconds=catalogue.length_for(model, seconds) if seconds and cost else None,
        note=_note(model, wanted, live),
    )


def _without_date(row: ModelRow, usual: str | None) -> ModelRow:
    """The row without the day of its price if that is the list's."""
    return row.model_copy(update={"price_date": None}) if row.price_date == usual else row


def _inputs(model: Model) -> list[str] | None:
    """The inputs that it takes; None if nothing is known of any."""
    facts = [catalogue.FACT_BY_FIELD[name] for name in catalogue.MEDIA_INPUTS]
    if all(model.value(fact) is None for fact in facts):
        return None
    return [name for name in catalogue.MEDIA_INPUTS if catalogue.takes(model, name)]


def _seconds_text(model: Model) -> str | None:
    seconds = model.value("seconds")
    if isinstance(seconds, list):
        return ", ".join(map(str, cast("list[int]", seconds)))
    return cast("str | None", seconds)


def _sizes_text(model: Model) -> str | None:
    sizes = model.value("sizes")
    if not isinstance(sizes, list):
        return sizes or None
    names = cast("list[str]", sizes)
    if len(names) <= MAX_SIZES:
        return ", ".join(names)
    largest = max(names, key=lambda size: prod(map(int, size.split("x"))))
    return f"up to {largest}"


def _note(model: Model, wanted: Sequence[str], live: Mapping[str, LiveModel] | None) -> str | None:
    ways = [(name, catalogue.other_way(model, name)) for name in wanted]
    notes = [
        catalogue.standing(model, live),
        None if catalogue.makes_video(model) else f"makes {model.value('makes')}",
        *(f"{name}: {way}" for name, way in ways if way),
    ]
    return "; ".join(note for note in notes if note) or None


def _pages(rows: Sequence[ModelRow], *, around: ModelList) -> list[list[ModelRow]]:
    """The rows in pages, each of which has room for them in both forms.

    *around*: the list without rows, and with the longest numbers that it may have.
    """
    pages: list[list[ModelRow]] = []
    structure_room = MAX_BYTES - _bytes(around.model_dump_json(exclude_none=True))
    text_room = MAX_BYTES - _bytes(" | ".join(HEADINGS)) - _bytes(_summary(around)) - 2
    structure_bytes = text_bytes = 0
    for row in rows:
        as_json = _bytes(row.model_dump_json(exclude_none=True)) + 1
        as_text = _bytes(_line(row)) + 1
        structure_bytes, text_bytes = structure_bytes + as_json, text_bytes + as_text
        fits = structure_bytes <= structure_room and text_bytes <= text_room
        if not pages or len(pages[-1]) == MAX_ROWS or not fits:
            pages.append([])
            structure_bytes, text_bytes = as_json, as_text
        pages[-1].append(row)
    return pages


def _bytes(text: str) -> int:
    return len(text.encode())


def _list_text(result: ModelList) -> str:
    """The page as a table under a heading line, for a model that reads only text."""
    rows = result.models or []
    if not rows:
        return result.next_step
    headings = HEADINGS if any(row.note for row in rows) else HEADINGS[:-1]
    return "\n".join([" | ".join(headings), *map(_line, rows), _summary(result)])


def _summary(result: ModelList) -> str:
    """What stands under the table."""
    shown = len(result.models or ())
    count = f"{shown} of {result.total} models." if result.total != shown else ""
    prices = f"Prices are of {result.price_date}." if result.price_date else ""
    return " ".join(part for part in (count, prices, result.next_step) if part)


def _line(row: ModelRow) -> str:
    cells = (
        row.id,
        row.maker or UNKNOWN,
        _inputs_cell(row),
        row.seconds or UNKNOWN,
        ", ".join(row.resolutions or []) or row.sizes or UNKNOWN,
        UNKNOWN if row.sound is None else "yes" if row.sound else "no",
        row.camera or "none known",
        _price_cell(row),
        *([row.note] if row.note else []),
    )
    return " | ".join(cells)


def _inputs_cell(row: ModelRow) -> str:
    if row.inputs is None:
        return UNKNOWN
    if row.needs in row.inputs:
        rest = [name for name in row.inputs if name != row.needs]
        return ", ".join([f"{row.needs} (needed)", *rest])
    needed = f" ({row.needs} is needed)" if row.needs else ""
    return (", ".join(row.inputs) or "nothing") + needed


def _price_cell(row: ModelRow) -> str:
    if row.price is None:
        return "price unknown"
    price = f"{row.price:g} per {row.unit}" if row.price else "free"
    if row.price_date:
        price += f" on {row.price_date}"
    if row.cost_seconds and row.unit == "second":
        return f"{price}, {row.cost_cny:g} for {row.cost_seconds} s"
    return price


def _next_step(
    args: ListVideoModels, pages: int, live: Mapping[str, LiveModel] | None, *, sandbox: bool
) -> str:
    steps = ["list_video_models with model shows all about one model."]
    if args.page < pages:
        steps.append(
            f"More: page {args.page + 1} of {pages}; or query, takes, seconds, resolution, free,"
            " sort."
        )
    if not args.query and (new := [model.id for model in new_models(live)]):
        names = ", ".join(new)
        which = names if len(names) <= MAX_NEW_NAMES_CHARS else f"{len(new)} more, on the last page"
        steps.append(f"GeekAI also lists, not described here: {which}.")
    if sandbox:
        steps.append("Without a GeekAI key the sandbox previews every model, free.")
    elif not live:
        steps.append("GeekAI's list of today could not be read.")
    return " ".join(steps)
