"""What is known of GeekAI's models: `models.toml`, read into values. Pure.

Every fact has a mark, its sources and the day they were read. A fact that is not in the
file is not known, and is never made up.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, cast

Provenance = Literal["documented", "observed", "upstream", "inferred"]
UNKNOWN: Final = "?"
_SPAN: Final = re.compile(r"(\d+)-(\d+)")
_OF_A_MODEL: Final = frozenset({"family", "from", "group"})
_OF_A_FAMILY: Final = frozenset({"like", "from", "group"})


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a fact was read, and when."""

    title: str
    mark: Provenance
    read_on: date

    def __str__(self) -> str:
        return f"{self.title}, read {self.read_on.isoformat()}"


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One cell of the table."""

    value: Any
    provenance: Provenance
    sources: tuple[Source, ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model of GeekAI's; what `facts` does not hold is not known."""

    id: str
    group: str
    facts: Mapping[str, Fact] = field(default_factory=dict[str, Fact])

    def value(self, name: str) -> Any:  # noqa: ANN401 - a fact is of its own kind
        """The value of a fact; None if it is not known."""
        fact = self.facts.get(name)
        return None if fact is None else fact.value

    def supports(self, name: str) -> bool:
        """Whether it is known to; what is not known is no."""
        return self.value(name) not in (None, False)

    @property
    def max_seconds(self) -> int:
        """Seconds of its longest video; 0 if that is not known."""
        return max(map(int, listed_values(self.value("seconds")) or [0]))

    @property
    def refused_fields(self) -> tuple[str, ...]:
        """Fields that GeekAI's own page says it does not take."""
        return tuple(self.value("refuses") or ())


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a model costs by GeekAI's own list; an older or cheaper channel may differ."""

    cny: float
    per: Literal["video", "second"]
    source: str
    read_on: date

    def total_for(self, *, seconds: int | None) -> float | None:
        """CNY for one video; None if it depends on a length that nobody has said."""
        if self.per == "video" or self.cny == 0:
            return self.cny
        return None if seconds is None else round(self.cny * seconds, 3)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What fields may not come together; `models.toml` says how its conditions are read."""

    models: tuple[str, ...]
    say: str
    source: Source
    refuse: bool
    with_: tuple[str, ...]
    without: tuple[str, ...]
    when: Mapping[str, tuple[str, ...]]
    unless: Mapping[str, tuple[str, ...]]

    def message_for(self, model: str) -> str:
        """The rule in a sentence about *model*."""
        return f"{self.say.format(model=model)} ({self.source})"

    def applies_to(self, model: str) -> bool:
        """Whether it is a rule of this model."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)


@cache
def models() -> Mapping[str, Model]:
    """Every model that is described here, by id, in the order of the file."""
    packaged, known = _read_packaged(), sources()
    families = {
        name: _read_family(packaged["families"], name, known) for name in packaged["families"]
    }
    made: dict[str, Model] = {}
    for name, table in packaged["models"].items():
        group, inherited = families[table["family"]] if "family" in table else ("", {})
        facts = {**inherited, **_read_facts(table, known, besides=_OF_A_MODEL)}
        made[name] = Model(id=name, group=table.get("group", group), facts=_drop_unknown(facts))
    return made


@cache
def sources() -> Mapping[str, Source]:
    """Every source, by its key in the file."""
    return {key: Source(**entry) for key, entry in _read_packaged()["sources"].items()}


@cache
def rules() -> tuple[Rule, ...]:
    """What holds between fields, in the order of the file."""
    return tuple(_read_rule(entry) for entry in _read_packaged()["rules"])


@cache
def defaults() -> Mapping[str, object]:
    """What a field is if it is not sent, by GeekAI's reference page."""
    return {name: value for name, value in _read_packaged()["defaults"].items() if name != "from"}


def price(model: str) -> Price | None:
    """The model's listed price; None if none is known."""
    known = models().get(model)
    for per in ("video", "second"):
        fact = known.facts.get(f"cny_per_{per}") if known else None
        if fact is not None:
            source = fact.sources[0]
            cny = float(fact.value)
            return Price(cny=cny, per=per, source=source.title, read_on=source.read_on)
    return None


def _read_family(
    families: Mapping[str, Mapping[str, Any]], name: str, known: Mapping[str, Source]
) -> tuple[str, dict[str, Fact]]:
    table = families[name]
    group, facts = _read_family(families, table["like"], known) if "like" in table else ("", {})
    return table.get("group", group), {**facts, **_read_facts(table, known, besides=_OF_A_FAMILY)}


def _read_facts(
    table: Mapping[str, Any], known: Mapping[str, Source], *, besides: frozenset[str]
) -> dict[str, Fact]:
    return {
        name: _read_fact(cell, known, by=table.get("from", "I"))
        for name, cell in table.items()
        if name not in besides
    }


def _read_fact(cell: Any, known: Mapping[str, Source], *, by: str) -> Fact:  # noqa: ANN401 - a cell is of any kind
    told = cast("Mapping[str, Any]", cell if _is_table(cell) else {"is": cell})
    found = tuple(known[key] for key in str(told.get("from", by)).split())
    return Fact(
        value=told["is"],
        provenance=told.get("mark", found[0].mark),
        sources=found,
        note=told.get("note", ""),
    )


def _is_table(cell: object) -> bool:
    return isinstance(cell, dict) and "is" in cell


def _drop_unknown(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    return {name: fact for name, fact in facts.items() if fact.value != UNKNOWN}


def _read_rule(entry: Mapping[str, Any]) -> Rule:
    return Rule(
        models=tuple(entry["models"]),
        say=entry["say"],
        source=sources()[str(entry["from"]).split()[0]],
        refuse=entry.get("refuse", False),
        with_=tuple(entry.get("with", ())),
        without=tuple(entry.get("without", ())),
        when=_normalize_conditions(entry.get("when", {})),
        unless=_normalize_conditions(entry.get("unless", {})),
    )


def _normalize_conditions(conditions: Mapping[str, list[object]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(map(normalize_value, values)) for name, values in conditions.items()}


def listed_values(known: object) -> list[Any] | None:
    """The values that a fact lists; None if there is no list to hold a value against."""
    if isinstance(known, list):
        return cast("list[Any]", known)
    if isinstance(known, str) and (span := _SPAN.fullmatch(known)):
        return list(range(int(span[1]), int(span[2]) + 1))
    return None


def normalize_value(value: object) -> str:
    """A value as it is compared: 1080P is 1080p, and 1280*720 is 1280x720."""
    return str(value).casefold().replace(" ", "").replace("*", "x").replace("×", "x")


@cache
def _read_packaged() -> dict[str, Any]:
    packaged = files("geekai_video_mcp").joinpath("catalogue", "models.toml")
    return tomllib.loads(packaged.read_text(encoding="utf-8"))
