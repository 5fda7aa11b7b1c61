"""The facts about GeekAI's models: `models.toml`, read into values. Pure.

Every fact has a mark, its sources and the day they were read. A fact that is not in the
file is not known, and is never guessed.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final, Literal, cast

Provenance = Literal["documented", "observed", "upstream", "inferred"]
Certainty = Literal["geekai", "maker", "doubt"]
"""Who says it: GeekAI's documents, the maker's, or nobody who has to know."""
PriceUnit = Literal["video", "second", "image"]
_UNITS: Final[Mapping[str, tuple[PriceUnit, ...]]] = {
    "video": ("video", "second"),
    "image": ("image",),
}
"""The units of the prices of each kind of model."""
UNKNOWN: Final = "?"
MODEL_PLACEHOLDER: Final = "{model}"
"""What stands for the model's id in the text of a rule."""
_SPAN: Final = re.compile(r"(\d+)-(\d+)")
FACT_BY_FIELD: Final[Mapping[str, str]] = {
    "image": "first_frame",
    "image_tail": "last_frame",
    "images": "references",
    "video": "video",
    "audio": "audio",
    "with_audio": "sound",
    "size": "sizes",
    "resolution": "resolutions",
    "aspect_ratio": "ratios",
    "quality": "quality",
    "duration": "seconds",
    "fps": "fps",
    "negative_prompt": "negative_prompt",
    "watermark": "watermark",
}
"""For each field of the request: the fact that says what a model supports there."""
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
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """The settings that it is about, by field; empty if it is about all."""

    @property
    def certainty(self) -> Certainty:
        """How sure it is; a mark that differs from its source's makes it less sure, never more."""
        return "doubt" if self.provenance == "inferred" else _certainty_of(self.sources)


def _certainty_of(sources: Sequence[Source]) -> Certainty:
    marks = {source.mark for source in sources}
    if "documented" in marks:
        return "geekai"
    return "maker" if "upstream" in marks else "doubt"


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model of GeekAI's; what `facts` does not hold is not known."""

    id: str
    group: str
    maker: str = ""
    names: tuple[str, ...] = ()
    """Other names under which people look for it."""
    facts: Mapping[str, Fact] = field(default_factory=dict[str, Fact])

    def value(self, name: str) -> Any:  # noqa: ANN401 - a fact is of its own kind
        """The value of a fact; None if it is not known."""
        fact = self.facts.get(name)
        return None if fact is None else fact.value

    def supports(self, name: str) -> bool:
        """Whether the model is known to support it; an unknown fact counts as no."""
        return self.value(name) not in (None, False)

    @property
    def max_seconds(self) -> int:
        """Seconds of its longest video; 0 if that is not known."""
        return max(map(int, listed_values(self.value("seconds")) or [0]))

    @property
    def refused_fields(self) -> tuple[str, ...]:
        """Fields that GeekAI's own page says it does not support."""
        return tuple(self.value("refuses") or ())


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a model costs by GeekAI's own list; an older or cheaper channel may differ."""

    cny: float
    per: PriceUnit
    source: str
    read_on: date
    note: str = ""
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """The settings that it is listed for, by field; `costs` works out what a request costs."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Fields that may not be combined; `models.toml` says how the conditions are read."""

    models: tuple[str, ...]
    say: str
    remedy: str
    sources: tuple[Source, ...]
    informs: bool
    """Whether it is only to be known, because no wish is ignored."""
    with_: tuple[str, ...]
    without: tuple[str, ...]
    when: Mapping[str, tuple[str, ...]]
    unless: Mapping[str, tuple[str, ...]]
    seconds: int | None = None
    """How long such a video is, whatever duration the request gives."""

    def sentence_for(self, model: str) -> str:
        """The rule as a sentence about *model*, with the way out."""
        return "; ".join(filter(None, (self.problem_for(model), self.remedy)))

    def problem_for(self, model: str) -> str:
        """The same without the way out."""
        # By replacement, never by format: an id from outside is data.
        return self.say.replace(MODEL_PLACEHOLDER, model)

    @property
    def certainty(self) -> Certainty:
        """How sure it is."""
        return "doubt" if self.informs else _certainty_of(self.sources)

    @property
    def conditional(self) -> bool:
        """Whether it depends on what a request holds."""
        return bool(self.with_ or self.without or self.when or self.unless)

    def applies_to(self, model: str) -> bool:
        """Whether the rule is about this model."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)


@cache
def models() -> Mapping[str, Model]:
    """Every model that is described here, by id, in the order of the file."""
    data, by_key = _read_models_file(), sources()
    families = {name: _read_family(data["families"], name, by_key) for name in data["families"]}
    by_id: dict[str, Model] = {}
    for name, table in data["models"].items():
        group, inherited = families[table["family"]] if "family" in table else ("", {})
        facts = {**inherited, **_read_facts(table, by_key, besides=_OF_A_MODEL)}
        group = table.get("group", group)
        naming = data["groups"].get(group, {})
        by_id[name] = Model(
            id=name,
            group=group,
            maker=naming.get("maker", ""),
            names=tuple(naming.get("names", ())),
            facts={key: fact for key, fact in facts.items() if fact.value != UNKNOWN},
        )
    return by_id


@dataclass(frozen=True, kw_only=True)
class NameWords:
    """The words of models' names, as `models.toml` explains them."""

    filler: frozenset[str]
    makers: frozenset[str]
    beside_a_version: frozenset[str]
    optional: frozenset[str]
    same: Mapping[str, str]
    made_for: Mapping[str, tuple[str, ...]]


