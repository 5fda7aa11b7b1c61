"""The parts and the sound of a film, in every form in which callers write them."""

from typing import Any

import pytest

from geekai_video_mcp.errors import RequestRefused
from geekai_video_mcp.server.arguments import JoinVideos

A, B = "2eb52cc9", "9f03aa17"


def parts(value: Any) -> list[str]:  # noqa: ANN401 - whatever a caller gives
    return [str(part) for part in JoinVideos.parse({"parts": value}).parts]


def refusal(**arguments: Any) -> str:  # noqa: ANN401 - whatever a caller gives
    with pytest.raises(RequestRefused) as refused:
        JoinVideos.parse(arguments)
    assert "charged" not in refused.value.message
    return refused.value.message


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ([A, B], [A, B]),
        ([f"{A}@1-4.5"], [f"{A}@1-4.5"]),
        ([f"{A}@1-"], [f"{A}@1-"]),
        ([f"{A}@-4.5"], [f"{A}@-4.5"]),
        ([f"{A}@-", f"{B}@0-"], [A, B]),
        ([f"{A}@start-end"], [A]),
        ([f"task:{A}@1.5s-4s"], [f"{A}@1.5-4"]),
        ([f"{A}@0:01-0:04.5"], [f"{A}@1-4.5"]),
        ([f"{A} @ 1 - 4.5"], [f"{A}@1-4.5"]),
        ([f"{A}@1–4", f"{B}@1 to 4", f"{A}@1..4"], [f"{A}@1-4", f"{B}@1-4", f"{A}@1-4"]),
        ([f'"{A}@1-4"', f"`{B}`", f"#{A}"], [f"{A}@1-4", B, A]),
        (f"{A}, {B}@1-4.5", [A, f"{B}@1-4.5"]),
        (f"{A}@1- {B}", [f"{A}@1-", B]),
        (f"{A} then {B} and {A}", [A, B, A]),
        (f"{A}→{B}、{A}", [A, B, A]),
        (f'["{A}", "{B}@1-2"]', [A, f"{B}@1-2"]),
        (f"['{A}', '{B}']", [A, B]),
        ([[A], [B]], [A, B]),
        ({"parts": [A, B]}, [A, B]),
        ([{"task": A, "from": 1, "to": 4.5}, {"task": B}], [f"{A}@1-4.5", B]),
        ([{"task_id": A, "start": "1.5s", "end": None}], [f"{A}@1.5-"]),
        (f'[{{"task": "{A}", "to": "0:03"}}]', [f"{A}@-3"]),
        ([f"video://tasks/{A}/video", f"task: {B}"], [A, B]),
        ([f"/home/u/Videos/a fox-{A}.mp4@1-2"], [f"{A}@1-2"]),
        ([f"a-fox-{A}.mp4"], [A]),
        ([A, A], [A, A]),
        ([A, "", None], [A]),
        (["be386e16-91bc-4694-b5b8-23a555db33b2"], ["be386e16-91bc-4694-b5b8-23a555db33b2"]),
    ],
)
def test_parts_are_read_as_they_are_meant(value: object, read: list[str]) -> None:
    assert parts(value) == read


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "parts is required"),
        ([f"{A}@4-1"], "nothing is left: it ends at 1 s and begins at 4 s"),
        ([f"{A}@2-2"], "nothing is left"),
        ([f"{A}@2.5"], "@2.5- cuts off what is before it, and @-2.5 what is after it"),
        ([f"{A}@fast"], "whose seconds cannot be read; each is ID, or ID@1-4.5"),
        ([f"{A}@-1-4"], "whose seconds cannot be read"),
        ([f"{A}@1-4@2"], "whose seconds cannot be read"),
        (["@1-4"], "names no task"),
        (["https://x.test/a.mp4"], "holds a link, and only tasks can be joined"),
        (["/home/u/a.mp4"], "holds the path of a file, and only tasks can be joined"),
        ([{"task": A, "speed": 2}], "has an object with speed; its members are task, from and to"),
        ([{"task": A, "from": 10**400}], "whose seconds cannot be read"),
        ([{"task": A, "to": -(10**400)}], "whose seconds cannot be read"),
        ([{"from": 1}], "has an object without one task"),
        ([True], "must hold task ids as text"),
        ([A] * 61, "has 61 parts; at most 60 are taken"),
    ],
)
def test_parts_that_cannot_be_read_say_how_to_write_them(value: object, said: str) -> None:
    message = refusal(parts=value)

    assert said in message
    assert message.startswith("parts")


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("/music/a song.mp3", "/music/a song.mp3"),
        ("~/a.wav", "~/a.wav"),
        ("file:///music/a.mp3", "file:///music/a.mp3"),
        (f"task:{A}", f"task:{A}"),
        (A, f"task:{A}"),
        ([f"task:{A}"], f"task:{A}"),
        ({"path": "/music/a.mp3"}, "/music/a.mp3"),
        ("null", None),
        ([], None),
    ],
)
def test_the_sound_is_a_path_or_a_task(value: object, read: str | None) -> None:
    assert JoinVideos.parse({"parts": [A], "audio": value}).audio == read


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("https://x.test/a.mp3", "a link cannot be given here: download the sound"),
        ("data:audio/mp3;base64,AAAA", "a data URI cannot be given here"),
        ("song.mp3", "neither a path nor a task"),
        (f"task:{A}@1-4", "the sound cannot be cut here"),
        ("task:", "that names no task"),
        (True, "must be text"),
    ],
)
def test_a_sound_that_cannot_be_taken_says_what_can(value: object, said: str) -> None:
    message = refusal(parts=[A], audio=value)

    assert said in message
    assert message.startswith("audio")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        *[(name, "parts") for name in ("videos", "clips", "segments", "files", "tasks", "trim")],
        *[(name, "audio") for name in ("music", "soundtrack", "background_music", "voiceover")],
    ],
)
def test_another_name_is_refused_with_the_one_that_is_meant(name: str, meant: str) -> None:
    message = refusal(**({name: "x"} | ({"parts": [A]} if meant == "audio" else {})))

    assert f"{name}: unknown argument; did you mean {meant}?" in message
    assert "is required" not in message
