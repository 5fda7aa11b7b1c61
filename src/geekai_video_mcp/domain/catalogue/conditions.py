"""Whether the conditions of a rule in `models.toml` hold for a request. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from geekai_video_mcp.domain.catalogue.facts import Rule, normalize_value

_MORE_THAN: Final = re.compile(r"(\w+)>(\d+)")


def rule_applies(rule: Rule, request: Mapping[str, Any]) -> bool:
    """Whether the rule, which is about its model, says something of this request."""
    if rule.seconds is not None and request.get("duration") in {None, rule.seconds}:
        return False
    return conditions_hold(rule, request)


def conditions_hold(rule: Rule, request: Mapping[str, Any]) -> bool:
    """Whether the request holds the fields that the rule, which is about its model, names."""
    return (
        all(any(is_given(request, one) for one in each.split("|")) for each in rule.with_)
        and not any(is_given(request, one) for one in rule.without)
        and all(
            normalize_value(value_at(request, name)) in among for name, among in rule.when.items()
        )
        and not any(
            normalize_value(value_at(request, name)) in among for name, among in rule.unless.items()
        )
    )


def is_given(request: Mapping[str, Any], entry: str) -> bool:
    """Whether *request* gives *entry*, which is written as in the rules of `models.toml`."""
    if counted := _MORE_THAN.fullmatch(entry):
        return _count_items(request, counted[1]) > int(counted[2])
    if entry.endswith("[]"):
        return isinstance(request.get(entry.removesuffix("[]")), list)
    return bool(value_at(request, entry))


def _count_items(request: Mapping[str, Any], path: str) -> int:
    if path == "media":
        return sum(_count_items(request, name) for name in ("images", "video", "audio"))
    value = value_at(request, path)
    return len(cast("list[object]", value)) if isinstance(value, list) else int(bool(value))


def value_at(request: Mapping[str, Any], path: str) -> object:
    """The value at *path*, such as `extra_body.seed`; None if there is none."""
    value: object = request
    for key in path.split("."):
        value = cast("Mapping[str, object]", value).get(key) if isinstance(value, Mapping) else None
    return value
