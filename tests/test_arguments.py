"""What a caller may ask for, and how a refusal reads: one line, the field's name, no value."""

import json
import re
import textwrap
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geekai_video_mcp.domain.media_refs import DATA_URI_LIMIT, LINK_LIMIT, PATH_LIMIT
from geekai_video_mcp.errors import NOT_CHARGED, RequestRefused
from geekai_video_mcp.server.arguments import (
    Arguments,
    GenerateImage,
    GenerateVideo,
    GetVideoTask,
    ListVideoModels,
    ListVideoTasks,
)
from geekai_video_mcp.server.arguments.fields import PROMPT_LIMIT
from geekai_video_mcp.server.offer import TOOLS

HTTPS = "https://example.com/a.png"
PNG = "data:image/png;base64,iVBORw0KGgo="
JPEG = "data:image/jpeg;base64,/9j/4AAQ"
WEBP = "data:image/webp;base64,UklGRgAAAABXRUJQ"


def refusal_of(**arguments: object) -> str:
    """The words of the refusal of *arguments*; a prompt is given unless it is the point."""
    with pytest.raises(RequestRefused) as refusal:
        GenerateVideo.parse({"prompt": "a fox", **arguments})
    message = refusal.value.message
    assert len(message.splitlines()) == 1
    assert NOT_CHARGED in message
    message.encode()
    return message


def sent_body(**arguments: object) -> dict[str, Any]:
    """The body that leaves for *arguments*."""
    parsed = GenerateVideo.parse({"prompt": "a fox", **arguments})
    return dict(parsed.to_request(default_model="cogvideox-flash").body)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", "x" * (PROMPT_LIMIT + 1)),
        ("prompt", "x" * 100_000),
        ("prompt", 7),
        ("prompt", ["a fox", "a hare"]),
        ("prompt", "nul\0"),
        ("prompt", "half \ud800"),
        ("negative_prompt", "half \udfff"),
        ("model", "m" * 129),
        ("model", {"name": "x"}),
        ("size", "x" * 129),
        ("with_audio", "perhaps"),
        ("duration", -5),
        ("duration", 61),
        ("duration", 5.5),
        ("duration", "five"),
        ("duration", True),
        ("duration", float("nan")),
        ("duration", 10**30),
        ("fps", 121),
        ("fps", False),
        ("retries", -1),
        ("retries", 11),
        ("async", "later"),
        ("images", [HTTPS] * 31),
        ("audio", ["https://x/1.mp3"] * 11),
        ("extra_body", "draft"),
        ("extra_body", ["draft"]),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_field(field: str, value: object) -> None:
    assert refusal_of(**{field: value}).startswith(f"{field}: ")


MEDIA = ["image", "image_tail", "images", "video", "audio", "image_list", "static_mask"]
HOSTILE = [
    "http://example.com/a.png",
    "HTTP://example.com/a.png",
    "ftp://example.com/a.png",
    "javascript:alert(1)",
    "gopher://example.com/_",
    "https://",
    "https:///a.png",
    "https:example.com",
    "https://a b",
    "https://a\nb",
    "https://example.com/\u202egnp.a",
    "https://" + "x" * 5000,
    "https://example.com/" + "x" * LINK_LIMIT,
    "https://user@example.com/a.png",
    "https://user:secret@example.com/a.png",
    "https://example.com\\@127.0.0.1/a.png",
    "https://127.0.0.1\\.example.com/a.png",
    "https://example.com:0/a.png",
    "https://example.com:99999/a.png",
    "https://[::1/a.png",
    "https://127.0.0.1/a.png",
    "https://127.1/a.png",
    "https://2130706433/a.png",
    "https://0x7f.1/a.png",
    "https://0177.0.0.1/a.png",
    "https://LOCALHOST/a.png",
    "https://localhost.:8443/a.png",
    "https://[::1]/a.png",
    "https://[::ffff:127.0.0.1]/a.png",
    "https://[64:ff9b::7f00:1]/a.png",
    "https://169.254.169.254/latest/meta-data",
    "https://metadata.google.internal/",
    "https://10.0.0.1/a.png",
    "https://printer.local/a.png",
    "https://127.0.0.1.nip.io/a.png",
    "https://%31%32%37.0.0.1/a.png",
    "https://①②⑦.0.0.1/a.png",
    "https://intranet/a.png",
    "https://sandbox.invalid/api/v1/files/a.png",
    "task:",
    "task:../../etc/passwd",
    "task:a b",
    "file://server/share/a.png",
    "file:///videos/a%00.png",
    "file:",
    "file://[",
]


