"""A host's JSON file keeps every character that is not ours."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geekai_video_mcp.cli.hosts.json_text import (
    NotUsable,
    find_member,
    parse,
    read_with_comments,
    remove_member,
    set_member,
)

PATH = ("mcpServers", "geekai-video")
SERVER = {"command": "/bin/x", "args": ["a"]}

LAYOUTS = [
    "{}",
    "{ }\n",
    '{\n  "mcpServers": {}\n}\n',
    '{"mcpServers":{}}',
    '{"mcpServers": {"a": {"command": "x"}}, "b": 1}',
    '{\n  "mcpServers": {\n    "a": {\n      "command": "x"\n    }\n  },\n  "b": [1,2]\n}\n',
    '{\n    "b": 1,\n    "mcpServers": {\n        "a": {"command": "x"}\n    }\n}',
    '{\n\t"mcpServers": {\n\t\t"a": {\n\t\t\t"command": "x"\n\t\t}\n\t}\n}\n',
    '{\r\n  "mcpServers": {\r\n    "a": {\r\n      "command": "x"\r\n    }\r\n  }\r\n}\r\n',
    '{\n  "mcpServers": { "a": { "command": "C:\\\\x" } },\n  "é": "\\u00e9", "n": 1.0e5\n}\n',
    '{\n  "theme": "暗"\n}\n',
    '\n\n{\n  "a": "}]{[\\"", "mcpServers": {"x": {"y": "\\\\"}}}\n',
]


@pytest.mark.parametrize("text", LAYOUTS)
def test_a_server_is_added_and_nothing_else_changes(text: str) -> None:
    after = set_member(text, PATH, SERVER)
    others = json.loads(text)

    wanted = {**others, "mcpServers": {**others.get("mcpServers", {}), "geekai-video": SERVER}}
    assert json.loads(after) == wanted
    assert list(json.loads(after)) == list(wanted)
    assert set_member(after, PATH, SERVER) == after


@pytest.mark.parametrize("text", LAYOUTS)
def test_the_new_lines_end_and_are_indented_as_the_others(text: str) -> None:
    after = set_member(text, PATH, SERVER)

    assert ("\r\n" in after) == ("\r\n" in text)
    assert after.count("\n") - after.count("\r\n") in {0, after.count("\n")}
    if "\t" in text:
        assert "\n\t\t" in after
        assert "\n " not in after
    if "\n" not in text and text != "{}":
        assert "\n" not in after


@pytest.mark.parametrize("text", [each for each in LAYOUTS if json.loads(each).get("mcpServers")])
def test_removing_it_gives_back_the_text_itself(text: str) -> None:
    assert remove_member(set_member(text, PATH, SERVER), PATH) == text


@pytest.mark.parametrize("text", LAYOUTS)
def test_what_is_not_there_is_removed_without_a_trace(text: str) -> None:
    assert remove_member(text, PATH) == text
    assert find_member(text, PATH) is None


def test_the_first_of_several_servers_is_removed_as_well() -> None:
    text = '{\n  "mcpServers": {\n    "geekai-video": {},\n    "b": {}\n  }\n}\n'

    assert remove_member(text, PATH) == '{\n  "mcpServers": {\n    "b": {}\n  }\n}\n'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(
    others=st.dictionaries(st.text(max_size=5), JSON, max_size=4),
    servers=st.dictionaries(st.text(max_size=5), JSON, max_size=3),
    place=st.integers(0, 4),
    indent=st.sampled_from([None, 0, 1, 2, 4, "\t"]),
    ascii_only=st.booleans(),
)
def test_any_object_keeps_its_members_and_their_order(
    others: dict[str, Any],
    servers: dict[str, Any],
    place: int,
    indent: int | str | None,
    ascii_only: bool,  # noqa: FBT001
) -> None:
    items = [(name, each) for name, each in others.items() if name != "mcpServers"]
    items.insert(min(place, len(items)), ("mcpServers", servers))
    text = json.dumps(dict(items), indent=indent, ensure_ascii=ascii_only)

    after = set_member(text, PATH, SERVER)
    found = json.loads(after)

    assert list(found) == list(dict(items))
    assert found["mcpServers"] == {**servers, "geekai-video": SERVER}
    assert json.loads(remove_member(after, PATH)) == json.loads(text)
    if servers:
        assert remove_member(after, PATH) == text


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("", "it is empty", None),
        (" \n", "it is empty", None),
        ('{\n  "mcpServers": {\n', "it is not JSON", 3),
        ('{\n  "a": 1,\n}', "comments or trailing commas", None),
        ('{\n  // mine\n  "a": 1\n}', "comments or trailing commas", 2),
        ('{\n  "a": /* no */ 1\n}', "comments or trailing commas", 2),
        ("[]", "a list and not an object", None),
        ('"x"', "a text and not an object", None),
        ("null", "null and not an object", None),
        ("3", "a number and not an object", None),
        ("true", "true or false and not an object", None),
        ('{"a": NaN}', "it is not JSON", None),
        ("{" * 100_000, "it is not JSON", None),
        ('{"a":' * 100_000, "it is not JSON", None),
        ('{\n  "mcpServers": []\n}', '"mcpServers" is a list and not an object', 2),
        ('{\n\n  "mcpServers": null\n}', '"mcpServers" is null and not an object', 3),
        ('{\n  "mcpServers": {},\n  "mcpServers": {}\n}', '"mcpServers" is in it twice', 3),
        (
            '{\n  "mcpServers": {\n    "geekai-video": {},\n    "geekai-video": {}\n  }\n}',
            '"geekai-video" is in it twice',
            4,
        ),
    ],
)
def test_a_text_that_cannot_be_changed_is_refused_by_its_line(
    text: str, reason: str, line: int | None
) -> None:
    with pytest.raises(NotUsable) as caught:
        set_member(text, PATH, SERVER)

    assert reason in caught.value.reason
    assert line is None or caught.value.line == line


def test_a_text_with_comments_is_read_as_the_host_reads_it() -> None:
    text = '{\n  // "a"\n  "b": "// no \\" comment", /* c */\n  "d": ["/*", 1,],\n}\n'

    assert read_with_comments(text) == {"b": '// no " comment', "d": ["/*", 1]}
    assert read_with_comments("[1]") is None
    with pytest.raises(NotUsable):
        parse(text)
