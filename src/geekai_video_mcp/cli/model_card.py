"""All that is known of one model, for people, with where and when it was read. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from geekai_video_mcp.cli.table import key_value_lines, wrap_text
from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.domain.catalogue.facts import Source
from geekai_video_mcp.server.views.model_card import KIND_OF_SOURCE, price_text, value_text

_INDENT: Final = "  "


def sources_of(name: str) -> list[Source]:
    """The sources of all facts about the model, each once; none for the sandbox's own model."""
    model = catalogue.models().get(name)
    facts = model.facts.values() if model else ()
    return list(dict.fromkeys(source for fact in facts for source in fact.sources))


def card_lines(card: Mapping[str, Any], sources: Sequence[Source], *, width: int) -> list[str]:
    """The card in lines of at most *width* cells."""
    lines = [line for sentence in _sentences(card) for line in wrap_text(sentence, width)]
    for member, title in KIND_OF_SOURCE.values():
        if member in card:
            lines += _section(title, card[member], width)
    if "refused" in card:
        title = "Refused before sending, documented by GeekAI, and what to do instead"
        lines += _section(title, card["refused"], width)
    lines += _list("Rules", card.get("rules", ()), width)
    return lines + _list("Sources", [str(source) for source in sources], width)


def _sentences(card: Mapping[str, Any]) -> Iterator[str]:
    maker = f", made by {card['maker']}" if "maker" in card else ""
    yield f"{card['id']}{maker}"
    if "takes" in card:
        yield f"It renders previews on this computer, free. It takes {card['takes']}."
        return
    yield price_text(card)
    if "standing" in card:
        yield f"Status: {card['standing']}."
    if "needs" in card:
        yield f"It needs {card['needs']}."
    if "nothing_known" in card:
        yield card["nothing_known"]


def _section(title: str, facts: object, width: int) -> list[str]:
    values = cast("Mapping[str, object]", facts).items()
    pairs = [(name, value_text(value)) for name, value in values]
    return ["", *wrap_text(title, width), *key_value_lines(pairs, width=width)]


def _list(title: str, sentences: Sequence[str], width: int) -> list[str]:
    if not sentences:
        return []
    lines = ["", title]
    for sentence in sentences:
        first, *rest = wrap_text(sentence, width - 2 * len(_INDENT))
        lines += [f"{_INDENT}- {first}", *(f"{_INDENT}  {more}" for more in rest)]
    return lines