def placed(field: str, value: object) -> dict[str, Any]:
    """The arguments with *value* in *field*, wherever that is."""
    if field in {"image_list", "static_mask"}:
        return {"extra_body": {field: [value] if field == "image_list" else value}}
    return {field: [value] if field in {"images", "audio"} else value}


def where(field: str) -> str:
    """How a refusal of it names *field*."""
    member = {"image_list": "extra_body.image_list.0", "static_mask": "extra_body.static_mask"}
    return member.get(field, f"{field}.0" if field in {"images", "audio"} else field)


@pytest.mark.parametrize("field", MEDIA)
@pytest.mark.parametrize("value", HOSTILE)
def test_a_link_that_geekai_should_not_fetch_is_refused_with_the_way_out(
    field: str, value: str
) -> None:
    message = refusal_of(**placed(field, value))

    assert message.startswith(f"{where(field)}: ")
    assert "give an https URL" in message
    assert value in {"task:", "file:"} or value not in message


@pytest.mark.parametrize("field", ["image", "image_tail", "images"])
@pytest.mark.parametrize("value", ["a.png", "../a.png", "./a.png", "/9j/4AAQSk", "iVBORw0KG"])
def test_a_name_that_could_be_anything_is_no_picture(field: str, value: str) -> None:
    message = refusal_of(**placed(field, value))

    assert message.startswith(f"{where(field)}: ")
    assert "an absolute file path" in message


@pytest.mark.parametrize("field", ["video", "audio"])
@pytest.mark.parametrize(
    "value", ["/etc/passwd", "~/a.mp4", "../a.mp4", "C:\\a.mp4", "file:///a.mp4", "a.mp4", PNG]
)
def test_reference_media_are_no_files(field: str, value: str) -> None:
    message = refusal_of(**placed(field, value))

    assert message.startswith(f"{where(field)}: ")
    assert "give an https URL" in message


def test_only_a_video_may_be_an_earlier_task() -> None:
    assert sent_body(video="task:8d1f")["video"] == "task:8d1f"
    assert refusal_of(audio=["task:8d1f"]).startswith("audio.0: ")


@pytest.mark.parametrize(
    "value",
    [
        "/videos/a.png",
        "~/Pictures/a b.png",
        "C:\\Users\\a.png",
        "\\\\server\\share\\a.png",
        "file:///videos/a%20b.png",
        "file://localhost/a.png",
        "FILE:/C:/a.png",
        "task:8d1f",
        "task: be386e16-91bc-4694-b5b8-23a555db33b2",
    ],
)
@pytest.mark.parametrize("field", ["image", "image_tail", "images", "image_list", "static_mask"])
def test_a_picture_may_be_a_file_or_an_earlier_task(field: str, value: str) -> None:
    assert GenerateVideo.parse({"prompt": "a fox", **placed(field, value)})


def test_a_path_is_no_longer_than_any_file_has() -> None:
    assert "too long" in refusal_of(image="/" + "a" * PATH_LIMIT)


@pytest.mark.parametrize("field", MEDIA)
@pytest.mark.parametrize(
    ("service", "value"),
    [
        ("https://sandbox.invalid/api/v1", "https://sandbox.invalid/api/v1/files/a.png"),
        ("http://127.0.0.1:8766/api/v1", "http://127.0.0.1:8766/api/v1/files/a.png"),
    ],
)
def test_the_services_own_links_may_be_given_wherever_it_is(
    field: str, service: str, value: str
) -> None:
    arguments = {"prompt": "a fox", **placed(field, value)}

    assert GenerateVideo.parse(arguments, service_url=service)
    for other in ("https://geekai.co/api/v1", service.replace("8766", "8767").replace("in", "i")):
        with pytest.raises(RequestRefused):
            GenerateVideo.parse(arguments, service_url=other)