@cache
def name_words() -> NameWords:
    """How people write the names of models."""
    table = _read_models_file()["words"]
    return NameWords(
        filler=frozenset(table["filler"]),
        makers=frozenset(table["makers"]),
        beside_a_version=frozenset(table["beside_a_version"]),
        optional=frozenset(table["optional"]),
        same=table["same"],
        made_for={given: tuple(modes) for given, modes in table["made_for"].items()},
    )


@cache
def image_models() -> Mapping[str, Model]:
    """The models of pictures of which anything is known, by id: their prices alone."""
    return {
        name: Model(id=name, group="", facts=_read_facts(table, sources(), besides=_OF_A_MODEL))
        for name, table in _read_models_file()["images"].items()
    }


@cache
def first_in_lists() -> tuple[str, ...]:
    """The ids that a list shows first, most useful first."""
    return tuple(_read_models_file()["list"]["first"])


@cache
def extra_body_values() -> Mapping[str, Fact]:
    """What each member of `extra_body` takes, by its name; the others' values are not known."""
    tables = _read_models_file()["extra_body"].items()
    return {name: _read_fact(table, sources(), default_source="I") for name, table in tables}


@cache
def sources() -> Mapping[str, Source]:
    """Every source, by its key in the file."""
    return {key: Source(**entry) for key, entry in _read_models_file()["sources"].items()}


@cache
def rules() -> tuple[Rule, ...]:
    """The rules between fields, in the order of the file."""
    return tuple(_read_rule(entry) for entry in _read_models_file()["rules"])


@lru_cache(maxsize=128)
def rules_of(model: str) -> tuple[Rule, ...]:
    """The rules about this model, in the order of the file, which does not change."""
    return tuple(rule for rule in rules() if rule.applies_to(model))


@cache
def defaults() -> Mapping[str, object]:
    """The value of a field that is not sent, by GeekAI's reference page."""
    return {
        name: value for name, value in _read_models_file()["defaults"].items() if name != "from"
    }


def price(model: str, *, media: str = "video") -> Price | None:
    """The model's listed price; None if none is known. *media*: what the model makes."""
    described = (models() if media == "video" else image_models()).get(model)
    for per in _UNITS[media]:
        fact = described.facts.get(f"cny_per_{per}") if described else None
        if fact is not None:
            source = fact.sources[0]
            return Price(
                cny=float(fact.value),
                per=per,
                source=source.title,
                read_on=source.read_on,
                note=fact.note,
                when=fact.when,
            )
    return None


def _read_family(
    families: Mapping[str, Mapping[str, Any]], name: str, by_key: Mapping[str, Source]
) -> tuple[str, dict[str, Fact]]:
    table = families[name]
    group, facts = _read_family(families, table["like"], by_key) if "like" in table else ("", {})
    return table.get("group", group), {**facts, **_read_facts(table, by_key, besides=_OF_A_FAMILY)}


def _read_facts(
    table: Mapping[str, Any], by_key: Mapping[str, Source], *, besides: frozenset[str]
) -> dict[str, Fact]:
    return {
        name: _read_fact(cell, by_key, default_source=table.get("from", "I"))
        for name, cell in table.items()
        if name not in besides
    }


def _read_fact(cell: object, by_key: Mapping[str, Source], *, default_source: str) -> Fact:
    has_details = isinstance(cell, dict) and "is" in cell
    entry = cast("Mapping[str, Any]", cell if has_details else {"is": cell})
    read_from = tuple(by_key[key] for key in str(entry.get("from", default_source)).split())
    return Fact(
        value=entry["is"],
        provenance=entry.get("mark", read_from[0].mark),
        sources=read_from,
        note=entry.get("note", ""),
        when=_normalize_conditions(entry.get("when", {})),
    )


def _read_rule(entry: Mapping[str, Any]) -> Rule:
    return Rule(
        models=tuple(entry["models"]),
        say=entry["say"],
        remedy=entry.get("remedy", ""),
        sources=tuple(sources()[key] for key in str(entry["from"]).split()),
        informs=entry.get("informs", False),
        with_=tuple(entry.get("with", ())),
        without=tuple(entry.get("without", ())),
        when=_normalize_conditions(entry.get("when", {})),
        unless=_normalize_conditions(entry.get("unless", {})),
        seconds=entry.get("seconds"),
    )


def _normalize_conditions(conditions: Mapping[str, list[object]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(map(normalize_value, values)) for name, values in conditions.items()}


def listed_values(value: object) -> list[Any] | None:
    """The values that a fact lists; None if it lists none that a request could be compared with."""
    if isinstance(value, list):
        return cast("list[Any]", value)
    if isinstance(value, str) and (span := _SPAN.fullmatch(value)):
        return list(range(int(span[1]), int(span[2]) + 1))
    return None


def normalize_value(value: object) -> str:
    """A value in the form that is compared: 1080P is 1080p, and 1280*720 is 1280x720."""
    return str(value).casefold().replace(" ", "").replace("*", "x").replace("×", "x")


@cache
def _read_models_file() -> dict[str, Any]:
    path = files("geekai_video_mcp").joinpath("domain", "catalogue", "models.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))
