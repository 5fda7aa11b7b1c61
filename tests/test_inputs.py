"""What a caller may ask for, and how a refusal reads: one line, the field's name, no value."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geekai_video_mcp.errors import NOT_CHARGED, RequestRefused
from geekai_video_mcp.inputs import DATA_URI_LIMIT, PROMPT_LIMIT, GenerateVideo, GetVideoTask

HTTPS = "https://example.com/a.png"
PNG = "data:image/png;base64,iVBORw0KGgo="


def refused(**arguments: object) -> str:
    """The words of the refusal of *arguments*; a prompt is given unless it is the point."""
    with pytest.raises(RequestRefused) as refusal:
        GenerateVideo.read({"prompt": "a fox", **arguments})
    message = refusal.value.message
    assert len(message.splitlines()) == 1
    assert NOT_CHARGED in message
    message.encode()
    return message


def sent(**arguments: object) -> dict[str, Any]:
    """The body that leaves for *arguments*."""
    asked = GenerateVideo.read({"prompt": "a fox", **arguments})
    return asked.to_request(default_model="cogvideox-flash").to_json()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", ""),
        ("prompt", "   \n"),
        ("prompt", "x" * (PROMPT_LIMIT + 1)),
        ("prompt", "x" * 100_000),
        ("prompt", 7),
        ("prompt", ["a fox"]),
        ("prompt", "nul\0"),
        ("prompt", "half \ud800"),
        ("negative_prompt", "half \udfff"),
        ("model", ""),
        ("model", "m" * 129),
        ("model", {"name": "x"}),
        ("size", "x" * 129),
        ("with_audio", "perhaps"),
        ("watermark", []),
        ("duration", 0),
        ("duration", -5),
        ("duration", 61),
        ("duration", 5.5),
        ("duration", "five"),
        ("duration", True),
        ("duration", float("nan")),
        ("duration", 10**30),
        ("fps", 0),
        ("fps", 121),
        ("fps", False),
        ("retries", -1),
        ("retries", 11),
        ("async", "later"),
        ("images", HTTPS),
        ("images", [HTTPS] * 31),
        ("audio", ["https://x/1.mp3"] * 11),
        ("extra_body", "draft"),
        ("extra_body", ["draft"]),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_field(field: str, value: object) -> None:
    assert refused(**{field: value}).startswith(f"{field}: ")


@pytest.mark.parametrize("field", ["image", "image_tail", "images", "video", "audio"])
@pytest.mark.parametrize(
    "value",
    [
        "http://example.com/a.png",
        "ftp://example.com/a.png",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "/etc/passwd",
        "../a.png",
        "C:\\a.png",
        "https://",
        "https://a b",
        "https://a\nb",
        "https://" + "x" * 5000,
        "task:8d1f",
        "",
    ],
)
def test_only_a_link_that_geekai_can_fetch_is_taken(field: str, value: str) -> None:
    several = field in {"images", "audio"}

    message = refused(**{field: [value] if several else value})

    assert message.startswith(f"{field}.0: " if several else f"{field}: ")
    assert "https URL" in message


@pytest.mark.parametrize(
    "uri", ["data:text/html;base64,AA", "data:image/svg+xml;base64,A", "data:"]
)
def test_a_data_uri_must_be_a_picture(uri: str) -> None:
    assert "image: a data URI must begin" in refused(image=uri)


def test_a_data_uri_may_be_as_long_as_the_limit_and_no_longer() -> None:
    longest = PNG + "A" * (DATA_URI_LIMIT - len(PNG))

    assert sent(image=longest)["image"] == longest
    assert f"at most {DATA_URI_LIMIT:,}" in refused(image=longest + "A")


@pytest.mark.parametrize("field", ["video", "audio"])
def test_reference_media_are_links_alone(field: str) -> None:
    assert "https URL" in refused(**{field: [PNG] if field == "audio" else PNG})


@pytest.mark.parametrize(
    "given_image", [HTTPS, PNG, "data:image/JPEG;base64,AA", "https://例え.jp/画"]
)
def test_pictures_are_passed_on_as_they_were_given(given_image: str) -> None:
    body = sent(image=given_image, image_tail=given_image, images=[given_image, HTTPS])

    assert (body["image"], body["image_tail"]) == (given_image, given_image)
    assert body["images"] == [given_image, HTTPS]


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("prompts", "did you mean prompt?"),
        ("negativeprompt", "did you mean negative_prompt?"),
        ("aspectRatio", "did you mean aspect_ratio?"),
        ("async_", "did you mean async?"),
        ("xyzzy", "known are prompt, model,"),
    ],
)
def test_an_unknown_argument_is_refused_by_name_with_what_was_meant(wrong: str, hint: str) -> None:
    message = refused(**{wrong: 1})

    assert f"{wrong}: no such argument" in message
    assert hint in message


def test_a_missing_prompt_is_asked_for() -> None:
    with pytest.raises(RequestRefused, match="prompt: is needed"):
        GenerateVideo.read({})


def test_every_mistake_is_named_at_once() -> None:
    message = refused(duration=0, fps=0, prompts="x")

    assert all(f"{name}: " in message for name in ("duration", "fps", "prompts"))


def test_null_is_absent() -> None:
    everything = dict.fromkeys(
        ["model", "negative_prompt", "image", "images", "duration", "async", "extra_body"]
    )

    assert sent(**everything) == sent()


@pytest.mark.parametrize(
    "together",
    [
        {"size": "1920x1080", "aspect_ratio": "9:16"},
        {"size": "1920\n\n×\n\n1080", "aspect_ratio": "9:\n16"},
        {"size": "720x720", "aspect_ratio": "16:0"},
        {"size": "1920x1080", "resolution": "720p"},
        {"extra_body": {"duration": 5}},
    ],
)
def test_two_fields_that_contradict_each_other_are_both_named(together: dict[str, Any]) -> None:
    if together.get("aspect_ratio") == "16:0":
        assert sent(**together)
        return
    message = refused(**together)
    assert all(name in message for name in together)


@pytest.mark.parametrize(
    "together",
    [
        {"size": "1920x1080", "aspect_ratio": "16:9", "resolution": "1080p"},
        {"size": "1080x1920", "aspect_ratio": "9:16", "resolution": "1080P"},
        {"size": "854x480", "aspect_ratio": "16:9", "resolution": "480p"},
        {"size": "large", "aspect_ratio": "keep_ratio", "resolution": "768P"},
        {"aspect_ratio": "adaptive"},
        {"duration": 60, "fps": 16},
    ],
)
def test_what_may_be_right_goes_through_in_the_callers_spelling(together: dict[str, Any]) -> None:
    body = sent(**together)

    assert {name: body[name] for name in together} == together


CANARY = "sk-canary-0123456789"


@pytest.mark.parametrize(
    "arguments",
    [
        {"image": CANARY},
        {"images": [CANARY]},
        {"video": f"http://{CANARY}"},
        {"image": f"data:{CANARY}"},
        {"duration": CANARY},
        {"with_audio": CANARY},
        {"model": CANARY * 10},
        {"prompt": f"{CANARY}\0"},
        {"prompt": {"x": CANARY}},
        {"extra_body": CANARY},
        {"extra_body": {"draft": CANARY}},
        {"extra_body": {"x": f"{CANARY}\ud800"}},
        {"size": "7777x1080", "aspect_ratio": "9:16"},
    ],
)
def test_a_refusal_never_repeats_a_value(arguments: dict[str, Any]) -> None:
    message = refused(**arguments)

    assert CANARY not in message
    assert "7777" not in message


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=300))
def test_a_refusal_is_one_line_whatever_the_argument_is_called(name: str) -> None:
    known = GenerateVideo.model_fields
    if name.strip() in {"", "async"} or name in known:
        return
    assert len(refused(**{name: 1})) < 1000


# extra_body


@pytest.mark.parametrize(
    "extra",
    [
        {"seed": 42, "camerafixed": True, "real_person_mode": "on", "new": {"deep": [1, None]}},
        {"camera_control": "down_back"},
        {"camera_control": {"type": "simple", "config": {"zoom": 1.5}}},
        {"static_mask": HTTPS},
        {"image_list": [HTTPS, {"image_url": HTTPS, "type": "first_frame"}]},
        {"video_list": [{"video_url": HTTPS, "refer_type": "base"}]},
        {"draft": True, "return_last_frame": False, "movement_amplitude": "auto"},
        {},
    ],
)
def test_extra_body_is_passed_on_as_it_is(extra: dict[str, Any]) -> None:
    assert sent(extra_body=extra)["extra_body"] == extra


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "extra",
    [
        {"seed": "\ud800"},
        {"deep": [{"a": "\udfff"}]},
        {"\ud800": 1},
        {"nul": ["\0"]},
        {"seed": float("nan")},
        {"camera_control": {"zoom": float("inf")}},
        {"seed": 10**5000},
        {"deep": nested(300)},
        {"camera_control": nested(100_000)},
        {"draft": "perhaps"},
        {"camera_strength": ""},
    ],
    ids=[
        "half",
        "deep-half",
        "half-name",
        "nul",
        "nan",
        "infinity",
        "huge",
        "deep",
        "bottomless",
        "no-boolean",
        "empty",
    ],
)
def test_extra_body_takes_only_what_json_can_hold(extra: dict[str, Any]) -> None:
    assert refused(extra_body=extra).startswith("extra_body")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from([info.alias or name for name, info in GenerateVideo.model_fields.items()]),
        json_values
        | st.dictionaries(st.sampled_from(["draft", "seed", "image_list"]), json_values),
        max_size=4,
    )
)
def test_whatever_is_asked_is_refused_or_leaves_as_json(arguments: dict[str, Any]) -> None:
    try:
        asked = GenerateVideo.read({"prompt": "a fox", **arguments})
    except RequestRefused:
        return
    body = asked.to_request(default_model="m").to_json()

    assert body["async"] is True
    assert set(body) <= {"prompt", "model", "async", *arguments}
    json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


# The request


def test_only_what_the_caller_set_leaves_with_a_model_and_always_async() -> None:
    assert sent() == {"prompt": "a fox", "model": "cogvideox-flash", "async": True}
    assert sent(model="veo", duration=8, watermark=False) == {
        "prompt": "a fox",
        "model": "veo",
        "duration": 8,
        "watermark": False,
        "async": True,
    }


@pytest.mark.parametrize("wait_here", [True, False])
def test_async_false_is_ours_and_never_geekais(wait_here: bool) -> None:  # noqa: FBT001 - parametrized
    assert GenerateVideo.read({"prompt": "x", "async": wait_here}).async_ is wait_here
    assert sent(**{"async": wait_here})["async"] is True


def test_white_space_around_a_prompt_is_not_sent() -> None:
    assert sent(prompt="  a fox \n")["prompt"] == "a fox"


@pytest.mark.parametrize(
    "prompt", ["x", "雪の中の狐", "рыжая лиса", "ثعلب في الثلج", "🦊" * PROMPT_LIMIT]
)
def test_a_prompt_in_any_script_is_sent_as_it_is(prompt: str) -> None:
    assert sent(prompt=prompt)["prompt"] == prompt


# get_video_task


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({}, "task_id"),
        ({"task_id": ""}, "task_id"),
        ({"task_id": "x" * 129}, "task_id"),
        ({"task_id": 7}, "task_id"),
        ({"task_id": "t", "wait_seconds": 46}, "wait_seconds"),
        ({"task_id": "t", "wait_seconds": -1}, "wait_seconds"),
        ({"task_id": "t", "wait_seconds": True}, "wait_seconds"),
        ({"task_id": "t", "preview": "video"}, "preview"),
        ({"task_id": "t", "wait": 1}, "wait"),
    ],
)
def test_a_look_is_refused_by_field_as_well(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestRefused, match=f"^{field}: "):
        GetVideoTask.read(arguments)


def test_a_look_waits_a_little_and_shows_frames_unless_told_otherwise() -> None:
    look = GetVideoTask.read({"task_id": " t ", "wait_seconds": None})

    assert (look.task_id, look.wait_seconds, look.preview) == ("t", 15, "frames")


def test_image_takes_a_first_and_a_last_frame_as_a_list() -> None:
    """CogVideoX-3's page documents it so; the published schema shows the one-picture form."""
    both = ["https://a.example/first.png", "https://a.example/last.png"]
    asked = GenerateVideo.read({"prompt": "x", "image": both})

    assert asked.to_request(default_model="m").to_json()["image"] == both


@pytest.mark.parametrize("image", [[], [3], 3, {}, [["https://a.example/a.png"]], ["/etc/passwd"]])
def test_a_list_of_what_are_no_pictures_is_refused_in_one_line(image: object) -> None:
    with pytest.raises(RequestRefused, match=r"^image: [^\n;]*https URL[^\n]*$"):
        GenerateVideo.read({"prompt": "x", "image": image})
