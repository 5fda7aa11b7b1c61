"""`geekai-video-mcp models`: the models that are described here, or the card of one of them.

It asks nobody and needs no key: the facts are those of this version, with their sources and days.
With --live it asks GeekAI as well, as the server does, which of them it lists today.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from geekai_video_mcp.cli.for_people import print_for_person
from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.output import (
    FAILED,
    NO_TERMINAL_WIDTH,
    NOT_USABLE,
    OK,
    json_line,
    print_line,
    print_lines,
    terminal_width,
)
from geekai_video_mcp.cli.start import resume_gc
from geekai_video_mcp.config.values import parse_amount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geekai_video_mcp.domain.catalogue import LiveModel
    from geekai_video_mcp.server.views.model_list import ModelRow

    Live = Mapping[str, LiveModel] | None
    """GeekAI's list of today; None if it was not asked for."""

_HEADINGS: Final = ("MODEL", "SECONDS", "SIZE", "SOUND", "CNY", "TAKES")
_SIZE: Final = _HEADINGS.index("SIZE")
_UNKNOWN: Final = "?"
_INDENT: Final = "  "
PROSE_WIDTH: Final = 80
_SECONDS: Final = 5
"""Length by whose cost models are compared if none is asked for: `catalogue.USUAL_SECONDS`."""


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="List the video models that this version describes, or show all that is known"
        " of one: inputs, lengths, sizes, price and rules, with their sources. It needs no key and"
        " asks nobody, so a price is that of its day. With --live it also asks GeekAI which models"
        " it lists today, which is free.",
        **examples(
            f"{prog}",
            f"{prog} --takes image,image_tail --seconds 10",
            f"{prog} --takes text --max-cny 2",
            f"{prog} --search kling --sort price",
            f"{prog} cogvideox-3",
            f"{prog} --live",
            f"{prog} --json | jq .id",
        ),
    )
    parser.add_argument(
        "model", nargs="?", metavar="NAME", help="show the card of this model; words of its name do"
    )
    parser.add_argument(
        "--search", metavar="WORDS", help="only those known by these words: kling, google, veo 3.1"
    )
    parser.add_argument(
        "--takes",
        metavar="INPUTS",
        help="only those that take all of these: text (alone), image, image_tail, images, video,"
        " audio, or another argument of generate_video",
    )
    parser.add_argument(
        "--seconds", metavar="N", help="only those that make a video of so many seconds"
    )
    parser.add_argument("--resolution", metavar="R", help="only those that make it, such as 1080p")
    parser.add_argument(
        "--max-cny",
        type=_parse_amount,
        metavar="CNY",
        help="only those whose listed price for a video is known and at most this; of --seconds"
        f" (default: {_SECONDS})",
    )
    parser.add_argument("--free", action="store_true", help="only those that cost nothing")
    parser.add_argument(
        "--sort", choices=["price"], help="the cheapest first (default: the most useful first)"
    )
    parser.add_argument(
        "--live",
        action="store_true",
        help="also ask GeekAI which models it lists today; free, needs a key",
    )
    parser.add_argument("--json", action="store_true", help="a line of JSON for each model")
    parser.set_defaults(run=_run)
    return parser


