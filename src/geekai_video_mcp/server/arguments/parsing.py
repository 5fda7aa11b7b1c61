"""The base of the tools' arguments: what a caller gave becomes a value, or one refusal. Pure."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, ClassVar, Final, Literal, Self, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from geekai_video_mcp.errors import (
    NOT_CHARGED,
    RequestRefused,
)
from geekai_video_mcp.quoting import quote_unless_id
from geekai_video_mcp.server.arguments.absent import drop_absent
from geekai_video_mcp.server.arguments.json_text import MAX_VALUES, iterate_json
from geekai_video_mcp.server.arguments.refusals import describe_error
from geekai_video_mcp.server.arguments.unknown_names import UnknownNames, check_names

MAX_ARGUMENTS: Final = 100
"""Arguments of one call: four times those of the tool that has most."""
MAX_PROBLEMS: Final = 8
"""Wrong arguments that one refusal names: more would only repeat what a caller got wrong."""
ZERO_IS_ABSENT: Final = frozenset({"duration", "fps", "limit", "page", "seconds", "variation"})
"""Arguments for which zero says that there is none, because a model fills in every argument."""


class Arguments(BaseModel):
    """Base of the tools' arguments: unknown names are refused, what says nothing is absent."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    may_cost: ClassVar[bool] = False
    """Whether the tool may cost money, so that a refusal has to say that it did not."""
    renamed: ClassVar[Mapping[str, str]] = {}
    """Names of earlier versions that are still taken, and today's."""
    taken_earlier: ClassVar[Collection[str]] = ()
    """Names of earlier versions that the class itself translates."""
    notes: ClassVar[tuple[str, ...]] = ()
    """Sentences for the caller about values that were taken differently from how they read. Set
    for each call; no argument, and never sent."""

    @classmethod
    def parse(
        cls,
        arguments: Mapping[str, Any],
        *,
        service_url: str = "",
        picture_folders: Sequence[str] | None = (),
        now: float | None = None,
    ) -> Self:
        """The arguments as a value. Links to the service itself are accepted whatever its host.

        A refusal of a picture names *picture_folders*, from which files may be read; None if the
        caller is on another machine. *now* is the time in Unix seconds by which "today" is
        understood.

        Raises:
            RequestRefused: naming every argument that is wrong, in one line.
        """
        money = NOT_CHARGED if cls.may_cost else None
        if problem := _size_problem(arguments):
            raise RequestRefused(problem, money=money)
        kept = drop_absent(arguments, zero_is_absent=ZERO_IS_ABSENT, own_words=_own_words(cls))
        given = _rename(kept, cls.renamed)
        known = argument_names(cls)
        taken = {*known, *cls.taken_earlier}
        names = check_names(given, known, cls.taken_earlier)
        notes: list[str] = []
        try:
            parsed = cls.model_validate(
                {name: each for name, each in given.items() if name in taken},
                context={
                    "service_url": service_url,
                    "picture_folders": picture_folders,
                    "now": now,
                    "arguments": known,
                    "notes": notes,
                },
            )
        except ValidationError as refusal:
            written = {cls.renamed[name]: name for name in arguments if name in cls.renamed}
            raise RequestRefused(_describe(refusal, names, written), money=money) from None
        if names.problems:
            raise RequestRefused(_join(names.problems), money=money)
        # In the instance's own namespace, where pydantic looks for fields alone: so notes are
        # neither compared nor dumped.
        vars(parsed)["notes"] = tuple(dict.fromkeys(notes))
        return parsed


@cache
def argument_names(model: type[BaseModel]) -> Sequence[str]:
    """The names of the arguments of *model* as callers write them."""
    return [info.alias or name for name, info in model.model_fields.items()]


@cache
def _own_words(model: type[BaseModel]) -> Mapping[str, Collection[str]]:
    """The words of the arguments that take a word from a list: one may be "none"."""
    return {
        info.alias or name: frozenset(_literal_words(info.annotation))
        for name, info in model.model_fields.items()
    }


def _literal_words(annotation: object) -> list[str]:
    if get_origin(annotation) is Literal:
        return [word for word in get_args(annotation) if isinstance(word, str)]
    return [word for part in get_args(annotation) for word in _literal_words(part)]


def _rename(given: Mapping[str, object], renamed: Mapping[str, str]) -> dict[str, object]:
    """*given* under today's names; a value that has today's name already is kept."""
    today = {name: value for name, value in given.items() if name not in renamed}
    earlier = {renamed[name]: value for name, value in given.items() if name in renamed}
    return {**earlier, **today}


def _size_problem(arguments: Mapping[str, Any]) -> str | None:
    """What is wrong with the number of values, which no check of one argument counts."""
    if len(arguments) > MAX_ARGUMENTS:
        return f"{len(arguments):,} arguments were given; the limit is {MAX_ARGUMENTS}"
    for name, value in arguments.items():
        if any(True for _ in islice(iterate_json(value), MAX_VALUES, None)):
            return f"{quote_unless_id(name, limit=64)}: has more than {MAX_VALUES:,} values"
    return None


def _describe(refusal: ValidationError, names: UnknownNames, written: Mapping[str, str]) -> str:
    """Every problem in one line, first those with names; *written* has the caller's own names."""
    # Without the input: a message never shows the caller's value itself.
    errors = refusal.errors(include_url=False, include_input=False)
    described = [
        describe_error(
            tuple(written.get(str(part), part) for part in each["loc"]),
            each["type"],
            cast("Mapping[str, Any]", each.get("ctx", {})),
        )
        for each in errors
        if not (each["type"] == "missing" and each["loc"][0] in names.meant)
    ]
    return _join([*names.problems, *described])


def _join(problems: Sequence[str]) -> str:
    unique = list(dict.fromkeys(problems))
    more = len(unique) - MAX_PROBLEMS
    omitted = [f"and {more} more problems"] if more > 0 else []
    return "; ".join([*unique[:MAX_PROBLEMS], *omitted])