@pytest.mark.parametrize(
    "uri",
    ["data:text/html;base64,AA", "data:image/svg+xml;base64,A", "data:", "DATA:image/png,AA"],
)
def test_a_data_uri_must_be_a_picture(uri: str) -> None:
    assert "image: a data URI must begin" in refusal_of(image=uri)


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("data:image/png;base64,", "holds no PNG, JPEG or WebP"),
        ("data:image/png;base64,AAAA", "holds no PNG, JPEG or WebP"),
        ("data:image/png;base64,iVBORw0KGg", "holds no PNG, JPEG or WebP"),
        ("data:image/png;base64,_-_-", "holds no PNG, JPEG or WebP"),
        ("data:image/png;base64,iVBORw0KGgo=!", "not valid base64"),
        ("data:image/png;base64,iVBORw0KG", "not valid base64"),
        ("data:image/png;base64,R0lGODlhAQABAAAAACwAAAAA", "but a GIF picture"),
    ],
)
def test_a_data_uri_must_hold_a_picture(uri: str, why: str) -> None:
    assert why in refusal_of(image=uri)


def test_a_data_uri_may_be_as_long_as_the_limit_and_no_longer() -> None:
    head = PNG.removesuffix("=")
    longest = head + "A" * ((DATA_URI_LIMIT - len(head)) // 4 * 4 + 1)

    assert sent_body(image=longest)["image"] == longest
    assert f"the limit is {DATA_URI_LIMIT:,}" in refusal_of(image=longest + "AAAA")


@pytest.mark.parametrize("field", ["video", "audio"])
def test_reference_media_are_links_alone(field: str) -> None:
    assert "https URL" in refusal_of(**{field: [PNG] if field == "audio" else PNG})


@pytest.mark.parametrize(
    "given_image",
    [
        HTTPS,
        "https://example.com:8443/A?b=C#d",
        "https://8.8.8.8/a.png",
        PNG,
        JPEG,
        WEBP,
        "https://例え.jp/画",
    ],
)
def test_pictures_are_passed_on_as_they_were_given(given_image: str) -> None:
    body = sent_body(image=given_image, image_tail=given_image, images=[given_image, HTTPS])

    assert (body["image"], body["image_tail"]) == (given_image, given_image)
    assert body["images"] == [given_image, HTTPS]


PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A whole PNG, with a letter that the alphabet of links replaces, and padded."""
PIXEL_URI = f"data:image/png;base64,{PIXEL}"
INLINE = {
    "as it should be": PIXEL_URI,
    "base64 alone": PIXEL,
    "wrapped": "\n".join(textwrap.wrap(PIXEL, 76)),
    "wrapped with two characters": "\r\n".join(textwrap.wrap(PIXEL, 64)),
    "wrapped in a data URI": PIXEL_URI[:60] + "\n" + PIXEL_URI[60:],
    "line breaks as a string writes them": PIXEL[:76] + "\\n" + PIXEL[76:],
    "the alphabet of links": PIXEL.translate(str.maketrans("+/", "-_")),
    "no padding": PIXEL.rstrip("="),
    "escaped for a link": PIXEL_URI.replace("+", "%2B").replace("=", "%3D"),
    "a character set": PIXEL_URI.replace(";base64", ";charset=utf-8;base64"),
    "a name": PIXEL_URI.replace(";base64", ";name=cat.png;base64"),
    "a space": PIXEL_URI.replace("base64,", "base64, "),
    "no type": PIXEL_URI.replace("image/png", ""),
    "another type": PIXEL_URI.replace("png", "jpg"),
    "a type that is no picture's": PIXEL_URI.replace("image/png", "application/octet-stream"),
    "capitals": PIXEL_URI.replace("data:image/png", "DATA:IMAGE/PNG"),
    "without the first word": PIXEL_URI.removeprefix("data:"),
    "without the type": f"base64,{PIXEL}",
    "without the encoding": PIXEL_URI.replace(";base64", ""),
    "in quotes": f'"{PIXEL_URI}"',
}


@pytest.mark.parametrize("spelling", INLINE)
def test_a_picture_that_is_written_out_has_one_spelling(spelling: str) -> None:
    body = sent_body(image=[INLINE[spelling]], images=[INLINE[spelling]])

    assert (body["image"], body["images"]) == (PIXEL_URI, [PIXEL_URI])


@pytest.mark.parametrize("kind", ["png", "jpg", "jpeg", "webp", "gif", "heic"])
@pytest.mark.parametrize("right", [PNG, JPEG, WEBP])
def test_the_bytes_of_a_data_uri_decide_and_not_its_label(kind: str, right: str) -> None:
    label = right.partition(";")[0]

    assert sent_body(image=right.replace(label, f"data:image/{kind}"))["image"] == right


WHOLE = "2eb52cc9f03aa17c11d09e2a4b6c8d0e"
TASKS = {
    WHOLE: f"task:{WHOLE}",
    WHOLE.upper(): f"task:{WHOLE}",
    "12345678901234567890123456789012": "task:12345678901234567890123456789012",
    "2eb52cc9": "task:2eb52cc9",
    "2EB52CC9": "task:2eb52cc9",
    "Task: 2EB52CC9": "task:2eb52cc9",
    " task:2eb52cc9 ": "task:2eb52cc9",
    "TASK : 2eb52cc9": "task:2eb52cc9",
    "task 2eb52cc9": "task:2eb52cc9",
    "task_id:2eb52cc9": "task:2eb52cc9",
    "task_id=2eb52cc9": "task:2eb52cc9",
    "task://2eb52cc9": "task:2eb52cc9",
    "task:<2eb52cc9>": "task:2eb52cc9",
    "task:2eb52cc9...": "task:2eb52cc9",
    '"task:2eb52cc9"': "task:2eb52cc9",
    "be386e16-91bc-4694-b5b8-23a555db33b2": "task:be386e16-91bc-4694-b5b8-23a555db33b2",
    "task: be386e16-91bc-4694-b5b8-23a555db33b2": "task:be386e16-91bc-4694-b5b8-23a555db33b2",
    "video://tasks/2eb52cc9": "task:2eb52cc9",
    "video://tasks/2EB52CC9/": "task:2eb52cc9",
    "VIDEO://tasks/2eb52cc9/video": "task:2eb52cc9",
}
"""How a task is named, and its one spelling."""


@pytest.mark.parametrize("given_task", TASKS)
def test_a_task_has_one_spelling_wherever_it_may_stand(given_task: str) -> None:
    extra = {"image_list": [{"image_url": given_task}], "video_list": [given_task]}
    body = sent_body(image=given_task, images=[given_task], video=given_task)
    spelled = TASKS[given_task]

    assert (body["image"], body["images"], body["video"]) == (spelled, [spelled], spelled)
    if given_task.strip('" ') == given_task and " " not in given_task:
        inside = sent_body(extra_body=extra)["extra_body"]
        assert inside == {"image_list": [{"image_url": spelled}], "video_list": [spelled]}


def test_another_id_in_extra_body_is_no_task() -> None:
    extra = {"image_list": [{"element_id": WHOLE, "type": "first_frame"}]}

    assert sent_body(extra_body=extra)["extra_body"] == extra


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"image": "video://tasks/2eb52cc9/cover"}, "give task:ID, which is the last frame"),
        ({"image": "video://tasks/2eb52cc9/frames"}, "only for looking at"),
        ({"image": "video://tasks/2eb52cc9/sound"}, "a task has no such part"),
        ({"image": "video://tasks/"}, "must be followed by a task_id"),
        ({"image": "video://tasks/a b"}, "must be followed by a task_id"),
        ({"video": "video://tasks/2eb52cc9/last-frame"}, "not its video, so give task:ID"),
        ({"video": "video://tasks/2eb52cc9/cover"}, "not its video, so give task:ID"),
        ({"audio": ["video://tasks/2eb52cc9"]}, "a task cannot be given here"),
        ({"audio": ["2eb52cc9"]}, "it is no link"),
    ],
)
def test_a_part_of_a_task_that_cannot_stand_there_is_refused_with_what_can(
    arguments: dict[str, Any], why: str
) -> None:
    assert why in refusal_of(**arguments)


def test_a_part_of_a_task_that_is_its_picture_stands_for_it() -> None:
    for name in ("last-frame", "last_frame", "LAST-FRAME/"):
        assert sent_body(image=f"video://tasks/2eb52cc9/{name}")["image"] == "task:2eb52cc9"


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
    message = refusal_of(**{wrong: 1})

    assert f"{wrong}: unknown argument" in message
    assert hint in message


def test_a_missing_prompt_is_asked_for() -> None:
    with pytest.raises(RequestRefused, match="prompt is required"):
        GenerateVideo.parse({})


def test_every_mistake_is_named_at_once() -> None:
    message = refusal_of(duration=61, fps=121, prompts="x")

    assert all(f"{name}: " in message for name in ("duration", "fps", "prompts"))


def test_null_is_absent() -> None:
    everything = dict.fromkeys(
        ["model", "negative_prompt", "image", "images", "duration", "async", "extra_body"]
    )

    assert sent_body(**everything) == sent_body()


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
        assert sent_body(**together)
        return
    message = refusal_of(**together)
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
    body = sent_body(**together)

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
    message = refusal_of(**arguments)

    assert CANARY not in message
    assert "7777" not in message


@given(st.text(st.characters(codec=None), max_size=300))
def test_a_refusal_is_one_line_whatever_the_argument_is_called(name: str) -> None:
    known = GenerateVideo.model_fields
    if name.strip() in {"", "async"} or name in known:
        return
    assert len(refusal_of(**{name: 1})) < 1000


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
    ],
)
def test_extra_body_is_passed_on_as_it_is(extra: dict[str, Any]) -> None:
    assert sent_body(extra_body=extra)["extra_body"] == extra


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
    assert refusal_of(extra_body=extra).startswith("extra_body")


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (
            {"duration": "6", "fps": " 24 ", "retries": "0"},
            {"duration": 6, "fps": 24, "retries": 0},
        ),
        ({"with_audio": "true", "watermark": "false"}, {"with_audio": True, "watermark": False}),
        ({"image": json.dumps([HTTPS, PNG])}, {"image": [HTTPS, PNG]}),
        ({"images": json.dumps([HTTPS])}, {"images": [HTTPS]}),
        ({"audio": f' ["{HTTPS}"]'}, {"audio": [HTTPS]}),
        ({"extra_body": '{"seed": 7, "new": [null]}'}, {"extra_body": {"seed": 7, "new": [None]}}),
        (
            {"extra_body": {"image_list": '["task:8d1f", {"type": "first_frame"}]'}},
            {"extra_body": {"image_list": ["task:8d1f", {"type": "first_frame"}]}},
        ),
        (
            {"extra_body": {"static_mask": "/9j/4AAQSkZJRg", "image_list": ["iVBORw0KGgo"]}},
            {"extra_body": {"static_mask": "/9j/4AAQSkZJRg", "image_list": ["iVBORw0KGgo"]}},
        ),
    ],
)
def test_what_a_client_has_written_as_text_is_read_as_it_was_meant(
    arguments: dict[str, Any], body: dict[str, Any]
) -> None:
    assert {name: sent_body(**arguments)[name] for name in body} == body


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("extra_body", "{'seed': open}"),
        ("extra_body", '{"seed": NaN}'),
        ("extra_body", '{"duration": 5}'),
        ("extra_body", "[" * 100_000),
        ("extra_body", '["seed"]'),
        ("images", '{"a": 1}'),
        ("images", "[1, 2]"),
        ("images", json.dumps([HTTPS] * 31)),
        ("image", json.dumps([HTTPS] * 10)),
        ("image", '["http://example.com/a.png"]'),
    ],
)
def test_text_that_holds_something_else_is_refused_as_that_would_be(field: str, value: str) -> None:
    assert refusal_of(**{field: value}).startswith(field)


@pytest.mark.parametrize(
    "extra",
    [
        {"image_list": [{"image_url": "http://example.com/a.png"}]},
        {"image_list": [{"deep": [{"image_url": "https://127.0.0.1/a.png"}]}]},
        {"static_mask": {"url": "https://localhost/a.png"}},
        {"video_list": [{"video_url": "/etc/passwd"}]},
        {"video_list": ["https://10.0.0.1/a.mp4"]},
    ],
)
def test_a_link_inside_an_object_is_judged_as_well(extra: dict[str, Any]) -> None:
    assert refusal_of(extra_body=extra).startswith(f"extra_body.{next(iter(extra))}")


@pytest.mark.parametrize("field", ["image", "mask", "images"])
def test_the_pictures_that_a_picture_starts_from_are_judged_alike(field: str) -> None:
    with pytest.raises(RequestRefused, match=rf"^{field}.*https URL"):
        GenerateImage.parse({"prompt": "a fox", **placed(field, "https://127.1/a.png")})
    assert GenerateImage.parse({"prompt": "a fox", **placed(field, "task:8d1f")})


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=300)
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
        parsed = GenerateVideo.parse({"prompt": "a fox", **arguments})
    except RequestRefused:
        return
    body = parsed.to_request(default_model="m").body

    assert body["async"] is True
    assert set(body) <= {"prompt", "model", "async", *arguments}
    json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


# The request


def test_only_what_the_caller_set_leaves_with_a_model_and_always_async() -> None:
    assert sent_body() == {"prompt": "a fox", "model": "cogvideox-flash", "async": True}
    assert sent_body(model="veo", duration=8, watermark=False) == {
        "prompt": "a fox",
        "model": "veo",
        "duration": 8,
        "watermark": False,
        "async": True,
    }


@pytest.mark.parametrize("wait_here", [True, False])
def test_async_false_is_ours_and_never_geekais(wait_here: bool) -> None:  # noqa: FBT001 - parametrized
    assert GenerateVideo.parse({"prompt": "x", "async": wait_here}).async_ is wait_here
    assert sent_body(**{"async": wait_here})["async"] is True


def test_white_space_around_a_prompt_is_not_sent() -> None:
    assert sent_body(prompt="  a fox \n")["prompt"] == "a fox"


@pytest.mark.parametrize(
    "prompt", ["x", "雪の中の狐", "рыжая лиса", "ثعلب في الثلج", "🦊" * PROMPT_LIMIT]
)
def test_a_prompt_in_any_script_is_sent_as_it_is(prompt: str) -> None:
    assert sent_body(prompt=prompt)["prompt"] == prompt


# get_video_task


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({}, "task_id"),
        ({"task_id": ""}, "task_id"),
        ({"task_id": "x" * 129}, "task_id"),
        ({"task_id": True}, "task_id"),
        ({"task_id": "t", "wait_seconds": -1}, "wait_seconds"),
        ({"task_id": "t", "wait_seconds": True}, "wait_seconds"),
        ({"task_id": "t", "preview": "video"}, "preview"),
        ({"task_id": "t", "wait": 1}, "wait"),
    ],
)
def test_get_video_task_is_refused_by_field_as_well(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestRefused, match=f"^{field}(: | is required)"):
        GetVideoTask.parse(arguments)


def test_get_video_task_waits_a_little_and_shows_frames_by_default() -> None:
    look = GetVideoTask.parse({"task_id": " t ", "wait_seconds": None})

    assert (look.task_id, look.wait_seconds, look.view) == ("t", 15, "frames")


def test_image_takes_a_first_and_a_last_frame_as_a_list() -> None:
    """CogVideoX-3's page documents it so; the published schema shows the one-picture form."""
    both = ["https://a.example/first.png", "https://a.example/last.png"]
    parsed = GenerateVideo.parse({"prompt": "x", "image": both})

    assert parsed.to_request(default_model="m").body["image"] == both


@pytest.mark.parametrize("image", [[3], 3, {"a": 1}, [[["passwd"]]], ["passwd"]])
def test_a_list_of_what_are_no_pictures_is_refused_in_one_line(image: object) -> None:
    with pytest.raises(RequestRefused, match=r"^image: [^\n;]*https URL[^\n]*$"):
        GenerateVideo.parse({"prompt": "x", "image": image})


@pytest.mark.parametrize(
    ("written", "ids"),
    [
        ("2eb52cc9 9f03aa17", ("2eb52cc9", "9f03aa17")),
        ("2eb52cc9,9f03aa17\nc11d09e2", ("2eb52cc9", "9f03aa17", "c11d09e2")),
        (["2eb52cc9", "9f03aa17", "2eb52cc9"], ("2eb52cc9", "9f03aa17")),
        ('["2eb52cc9", "9f03aa17"]', ("2eb52cc9", "9f03aa17")),
        ("task:2eb52cc9 and task:9f03aa17", ("2eb52cc9", "9f03aa17")),
        ("video://tasks/2eb52cc9/video; <9f03aa17>", ("2eb52cc9", "9f03aa17")),
        (12345678, ("12345678",)),
        (12345678.0, ("12345678",)),
        ([12345678, "9f03aa17", None, ""], ("12345678", "9f03aa17")),
        ("be386e16-91bc-4694-b5b8-23a555db33b2", ("be386e16-91bc-4694-b5b8-23a555db33b2",)),
        ("task_17:b.2", ("task_17:b.2",)),
    ],
    ids=repr,
)
def test_several_tasks_may_be_asked_for_in_their_order_and_once_each(
    written: object, ids: tuple[str, ...]
) -> None:
    assert GetVideoTask.parse({"task_id": written}).task_ids == ids


# What was taken differently


@pytest.mark.parametrize(
    ("arguments", "model", "note"),
    [
        (
            {"task_id": "a", "wait_seconds": 120},
            GetVideoTask,
            "wait_seconds is at most 45, so 45 was used.",
        ),
        ({"limit": 99}, ListVideoTasks, "limit is at most 50, so 50 was used."),
        (
            {"prompt": "x", "aspect_ratio": "vertical"},
            GenerateVideo,
            'aspect_ratio "vertical" was taken as 9:16.',
        ),
        (
            {"prompt": "x", "aspect_ratio": "9x16"},
            GenerateImage,
            'aspect_ratio "9x16" was taken as 9:16.',
        ),
    ],
    ids=repr,
)
def test_what_was_taken_differently_is_noted(
    arguments: dict[str, Any], model: type[Arguments], note: str
) -> None:
    assert model.parse(arguments).notes == (note,)


def test_a_note_is_no_part_of_the_request_and_makes_no_difference() -> None:
    noted = GenerateVideo.parse({"prompt": "x", "aspect_ratio": "vertical"})
    plain = GenerateVideo.parse({"prompt": "x", "aspect_ratio": "9:16", "duration": None})

    assert (noted.notes != plain.notes, plain.notes) == (True, ())
    assert noted == plain
    assert noted.model_dump() == plain.model_dump()
    assert noted.to_request(default_model="m") == plain.to_request(default_model="m")


# The days and filters of the lists


@pytest.mark.parametrize(
    ("since", "moment"),
    [
        ("2026-11-26", "2026-11-26T00:00:00"),
        ("2026/11/26", "2026-11-26T00:00:00"),
        ("20261126", "2026-11-26T00:00:00"),
        ("2026-11-26T18:00", "2026-11-26T18:00:00"),
        ("2026-11-26 18:00:30", "2026-11-26T18:00:30"),
        ("2026-11-26T18:00:00Z", "2026-11-26T18:00:00+00:00"),
        ("2026-11-26T18:00:00+08:00", "2026-11-26T10:00:00+00:00"),
        ("today", "2026-11-26T00:00:00"),
        (" Yesterday ", "2026-11-25T00:00:00"),
    ],
)
def test_a_day_is_one_on_this_computers_clock(since: str, moment: str) -> None:
    noon = datetime.fromisoformat("2026-11-26T12:00:00").timestamp()

    listed_since = ListVideoTasks.parse({"since": since}, now=noon).since
    assert listed_since == datetime.fromisoformat(moment).timestamp()


@pytest.mark.parametrize(
    "since", ["last week", "7 moons", "2026-W48", "26.11.2026", "2026-13-01", "9999-99-99", 5, True]
)
def test_what_is_no_day_is_refused_with_the_forms(since: object) -> None:
    with pytest.raises(RequestRefused, match=r'^since: .*2026-11-26.*"today"'):
        ListVideoTasks.parse({"since": since})


def test_tasks_of_all_times_are_listed_by_default() -> None:
    assert ListVideoTasks.parse({"since": "null"}).since is None


@pytest.mark.parametrize(
    ("asked", "takes"),
    [
        ({}, ()),
        ({"takes": "image image_tail with_audio"}, ("image", "image_tail", "with_audio")),
        ({"takes": "image, camera_control"}, ("image", "camera_control")),
        ({"takes": '["image", "seed"]'}, ("image", "seed")),
        ({"takes": ["image", "image"]}, ("image",)),
        ({"first_frame": True, "last_frame": "true"}, ("image", "image_tail")),
        ({"references": True, "audio": True}, ("images", "with_audio")),
        ({"first_frame": False, "audio": None}, ()),
        ({"takes": "image", "audio": True}, ("image", "with_audio")),
    ],
    ids=repr,
)
def test_a_filter_has_names_of_arguments_and_takes_those_of_earlier_versions(
    asked: dict[str, Any], takes: tuple[str, ...]
) -> None:
    assert ListVideoModels.parse(asked).takes == takes


# How refusals read

WRONG_TYPES: list[Any] = [
    True, -1, 3.5, "words", "\ud800", ["a", "b"], [1, 2], [{"a": 1}], [[["a"]]], {"a": 1},
    {"type": {"b": []}}, float("nan"), 10**30, "x" * 30_000, nested(2000),
]  # fmt: skip
FOREIGN_WORDS = re.compile(
    r"(?i)pydantic|input should|valid (string|integer|number|dict|list|boolean)|unable to"
    r"|instance of|parsing|type=|value error|\bstr\b|\bint\b|\bdict|\bbool\b|nonetype|assert"
    r"|extrabody|generate(video|image)(?!_)|getvideotask|listvideo|joinvideos|filmpart"
)


@pytest.mark.parametrize("model", [spec.arguments for spec in TOOLS], ids=lambda m: m.__name__)
def test_no_refusal_has_words_of_a_library_or_the_name_of_a_class(model: type[Arguments]) -> None:
    needed = {"prompt": "a fox", "task_id": "2eb52cc9", "parts": ["2eb52cc9"]}
    names = [info.alias or name for name, info in model.model_fields.items()]
    inner = ["draft", "movement_amplitude", "image_list", "video_list", "static_mask"]
    refused = 0
    for wrong in WRONG_TYPES:
        calls = [{name: wrong} for name in (*names, "no_such_argument")]
        calls += [{"extra_body": {name: wrong}} for name in inner if "extra_body" in names]
        for given_one in calls:
            few = {name: value for name, value in needed.items() if name in names}
            try:
                model.parse({**few, **given_one})
            except RequestRefused as refusal:
                refused += 1
                (line,) = refusal.message.splitlines()
                assert not FOREIGN_WORDS.search(line), (given_one, line)
                assert line.startswith((next(iter(given_one)), "images.0", "audio.0")), line
                assert len(line) < 1500
    assert refused > len(WRONG_TYPES)
