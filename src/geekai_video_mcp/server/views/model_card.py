"""All that is known about one model, as a tool result. Pure.

A card says each fact once, under the kind of source that it comes from; the sources themselves
and the days on which they were read are in `models.toml`.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.domain.catalogue import Fact, LiveModel, Model
from geekai_video_mcp.domain.catalogue.facts import Provenance, Rule
from geekai_video_mcp.errors import RequestRefused
from geekai_video_mcp.server.views.model_list import ModelList

KIND_OF_SOURCE: Final[Mapping[Provenance, tuple[str, str]]] = {
    "documented": ("documented", "Documented by GeekAI"),
    "observed": ("observed", "Observed at GeekAI"),
    "upstream": ("makers", "Documented by its maker, of which GeekAI may offer less"),
    "inferred": ("inferred", "Inferred, not documented"),
}
"""For each mark: the member of a card, and the words of its text."""
_FIELD_BY_FACT: Final = {fact: field for field, fact in catalogue.FACT_BY_FIELD.items()}
_NAME_BY_FACT: Final = {
    "text": "prompt_alone",
    "default_seconds": "duration_if_not_given",
    "default_resolution": "resolution_if_not_given",
    "prompt_limit": "prompt_characters",
    "image": "pictures",
    "life": "result_link_lasts",
    "time": "usual_time",
    "does": "always",
}
"""What a fact is called that is about no argument."""
_COUNTED: Final = frozenset({"references", "audio"})
"""Facts whose number is the most that a model takes."""
_SHOWN_ELSEWHERE: Final = frozenset(
    {
        *("refuses", "instead", "cny_per_video", "cny_per_second"),
        *("frames_as_list", "quality_of_resolution", "prompt_cut"),
    }
)
_SOURCE_KEY: Final = re.compile(r" \([A-Z]\d*\)")
"""The key of a source in a note, which says nothing outside of `models.toml`."""
SANDBOX_TAKES: Final = (
    "image, image_tail, with_audio, size, resolution, aspect_ratio and duration up to 60"
)
NOTHING_KNOWN: Final = "Nothing else is known of it here, so what it is given is not checked."


def model_details(name: str, live: Mapping[str, LiveModel] | None) -> tuple[ModelList, str]:
    """All known facts about one model, as structured content and as text.

    Raises:
        RequestRefused: neither the catalogue nor the live list contains the model.
    """
    if name == catalogue.SANDBOX_MODEL:
        step = "Call generate_video with it, or set GEEKAI_API_KEY for GeekAI's models."
        card: dict[str, Any] = {"id": name, "price": 0.0, "takes": SANDBOX_TAKES}
        text = f"{name}: renders a preview on this computer, free. It takes {SANDBOX_TAKES}. {step}"
        return ModelList(card=card, next_step=step, live=bool(live)), text
    model = _find_model(name, live)
    card = _card(model, live)
    step = f'Call generate_video with model "{model.id}"; dry_run true shows what would be sent.'
    return ModelList(card=card, next_step=step, live=bool(live)), f"{_card_text(card)}\n{step}"


def _find_model(name: str, live: Mapping[str, LiveModel] | None) -> Model:
    """The model that the name means, as a request would; else the only one that has its words."""
    described, listed = catalogue.models(), live or {}
    if name not in listed:
        for among in (described, listed):
            if known := catalogue.resolve_model(name, None, among=among):
                name = known
                break
    if name in described or name in listed:
        return described.get(name) or Model(id=name, group="")
    words = catalogue.words_of(name)
    meant = [one for one in described.values() if words and catalogue.matches_words(one, words)]
    if len(meant) == 1:
        return meant[0]
    among = [one.id for one in meant] if len(meant) >= catalogue.MAX_SUGGESTIONS else listed
    msg = catalogue.unknown_model_message(name, among)
    raise RequestRefused(msg, code="unknown_model", money=None)


def _card(model: Model, live: Mapping[str, LiveModel] | None) -> dict[str, Any]:
    price, needed = catalogue.price(model.id), catalogue.needs_text(model)
    standing = catalogue.standing(model, live)
    card: dict[str, Any] = {"id": model.id}
    if model.maker:
        card["maker"] = model.maker
    if standing:
        card["standing"] = standing
    if needed:
        card["needs"] = needed
    if price is None:
        card["price_note"] = "unknown"
    else:
        note = model.facts[f"cny_per_{price.per}"].note
        card |= {"price": price.cny, "unit": price.per, "price_date": price.read_on.isoformat()}
        card |= {"price_note": note} if note else {}
    for provenance, (member, _) in KIND_OF_SOURCE.items():
        facts = _facts_of(model, provenance, standing)
        if facts:
            card[member] = facts
    if not any(member in card for member, _ in KIND_OF_SOURCE.values()):
        card["nothing_known"] = NOTHING_KNOWN
    if model.refused_fields:
        ways: Mapping[str, str] = model.value("instead") or {}
        card["refused"] = {name: ways.get(name, "leave it out") for name in model.refused_fields}
    # A rule without a condition says of the model what `standing` and its facts say already.
    about = [rule for rule in catalogue.rules() if rule.conditional and _concerns(rule, model)]
    if about:
        sentences = (rule.sentence_for(model.id) for rule in about)
        card["rules"] = list(dict.fromkeys(sentences))
    return card


def _concerns(rule: Rule, model: Model) -> bool:
    """Whether the rule is about the model, and about nothing that the model has not."""
    extras = {f"extra_body.{name}" for name in model.value("extras") or ()}
    return rule.applies_to(model.id) and all(
        any(not one.startswith("extra_body.") or one in extras for one in each.split("|"))
        for each in rule.with_
    )


def _facts_of(model: Model, provenance: Provenance, standing: str | None) -> dict[str, Any]:
    """The facts that come from such a source, by argument or by what they are about."""
    facts: dict[str, Any] = {}
    always: Mapping[str, object] = model.value("does") or {}
    omitted = _SHOWN_ELSEWHERE | ({"gone"} if standing else frozenset[str]())
    for fact_name, fact in model.facts.items():
        if fact.provenance != provenance or fact_name in omitted:
            continue
        field = _FIELD_BY_FACT.get(fact_name)
        if field in model.refused_fields:
            # Among what is refused already, unless the model has another way to it.
            if fact.value is not False and field not in always:
                facts[fact_name] = _shown(fact)
        elif fact_name == "extras":
            facts["extra_body"] = {name: _extra_text(name) for name in fact.value}
        elif fact_name in _COUNTED and isinstance(fact.value, int) and fact.value is not True:
            facts[field or fact_name] = f"up to {_shown(fact)}" if fact.value else False
        elif not (fact_name == "text" and catalogue.needs(model)):
            facts[field or _NAME_BY_FACT.get(fact_name, fact_name)] = _shown(fact)
    return facts


def _extra_text(name: str) -> str:
    fact = catalogue.extra_body_values().get(name)
    return str(fact.value) if fact else "its values are not known"


def _shown(fact: Fact) -> object:
    """The value, with its note in brackets if it has one."""
    note = _SOURCE_KEY.sub("", fact.note)
    return f"{value_text(fact.value)} ({note})" if note else fact.value


def value_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, cast("list[object]", value)))
    if isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value).items()
        return "; ".join(f"{name}: {value_text(member)}" for name, member in members)
    return str(value)


def _card_text(card: Mapping[str, Any]) -> str:
    """The card in lines, with the same facts."""
    standing = f" Status: {card['standing']}." if "standing" in card else ""
    needed = f" It needs {card['needs']}." if "needs" in card else ""
    made = f", made by {card['maker']}" if "maker" in card else ""
    lines = [f"{card['id']}{made}.{standing}{needed} {price_text(card)}"]
    for member, words in KIND_OF_SOURCE.values():
        if member in card:
            lines.append(f"{words}: {value_text(card[member])}.")
    if "nothing_known" in card:
        lines.append(card["nothing_known"])
    if "refused" in card:
        refused = "; ".join(f"{name}: {way}" for name, way in card["refused"].items())
        lines.append(f"Refused before sending, documented by GeekAI: {refused}.")
    return "\n".join([*lines, *(f"Rule: {rule}." for rule in card.get("rules", ()))])


def price_text(card: Mapping[str, Any]) -> str:
    if "price" not in card:
        return "Its price is unknown."
    note = f", {card['price_note']}" if "price_note" in card else ""
    amount = f"{card['price']:g} CNY per {card['unit']}" if card["price"] else "free"
    return f"Price: {amount}{note}, as observed at GeekAI on {card['price_date']}."