def _parse_amount(text: str) -> float:
    try:
        return parse_amount(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _run(arguments: argparse.Namespace) -> int:
    resume_gc()
    live: Live = None
    if arguments.live:
        from geekai_video_mcp.cli.offered_models import read_offered_models

        offered = read_offered_models()
        if isinstance(offered, int):
            return offered
        live = offered
    return _print_card(arguments, live) if arguments.model else _print_list(arguments, live)


def _print_card(arguments: argparse.Namespace, live: "Live") -> int:
    from geekai_video_mcp.cli.model_card import card_lines, sources_of
    from geekai_video_mcp.errors import RequestRefused
    from geekai_video_mcp.server.views.model_card import model_details

    try:
        details, _ = model_details(arguments.model, live)
    except RequestRefused as exc:
        print_for_person(exc.message)
        return FAILED
    card: dict[str, Any] = details.card or {}
    sources = sources_of(card["id"])
    if arguments.json:
        listed = [
            {"title": each.title, "mark": each.mark, "read_on": each.read_on.isoformat()}
            for each in sources
        ]
        print_line(json_line({**card, "sources": listed}))
    else:
        print_lines(card_lines(card, sources, width=terminal_width()))
    return OK


def _print_list(arguments: argparse.Namespace, live: "Live") -> int:
    from geekai_video_mcp.errors import RequestRefused

    try:
        rows = _find_rows(arguments, live)
    except RequestRefused as exc:
        print_for_person(exc.message)
        return NOT_USABLE
    if arguments.json:
        print_lines(
            json_line({**row.model_dump(mode="json"), "listed": row.id in live if live else None})
            for row in rows
        )
    elif rows:
        _print_table(rows, live)
    else:
        print_line("No model is known to suit all of this.")
    return OK


def _find_rows(arguments: argparse.Namespace, live: "Live") -> "list[ModelRow]":
    """The models that suit every filter.

    Raises:
        RequestRefused: a filter names nothing that there is.
    """
    from geekai_video_mcp.server.arguments import ListVideoModels
    from geekai_video_mcp.server.views.model_list import list_models

    takes = (arguments.takes or "").replace(",", " ").split()
    from_text = "text" in takes
    by_price = arguments.sort or arguments.max_cny is not None
    given = {
        "query": arguments.search,
        "takes": [word for word in takes if word != "text"],
        "seconds": arguments.seconds,
        "resolution": arguments.resolution,
        "free": arguments.free or None,
        "sort": "price" if by_price else None,
    }
    args = ListVideoModels.parse({name: value for name, value in given.items() if value})
    for note in args.notes:
        print_for_person(note)
    return [
        row
        for row in list_models(args, live)
        if (not from_text or _is_enough_text(row))
        and (arguments.max_cny is None or _costs_at_most(row, arguments.max_cny))
    ]


def _is_enough_text(row: "ModelRow") -> bool:
    """Whether a prompt alone is known to be enough for the model."""
    from geekai_video_mcp.domain import catalogue

    model = catalogue.models().get(row.id)
    return model is not None and model.supports("text")


def _costs_at_most(row: "ModelRow", cny: float) -> bool:
    return row.cost_cny is not None and row.cost_cny <= cny


def _print_table(rows: "Sequence[ModelRow]", live: "Live") -> None:
    """Print a line for each model and its notes; what it takes is a note where there is no room."""
    from geekai_video_mcp.cli.table import display_width, table_rows, wrap_text

    width = terminal_width()
    cells, notes = [*map(_cells, rows)], [[row.note] if row.note else [] for row in rows]
    head, *blocks = table_rows(_HEADINGS, cells, width=NO_TERMINAL_WIDTH)
    if max(display_width(line) for block in (head, *blocks) for line in block) > width:
        notes = [
            [_describe_inputs(each[-1]), *more] for each, more in zip(cells, notes, strict=True)
        ]
        short = [each[:-1] for each in cells]
        head, *blocks = table_rows(_HEADINGS[:-1], short, width=width, wrapped=[_SIZE])
    print_lines(head)
    for block, more in zip(blocks, notes, strict=True):
        texts = wrap_text("; ".join(more), width - len(_INDENT)) if more else []
        print_lines([*block, *(f"{_INDENT}{text}" for text in texts)])
    print_lines(["", *wrap_text(_explain(rows, live), min(width, PROSE_WIDTH))])


def _cells(row: "ModelRow") -> tuple[str, ...]:
    return (
        row.id,
        row.seconds or _UNKNOWN,
        ", ".join(row.resolutions or []) or row.sizes or _UNKNOWN,
        _UNKNOWN if row.sound is None else "yes" if row.sound else "no",
        _price_cell(row),
        _inputs_cell(row),
    )


def _inputs_cell(row: "ModelRow") -> str:
    text = ["text"] if _is_enough_text(row) else []
    return ", ".join([*text, *(row.inputs or [])]) or _UNKNOWN


def _describe_inputs(cell: str) -> str:
    return "what it takes is not known" if cell == _UNKNOWN else f"takes {cell}"


def _price_cell(row: "ModelRow") -> str:
    if row.price is None:
        return _UNKNOWN
    if row.price == 0:
        return "free"
    if row.unit != "second":
        return f"{row.price:g}"
    return f"{row.cost_cny:g}/{row.cost_seconds}s" if row.cost_seconds else f"{row.price:g}/s"


def _explain(rows: "Sequence[ModelRow]", live: "Live") -> str:
    dates = Counter(row.price_date for row in rows if row.price_date)
    listed = f", by GeekAI's list of {max(dates, key=dates.__getitem__)}" if dates else ""
    count = "1 model" if len(rows) == 1 else f"{len(rows)} models"
    if live:
        count += f", {sum(row.id in live for row in rows)} of them in GeekAI's list of today"
    seconds = "as many seconds (/5s)" if any(row.cost_seconds for row in rows) else "a second (/s)"
    return (
        f"{count}. CNY is the price of a video, or of {seconds}{listed}; {_UNKNOWN} is not known."
        " All about one: geekai-video-mcp models NAME"
    )
