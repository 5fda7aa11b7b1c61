"""The base of the tools' arguments: what a caller gave becomes a value, or one refusal. Pure."""

import difflib
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from geekai_video_mcp.errors import NOT_CHARGED, RequestRefused, quote_unless_id
from geekai_video_mcp.server.arguments.fields import MAX_VALUES, iterate_json

MAX_ARGUMENTS: Final = 100
"""Arguments of one call: four times those of the tool that has most."""
MAX_PROBLEMS: Final = 8
"""Wrong arguments that one refusal names: more would only repeat what a caller got wrong."""


class Arguments(BaseModel):
    """Base of the tools' arguments: unknown names are refused, null is absent."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    may_cost: ClassVar[bool] = False
    """Whether the tool may cost money, so that a refusal has to say that it did not."""

    @classmethod
    def parse(
        cls,
        arguments: Mapping[str, Any],
        *,
        service_url: str = "",
        picture_folders: Sequence[str] = (),
    ) -> Self:
        """The arguments as a value. Links to the service itself are accepted whatever its host.

        A refusal of a picture names *picture_folders*, from which files may be read.

        Raises:
            RequestRefused: naming every argument that is wrong, in one line.
        """
        money = NOT_CHARGED if cls.may_cost else None
        if problem := _size_problem(arguments):
            raise RequestRefused(problem, money=money)
        try:
            context = {"service_url": service_url, "picture_folders": picture_folders}
            given = {name: value for name, value in arguments.items() if value is not None}
            return cls.model_validate(given, context=context)
        except ValidationError as refusal:
            messages = [
                _describe_error(each["loc"], each["type"], each["msg"], cls)
                # Without the input: a message never shows the caller's value itself.
                for each in refusal.errors(
                    include_url=False, include_input=False, include_context=False
                )[:MAX_PROBLEMS]
            ]
            more = refusal.error_count() - MAX_PROBLEMS
            omitted = f"; and {more} more problems" if more > 0 else ""
            problem = "; ".join(dict.fromkeys(messages)) + omitted
            raise RequestRefused(problem, money=money) from None


def argument_names(model: type[BaseModel]) -> Sequence[str]:
    """The names of the arguments of *model* as callers write them."""
    return [info.alias or name for name, info in model.model_fields.items()]


def _size_problem(arguments: Mapping[str, Any]) -> str | None:
    """What is wrong with the number of values, which no check of one argument counts."""
    if len(arguments) > MAX_ARGUMENTS:
        return f"{len(arguments):,} arguments were given; the limit is {MAX_ARGUMENTS}"
    for name, value in arguments.items():
        if any(True for _ in islice(iterate_json(value), MAX_VALUES, None)):
            return f"{quote_unless_id(name, limit=64)}: has more than {MAX_VALUES:,} values"
    return None


def _describe_error(
    loc: tuple[int | str, ...], kind: str, pydantic_message: str, model: type[BaseModel]
) -> str:
    where = quote_unless_id(".".join(map(str, loc)), limit=64) if loc else ""
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(where, argument_names(model), n=1)
        hint = (
            f"did you mean {near[0]}?" if near else f"known are {', '.join(argument_names(model))}"
        )
        return f"{where}: no such argument; {hint}"
    if kind == "missing":
        return f"{where} is required"
    message = pydantic_message
    for prefix in ("Value error, ", "Input ", "String "):
        message = message.removeprefix(prefix)
    return f"{where}: {message}" if where else message
