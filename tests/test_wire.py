"""GeekAI's JSON, as documented and as met: every answer is understood, or is one of our errors."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geekai_video_mcp.domain.catalogue import LiveModel
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import (
    Media,
    Observation,
    Result,
)
from geekai_video_mcp.errors import (
    GeekAIVideoError,
    NotAuthorised,
    RequestRefused,
    ServiceUnavailable,
    SubmissionUnknown,
    TaskNotFound,
    WrongService,
)
from geekai_video_mcp.provider.wire import (
    RAW_RESPONSE_LIMIT,
    ModelsPage,
    ProviderResponse,
    parse_create_response,
    parse_models_response,
    parse_task_response,
)
from geekai_video_mcp.server.arguments import GenerateVideo

NOW = 1_790_000_000.0
LINK = "https://static.geekai.co/video/2026/11/22/a.mp4"
SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.json"))


def reply(
    payload: object, status_code: int = 200, retry_after: str | None = None
) -> ProviderResponse:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return ProviderResponse(status_code=status_code, body=body, at=NOW, retry_after=retry_after)


def error(code: object = "validation_error", message: object = "no such size") -> dict[str, object]:
    return {"error": {"code": code, "message": message}}


def created(
    payload: object, status_code: int = 200, *, media: Media = Media.VIDEO, api_seen: bool = True
) -> Observation:
    return parse_create_response(
        replace(reply(payload, status_code), media=media, api_seen=api_seen)
    )


def observe(
    payload: object, status_code: int = 200, *, media: Media = Media.VIDEO, api_seen: bool = True
) -> Observation:
    return parse_task_response(
        replace(reply(payload, status_code), media=media, api_seen=api_seen), task_id="t"
    )


# The outcome table of POST /videos/generations.


@pytest.mark.parametrize("word", ["pending", "running"])
@pytest.mark.parametrize("status_code", [200, 201, 202])
def test_an_accepted_request_names_its_task(word: str, status_code: int) -> None:
    answer = {"model": "cogvideox-flash", "task_id": "8d1f", "task_status": word}

    assert created(answer, status_code) == Observation(
        status=Status(word), at=NOW, provider_task_id="8d1f", model="cogvideox-flash"
    )


NOT_EXECUTED = [400, 404, *range(409, 416), 417, 421, 422, 423, 425, 426, 428, 431, 451]
"""Refused before anything ran, by the definition of each; 405 names the address as well."""


@pytest.mark.parametrize("status_code", [405, *NOT_EXECUTED, *range(300, 309)])
def test_a_refusal_charges_nothing_and_says_why(status_code: int) -> None:
    with pytest.raises(RequestRefused, match="no such size") as refused:
        created(error(), status_code)

    assert refused.value.code == "validation_error"
    assert str(status_code) in refused.value.message


@pytest.mark.parametrize(
    ("status_code", "code", "remedy"),
    [
        (401, "unauthorized", "GEEKAI_API_KEY"),
        (402, "insufficient_balance", "has to top up"),
        (403, "forbidden", "console"),
    ],
)
def test_a_refused_key_or_balance_names_who_can_mend_it(
    status_code: int, code: str, remedy: str
) -> None:
    for read in (created, observe):
        with pytest.raises(NotAuthorised, match=remedy) as refused:
            read(error(), status_code)
        assert (refused.value.status_code, refused.value.code) == (status_code, code)


@pytest.mark.parametrize(
    ("host", "says"),
    [
        (
            "geekai.co",
            "If the key is from geekai.dev, set GEEKAI_BASE_URL=https://geekai.dev/api/v1",
        ),
        (
            "geekai.dev",
            "If the key is from geekai.co, set GEEKAI_BASE_URL=https://geekai.co/api/v1",
        ),
        ("gateway.example", "GEEKAI_BASE_URL points to gateway.example"),
    ],
)
def test_a_key_of_the_other_entry_is_thought_of(host: str, says: str) -> None:
    with pytest.raises(NotAuthorised) as refused:
        parse_create_response(replace(reply(error(), 401), host=host))

    assert says in refused.value.message


def test_a_balance_is_topped_up_where_the_key_belongs() -> None:
    with pytest.raises(NotAuthorised, match=r"https://geekai\.dev;") as refused:
        parse_create_response(replace(reply(error(), 402), host="geekai.dev"))

    assert "cogvideox-flash" in refused.value.message


@pytest.mark.parametrize(("status_code", "named"), [(413, True), (400, False)])
def test_a_body_that_was_too_large_is_told_its_size(status_code: int, *, named: bool) -> None:
    with pytest.raises(RequestRefused) as refused:
        parse_create_response(replace(reply(error(), status_code), sent_bytes=9_140_000))

    assert ("9.1 MB" in refused.value.message) is named


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        (None, None),
        ("", None),
        ("Mon, 21 Sep 2026 14:13:50 GMT", 30.0),
        ("Mon, 21 Sep 2026 14:13:50 -0000", 30.0),
        ("Mon, 21 Sep 2026 16:13:50 +0200", 30.0),
        ("Mon, 21 Sep 2026 14:13:19 GMT", 0.0),
        ("Mon, 21 Sep 2099 14:13:19 GMT", 86_400.0),
        ("Mon, 21 Sep 99999 14:13:19 GMT", None),
        ("Mon, 41 Sep 2026 14:13:19 GMT", None),
        ("tomorrow", None),
        ("1e9", 86_400.0),
        ("nan", None),
        ("inf", None),
    ],
)
def test_a_limited_request_did_not_run_and_says_when_to_come_back(
    header: str | None, seconds: float | None
) -> None:
    with pytest.raises(ServiceUnavailable) as limited:
        parse_create_response(reply(error(), 429, header))

    assert limited.value.code == "rate_limited"
    assert limited.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    "status_code",
    sorted({*range(400, 600)} - {401, 402, 403, 405, 407, 429, *NOT_EXECUTED}),
)
def test_every_other_status_may_have_been_charged(status_code: int) -> None:
    with pytest.raises(SubmissionUnknown) as unknown:
        created(error("busy", "try later"), status_code)

    assert f"HTTP {status_code}" in unknown.value.message
    assert "try later" in str(unknown.value.raw_response)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n\n",
        b"{",
        b"\xff\xfe\x00",
        b"<html><body>502 Bad Gateway</body></html>",
        b"null",
        b"[]",
        b'"ok"',
        b"42",
        b"{}",
        b'{"task_status": "pending"}',
        b'{"task_id": null, "task_status": "pending"}',
        b'{"task_id": "", "task_status": "pending"}',
        b'{"task_id": "  ", "task_status": "pending"}',
        b'{"task_id": {"id": "8d1f"}, "task_status": "pending"}',
        b'{"error": {"code": "odd", "message": "half an answer"}}',
    ],
)
def test_an_accepted_request_without_a_task_id_may_have_been_charged(body: bytes) -> None:
    with pytest.raises(SubmissionUnknown) as unknown:
        created(body)

    assert unknown.value.raw_response is not None
    assert body.decode("utf-8", "replace") in unknown.value.raw_response


def test_an_unusable_reply_is_kept_up_to_a_limit() -> None:
    with pytest.raises(SubmissionUnknown) as unknown:
        created(b"<html>" + "é".encode() * 100_000)

    assert len(str(unknown.value.raw_response)) == RAW_RESPONSE_LIMIT
    assert "<html>" not in unknown.value.message


def test_a_request_that_fails_at_once_needs_no_id_to_be_a_failure() -> None:
    failed = created({"task_status": "failed", **error("1301", "unsafe")})

    assert (failed.status, failed.error_code, failed.error_message) == (
        Status.FAILED,
        "1301",
        "unsafe",
    )


def test_a_synchronous_answer_is_a_success_at_once() -> None:
    answer = {"task_id": "8d1f", "video_result": {"url": LINK}}

    assert created(answer).status is Status.SUCCEED


# GET /videos/{task_id}.


def test_a_task_that_the_service_does_not_know_is_not_found() -> None:
    with pytest.raises(TaskNotFound):
        observe(error("not_found", "no such task"), 404)


@pytest.mark.parametrize("status_code", [301, 400, 408, 409, 429, 500, 502, 503, 504, 520])
def test_a_poll_without_an_answer_says_nothing_of_the_task(status_code: int) -> None:
    for body in (error(), b"<html>", b""):
        with pytest.raises(ServiceUnavailable):
            observe(body, status_code)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b"null", b'{"error": "x"}', b'{"task_id": "t"}']
)
def test_an_answer_that_names_no_status_is_no_answer(body: bytes) -> None:
    with pytest.raises(ServiceUnavailable):
        observe(body)


def test_a_poll_says_when_to_come_back() -> None:
    with pytest.raises(ServiceUnavailable) as limited:
        parse_task_response(reply(error(), 429, "30"), task_id="t")

    assert limited.value.retry_after_seconds == 30.0


@pytest.mark.parametrize("status_code", [200, 400, 404, 500])
def test_a_failed_task_is_a_failure_whatever_the_status_code(status_code: int) -> None:
    failed = observe({"task_status": "failed", "error": {"code": "x", "message": "y"}}, status_code)

    assert (failed.status, failed.error_code, failed.error_message) == (Status.FAILED, "x", "y")


def test_a_success_claimed_by_an_error_page_is_not_believed() -> None:
    with pytest.raises(ServiceUnavailable):
        observe({"task_status": "succeed", "video_result": {"url": LINK}}, 500)


@pytest.mark.parametrize("blank", [b"\n", b"\r\n\r\n", b" \n \n" * 1000])
def test_blank_keep_alive_lines_before_an_answer_mean_nothing(blank: bytes) -> None:
    answer = json.dumps({"task_id": "8d1f", "task_status": "running"}).encode()

    assert observe(blank + answer + blank).status is Status.RUNNING
    assert created(blank + answer).provider_task_id == "8d1f"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        *((word, Status.SUCCEED) for word in ("succeed", "succeeded", "success", "completed")),
        *((word, Status.SUCCEED) for word in ("done", "finished", "complete", "SUCCESS")),
        *(
            (word, Status.FAILED)
            for word in ("fail", "failed", "error", "expired", "cancelled", "canceled", "FAILURE")
        ),
        *((word, Status.PENDING) for word in ("pending", "queued", "submitted", "IN_QUEUE")),
        *((word, Status.PENDING) for word in ("Preparing", "not started", "NOT_START")),
        *((word, Status.RUNNING) for word in ("running", "processing", "in_progress")),
        *((word, Status.RUNNING) for word in ("In-Progress", "generating", "PROCESSING")),
        ("Succeed", Status.SUCCEED),
        (" FAILED\n", Status.FAILED),
    ],
)
def test_words_for_a_status_win_over_a_link(word: object, status: Status) -> None:
    """With a running one it may be of something unfinished; with a failed one it is kept."""
    found = observe({"task_status": word, "video_result": [{"url": LINK}]})

    assert found.status is status
    assert (found.result is not None) == (status is Status.SUCCEED)
    assert (LINK in str(found.raw_response)) == (status is Status.FAILED)


UNHEARD_OF = ["処理中", "MODAL", "almost", 7, "{0}%s\x1b[31m"]


@pytest.mark.parametrize("word", UNHEARD_OF)
def test_an_unheard_of_word_does_not_win_over_a_link(word: object) -> None:
    found = observe({"task_status": word, "video_result": [{"url": LINK}], **error()})

    assert found.status is Status.SUCCEED
    assert found.result == Result(url=LINK)


@pytest.mark.parametrize("word", UNHEARD_OF)
def test_an_error_beside_an_unheard_of_word_ends_the_task(word: object) -> None:
    found = observe({"task_status": word, **error("1301", "unsafe")})

    assert (found.status, found.error_code, found.error_message) == (
        Status.FAILED,
        "1301",
        "unsafe",
    )


@pytest.mark.parametrize(
    "no_error", [None, {}, [], "", {"code": 0}, {"code": "0", "message": "Success"}, "ok", False]
)
def test_an_unheard_of_word_alone_still_runs_and_is_told_and_kept(no_error: object) -> None:
    found = observe({"task_status": "almost", "error": no_error})

    assert (found.status, found.no_link) == (Status.RUNNING, None)
    assert '"almost"' in str(found.stall_reason)
    assert "almost" in str(found.raw_response)


# `video_result`.

FULL = {
    "id": "v1",
    "url": LINK,
    "cover_image_url": "https://static.geekai.co/a.jpg",
    "duration": 5,
    "revised_prompt": "a red fox",
}


@pytest.mark.parametrize("shape", [FULL, [FULL], [FULL, {"url": "https://example.com/2.mp4"}]])
def test_a_result_may_be_an_object_or_an_array(shape: object) -> None:
    assert observe({"task_status": "succeed", "video_result": shape}).result == Result(
        id="v1",
        url=LINK,
        cover_image_url="https://static.geekai.co/a.jpg",
        duration=5.0,
        revised_prompt="a red fox",
    )


@pytest.mark.parametrize(
    "shape",
    [
        [{"id": "no link"}, {"url": LINK}],
        [None, "x", 3, [], {"url": ""}, {"url": None}, {"url": LINK}],
        {"url": LINK, "duration": "long", "id": {"deep": 1}, "cover_image_url": 12, "new": []},
    ],
)
def test_the_first_entry_with_a_link_is_the_result(shape: object) -> None:
    result = observe({"task_status": "succeed", "video_result": shape}).result

    assert result is not None
    assert result.url == LINK


@pytest.mark.parametrize("shape", [None, [], {}, "soon", [[]], [{"url": ""}], [{"url": []}], 3])
def test_a_success_without_a_link_is_not_finished_yet(shape: object) -> None:
    found = observe({"task_status": "succeed", "video_result": shape})

    assert (found.status, found.result) == (Status.RUNNING, None)
    assert str(found.no_link).startswith("GeekAI reports it finished but returned no video,")
    assert "succeed" in str(found.raw_response)


def test_a_success_with_an_error_and_no_link_has_failed_for_that_reason() -> None:
    found = observe({"task_status": "succeed", "video_result": [], **error("1301", "unsafe")})

    assert (found.status, found.error_code) == (Status.FAILED, "1301")


def test_a_success_with_an_error_and_a_link_is_what_was_paid_for() -> None:
    found = observe({"task_status": "succeed", "video_result": [{"url": LINK}], **error()})

    assert (found.status, found.error_code) == (Status.SUCCEED, None)


PLACES: list[dict[str, Any]] = [
    *(
        {"video_result": shape}
        for shape in (
            LINK,
            [LINK],
            [[LINK]],
            f" {LINK}\n",
            {"video_url": LINK},
            [{"video_url": LINK}],
            json.dumps({"url": LINK}),
            json.dumps([{"url": LINK}]),
            json.dumps([LINK]),
            {"urls": [LINK]},
            [{"download_url": LINK}],
            {"videos": [{"url": LINK}]},
        )
    ),
    {"video_url": LINK},
    {"videoUrl": LINK},
    {"file": {"download_url": LINK}},
    {"assets": {"video": LINK}},
    {"data": {"task": {"video_result": [{"url": LINK}]}}},
    {"response": {"generateVideoResponse": {"generatedSamples": [{"video": {"uri": LINK}}]}}},
    {"url": LINK},
    {"video_urls": [LINK]},
    {"output": LINK},
    {"output": [LINK]},
    {"output": {"video_url": LINK}},
    {"result": {"video": {"url": LINK}}},
    {"results": [{"url": LINK}]},
    {"task_result": {"videos": [{"id": "1", "url": LINK, "duration": "5"}]}},
    {"content": {"video_url": LINK}},
    {"creations": [{"url": LINK, "cover_url": "https://x/1.png"}]},
    {"data": LINK},
    {"data": [LINK]},
    {"data": {"url": LINK}},
    {"data": [{"video_url": LINK}]},
    {"data": {"video_result": [{"url": LINK}]}},
    {"data": json.dumps({"video_result": [{"url": LINK}]})},
    {"data": {"data": {"output": [LINK]}}},
    {"video_result": [], "video_url": LINK},
    {"video_result": [{"url": ""}], "data": [{"url": LINK}]},
    {"output": ["https://static.geekai.co/cover.png", LINK]},
]


def test_an_array_of_one_answer_is_that_answer() -> None:
    assert created([{"task_id": "t1", "task_status": "pending"}]).provider_task_id == "t1"
    found = observe([{"task_status": "succeed", "video_result": [{"url": LINK}]}])
    assert found.result == Result(url=LINK)


@pytest.mark.parametrize("place", PLACES, ids=json.dumps)
@pytest.mark.parametrize("word", ["succeed", "unheard of", None])
def test_a_link_is_found_wherever_it_stands(word: str | None, place: dict[str, Any]) -> None:
    named = {"task_status": word} if word else dict[str, str]()
    for body in ({**named, **place}, {"code": 0, "message": "ok", "data": {**named, **place}}):
        found = observe({"task_id": "t", **body})

        assert found.status is Status.SUCCEED
        assert found.result is not None
        assert found.result.url == LINK


@pytest.mark.parametrize(
    "echo",
    [
        {"image": "https://x/in.png"},
        {"video": "https://x/in.mp4"},
        {"images": ["https://x/in.png"], "audio": ["https://x/in.mp3"]},
        {"input": {"url": "https://x/in.mp4"}},
        {"request": {"video_url": "https://x/in.mp4"}},
        {"url": "https://x/in.png"},
        {"data": {"input": {"url": "https://x/in.mp4"}, "image": "https://x/in.png"}},
        {"content": [{"type": "video_url", "video_url": {"url": "https://x/in.mp4"}}]},
        {"video_result": [], "message": "see https://x/in.mp4"},
        {"url": "ftp://x/1.mp4"},
        {"output": "file:///etc/passwd"},
        {"video_url": "data:video/mp4;base64,AAAA"},
    ],
    ids=json.dumps,
)
def test_what_is_no_link_to_a_result_is_not_taken(echo: dict[str, Any]) -> None:
    assert observe({"task_status": "succeed", **echo}).no_link
    assert observe({"task_status": "almost", **echo}).status is Status.RUNNING


@pytest.mark.parametrize("around", ['"{}"', "<{}>", "[video]({})", 'href="{}">'])
def test_what_stands_around_a_documented_link_is_left_away(around: str) -> None:
    text = around.replace("{}", LINK)
    assert observe({"task_status": "succeed", "video_result": [{"url": text}]}).result == Result(
        url=LINK
    )


def test_a_documented_link_that_is_odd_is_handed_on() -> None:
    """The downloader says what is wrong with it; a better one elsewhere goes first."""
    odd = {"task_status": "succeed", "video_result": [{"url": "/files/1.mp4"}]}
    first, second = observe(odd).result, observe({**odd, "url": LINK}).result

    assert (first and first.url, second and second.url) == ("/files/1.mp4", LINK)


def test_the_facts_beside_a_link_are_taken_with_it() -> None:
    beside = {"id": "v", "url": LINK, "duration": 5, "cover_image_url": "https://x/1.png"}

    assert observe({"task_status": "succeed", "task_result": {"videos": [beside]}}).result == (
        Result(id="v", url=LINK, duration=5.0, cover_image_url="https://x/1.png")
    )
    assert observe({"task_status": "succeed", **beside}).result == Result(
        url=LINK, duration=5.0, cover_image_url="https://x/1.png"
    )


WRAPPED: list[dict[str, Any]] = [
    {"code": 0, "message": "success", "data": {"task_id": "8d1f", "task_status": "pending"}},
    {"code": 200, "data": [{"task_id": "8d1f", "status": "submitted"}]},
    {"status": "success", "data": {"task_id": "8d1f"}},
    {"data": json.dumps({"task_id": "8d1f", "task_status": "pending"})},
    {"request_id": "r", "output": {"task_id": "8d1f", "task_status": "PENDING"}},
    {"code": "success", "data": {"task_id": "8d1f", "data": {"id": "x", "status": "queued"}}},
    {"id": "8d1f", "object": "video", "status": "queued"},
    {"taskId": "8d1f", "state": "wait"},
    {"task_id": "8d1f"},
]


@pytest.mark.parametrize("body", WRAPPED, ids=json.dumps)
def test_a_task_is_accepted_in_any_wrapping(body: dict[str, Any]) -> None:
    accepted = created(body)

    assert accepted.provider_task_id == "8d1f"
    assert accepted.status in {Status.PENDING, Status.RUNNING}
    assert accepted.no_link is None, "the call succeeded, and not the task"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"code": 0, "data": {"task_id": "t", "task_status": "running"}}, Status.RUNNING),
        ({"code": 0, "data": {"task_id": "t", "task_status": "FAILURE"}}, Status.FAILED),
        ({"status": "success", "data": {"task_id": "t", "status": "PROCESSING"}}, Status.RUNNING),
        ({"id": "t", "status": "in_progress"}, Status.RUNNING),
        (
            {"code": "success", "data": {"task_id": "t", "status": "FAILURE", "fail_reason": "x"}},
            Status.FAILED,
        ),
    ],
)
def test_a_status_is_read_in_any_wrapping(body: dict[str, Any], status: Status) -> None:
    assert observe(body).status is status


@pytest.mark.parametrize(
    "body",
    [
        {"code": 1002, "message": "slow down"},
        {"status": "error", "message": "slow down"},
        {"status": "failed", "error": {"code": "1002", "message": "slow down"}},
        {"task_id": "t", "error": {"message": "slow down"}},
    ],
)
def test_an_error_about_the_call_says_nothing_of_the_task(body: dict[str, Any]) -> None:
    with pytest.raises(ServiceUnavailable, match="slow down") as odd:
        observe(body)

    assert "slow down" in str(odd.value.raw_response)


def test_a_message_of_an_envelope_about_a_creation_may_have_been_charged() -> None:
    with pytest.raises(SubmissionUnknown, match="1002: slow down"):
        created({"code": 1002, "message": "slow down"})


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"code": 400, "message": "no such size"}, RequestRefused),
        ({"error": {"code": "validation_error", "message": "no such size"}}, RequestRefused),
        ({"code": "401", "message": "no such key"}, NotAuthorised),
        ({"code": 402, "message": "top up"}, NotAuthorised),
    ],
)
def test_a_refusal_that_comes_with_200_is_a_refusal(
    body: dict[str, Any], kind: type[GeekAIVideoError]
) -> None:
    with pytest.raises(kind, match="HTTP 200 and code 40"):
        created(body)


@pytest.mark.parametrize("code", ["invalid_request", 500, 503, 429, 408, "busy", 1301])
def test_other_codes_with_200_may_have_been_charged(code: object) -> None:
    with pytest.raises(SubmissionUnknown):
        created({"code": code, "message": "no"})


# What breaks off.


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "m", "task_id": "8d1f", "task_st',
        b'\n\n{"task_id" : "8d1f"',
        b'{"code": 0, "data": {"task_id":"8d1f",',
        b'{"task_id": "8d1f", "task_status": "pending"}}}',
        b'{"taskId": "8d1f", "x": [1, 2',
    ],
)
def test_an_id_is_read_from_an_answer_that_broke_off_after_it(body: bytes) -> None:
    accepted = created(body)

    assert (accepted.provider_task_id, accepted.status) == ("8d1f", Status.PENDING)
    assert "only be read up to its task id" in str(accepted.stall_reason)
    assert "8d1f" in str(accepted.raw_response)


@pytest.mark.parametrize(
    "body",
    [
        b'{"task_id": "8d1',
        b'{"task_id": 81',
        b'{"task_id": "8d 1f", "x',
        b'{"task_id": "8d\\u0031f", "x',
        b'{"task_id": "", "x',
        b'{"task_id": "a", "task_id": "b", "x',
        b'{"prompt": "say \\"task_id\\": \\"8d1f\\""',
        b'<html>{"task_id": "8d1f"}',
        b'{"task_id": "' + b"a" * 600 + b'", "x',
    ],
)
def test_an_id_that_is_not_whole_or_not_sure_is_none(body: bytes) -> None:
    with pytest.raises(SubmissionUnknown) as unknown:
        created(body)

    assert unknown.value.raw_response


@pytest.mark.parametrize("body", [b'{"task_id": "t", "task_status": "succ', b'{"task_id": "t"'])
def test_a_poll_that_broke_off_is_unusable_and_is_kept(body: bytes) -> None:
    broken = replace(reply(body), defect="broke off after 9 bytes (ReadError)")

    with pytest.raises(ServiceUnavailable, match="broke off after 9 bytes") as odd:
        parse_task_response(broken, task_id="t")

    assert "task_id" in str(odd.value.raw_response)


# What is not the API.

PAGES = [b"<!doctype html><title>Hi", b"  \n<HTML>", b"\xef\xbb\xbf<html>", b"<?xml version='1'?>"]
BARE = [b"", b"404 page not found", b'{"detail": "Not Found"}', b'{"error": "Not Found"}']


@pytest.mark.parametrize("api_seen", [False, True])
@pytest.mark.parametrize("status_code", [404, 405])
@pytest.mark.parametrize("body", [*PAGES, *BARE])
def test_a_path_that_the_api_has_and_this_service_has_not_names_the_address(
    body: bytes, status_code: int, *, api_seen: bool
) -> None:
    response = replace(
        reply(body, status_code), api_seen=api_seen, base_url="https://geekai.test", host="h.test"
    )

    with pytest.raises(WrongService, match=f"h.test answered HTTP {status_code}") as wrong:
        parse_create_response(response)

    assert "GEEKAI_BASE_URL is https://geekai.test" in wrong.value.message
    assert "/api/v1" in wrong.value.message


@pytest.mark.parametrize("status_code", [200, 201, 400, 401, 403, 404, 405, 410])
@pytest.mark.parametrize("body", PAGES)
def test_a_web_page_before_the_api_ever_answered_is_not_the_api(
    body: bytes, status_code: int
) -> None:
    for read in (created, observe):
        with pytest.raises(WrongService, match="a web page"):
            read(body, status_code, api_seen=False)


@pytest.mark.parametrize("status_code", [408, 500, 502, 503, 504, 524])
@pytest.mark.parametrize("api_seen", [False, True])
def test_a_web_page_of_an_overloaded_gateway_may_hide_a_charge(
    status_code: int, *, api_seen: bool
) -> None:
    with pytest.raises(SubmissionUnknown, match="a web page instead of JSON"):
        created(PAGES[0], status_code, api_seen=api_seen)


@pytest.mark.parametrize("body", PAGES)
def test_a_web_page_from_the_api_may_hide_a_charge(body: bytes) -> None:
    with pytest.raises(SubmissionUnknown, match="a web page instead of JSON"):
        created(body)


def test_a_refusal_by_the_api_never_speaks_of_the_address() -> None:
    with pytest.raises(RequestRefused) as refused:
        created(error("model_not_found", "no such model"), 404, api_seen=False)

    assert "GEEKAI_BASE_URL" not in refused.value.message


def test_a_proxy_that_wants_a_password_is_named_by_its_variables() -> None:
    for read in (created, observe):
        with pytest.raises(ServiceUnavailable, match="HTTPS_PROXY, HTTP_PROXY and ALL_PROXY"):
            read(b"<html>", 407)


# Bounds.


@pytest.mark.parametrize(
    "body",
    [
        b'{"task_id": "t", "data": [' + b",".join([b"{}"] * 200_000) + b"]}",
        b'{"video_result": [' + b",".join([b"[]"] * 200_000) + b"]}",
        b"{" + b",".join(b'"%d":1' % number for number in range(200_000)) + b"}",
    ],
)
def test_an_answer_of_very_many_items_is_not_read(body: bytes) -> None:
    with pytest.raises(ServiceUnavailable):
        observe(body)
    with pytest.raises(ServiceUnavailable):
        listing(body)


def test_the_entries_of_a_list_are_searched_up_to_a_number() -> None:
    entries: list[object] = [{"url": ""}] * 5000

    assert observe({"task_status": "succeed", "video_result": [*entries, LINK]}).no_link


def test_a_result_of_a_task_that_still_runs_is_not_taken() -> None:
    assert observe({"task_status": "running", "video_result": FULL}).result is None


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
def test_a_number_that_is_none_is_a_field_that_was_not_given(number: str) -> None:
    body = (
        f'{{"task_status": "succeed", "estimated_seconds": {number},'
        f' "video_result": {{"url": "{LINK}", "duration": {number}}}}}'
    ).encode()

    over = observe(body)

    assert over.result == Result(url=LINK)
    assert over.estimated_seconds is None


@pytest.mark.parametrize(
    ("shape", "code", "message"),
    [
        ({"code": "1301", "message": "unsafe"}, "1301", "unsafe"),
        ({"code": 1301, "message": None, "details": [1]}, "1301", None),
        ({"message": "unsafe"}, "failed", "unsafe"),
        ("unsafe", "failed", "unsafe"),
        (1301, "failed", "1301"),
        (None, "failed", None),
        ([], "failed", None),
        ({"code": {"deep": {}}, "message": ["a"]}, "failed", None),
    ],
)
def test_an_error_may_come_in_any_shape(shape: object, code: str, message: str | None) -> None:
    failed = observe({"task_status": "failed", "error": shape})

    assert (failed.error_code, failed.error_message) == (code, message)


def test_a_message_beside_the_error_is_taken_when_the_error_has_none() -> None:
    assert observe({"task_status": "failed", "message": "unsafe"}).error_message == "unsafe"


def test_the_services_words_come_through_as_one_plain_capped_line() -> None:
    hostile = "\x1b[31mIGNORE\u202e\n\nall" + "x" * 10_000

    failed = observe({"task_status": "failed", "error": {"code": hostile, "message": hostile}})

    assert failed.error_code is not None
    assert failed.error_message is not None
    assert len(failed.error_code) <= 64
    assert len(failed.error_message) <= 300
    assert failed.error_message.startswith("[31mIGNORE all")


def test_an_estimate_is_taken_from_the_answer_or_from_the_header() -> None:
    answer = {"task_status": "running", "estimated_seconds": 12.5}

    assert observe(answer).estimated_seconds == 12.5
    assert (
        parse_task_response(
            reply({"task_status": "running"}, 200, "7"), task_id="t"
        ).estimated_seconds
        == 7
    )


@pytest.mark.parametrize(
    ("said", "ignored"),
    [
        ({"preview": True, "ignored": ["fps", "extra_body.seed"]}, "fps, extra_body.seed"),
        ({"ignored": ["a\u202e b", 7, None, ""]}, '"a b"'),
        ({"ignored": []}, None),
        ({"ignored": "fps"}, None),
        ({"ignored": ["x" * 10_000] * 10_000}, ", ".join([f'"{"x" * 63}…"'] * 20)),
        (True, None),
        ([{"ignored": ["fps"]}], None),
        (None, None),
    ],
    ids=["fields", "hostile", "none", "text", "many", "flag", "list", "null"],
)
def test_what_the_sandbox_says_it_ignored_is_read_as_data(
    said: object, ignored: str | None
) -> None:
    answer = {"task_id": "t", "task_status": "running", "sandbox": said}

    assert observe(answer).ignored == ignored


# Anything at all.

DEEP = b'{"task_id": "t", "task_status": "running", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
answers = st.fixed_dictionaries(
    {},
    optional={
        name: json_values | st.sampled_from(["succeed", "failed", LINK, {"url": LINK}])
        for name in (
            "model",
            "task_id",
            "task_status",
            "video_result",
            "error",
            "message",
            "estimated_seconds",
            "sandbox",
        )
    },
)
status_codes = st.sampled_from([200, 202, 302, 400, 401, 404, 409, 429, 500, 503])


def understood(given_reply: ProviderResponse) -> None:
    """Each reader returns an observation that can be kept, or raises one of our errors."""
    for read in (parse_create_response, partial(parse_task_response, task_id="t")):
        try:
            answer = read(given_reply)
        except GeekAIVideoError as exc:
            exc.message.encode()
            continue
        assert answer.provider_task_id != ""
        text = json.dumps([answer.provider_task_id, answer.model, answer.error_message])
        text.encode()
        assert answer.estimated_seconds is None or math.isfinite(answer.estimated_seconds)
        assert (answer.status is Status.SUCCEED) == (answer.result is not None)


@settings(max_examples=200)
@given(st.binary(max_size=200), status_codes, st.none() | st.text(max_size=10))
def test_any_bytes_are_understood_or_refused(body: bytes, code: int, header: str | None) -> None:
    understood(ProviderResponse(status_code=code, body=body, at=NOW, retry_after=header))


@settings(max_examples=300)
@given(answers | json_values, status_codes)
def test_any_json_is_understood_or_refused(payload: object, code: int) -> None:
    understood(reply(payload, code))


@pytest.mark.parametrize(
    "body",
    [
        DEEP,
        b"[" * 100_000,
        b'{"task_status": "running", "estimated_seconds": ' + b"9" * 10_000 + b"}",
        b'{"task_status": "failed", "error": {"message": ' + b"[" * 900 + b"]" * 900 + b"}}",
        b'{"task_id": "\\ud800", "task_status": "running"}',
        b'{"\\ud800": "\\udfff", "task_id": "t", "task_status": "running"}',
        b'\xef\xbb\xbf{"task_id": "t", "task_status": "running"}',
        '{"task_id": "t", "task_status": "running"}'.encode("utf-16"),
    ],
    ids=["deep", "open", "huge", "nested", "half", "half-key", "bom", "utf-16"],
)
def test_what_breaks_parsers_does_not_break_this_one(body: bytes) -> None:
    for code in (200, 400, 500):
        understood(ProviderResponse(status_code=code, body=body, at=NOW))


# The request.

EVERYTHING: dict[str, Any] = {
    "model": "cogvideox-3",
    "prompt": "a fox",
    "negative_prompt": "rain",
    "image": "https://example.com/1.png",
    "image_tail": "https://example.com/2.png",
    "images": ["https://example.com/3.png"],
    "video": "https://example.com/1.mp4",
    "audio": ["https://example.com/1.mp3"],
    "with_audio": True,
    "size": "1920x1080",
    "resolution": "1080p",
    "aspect_ratio": "16:9",
    "quality": "std",
    "duration": 5,
    "fps": 30,
    "watermark": False,
    "async": True,
    "extra_body": {"draft": True, "seed": 7},
    "retries": 0,
}


def body_of(arguments: dict[str, Any]) -> Mapping[str, Any]:
    """What is sent for these arguments of generate_video."""
    return GenerateVideo.parse(arguments).to_request(default_model="none").body


def test_every_field_leaves_in_its_documented_spelling() -> None:
    assert body_of(EVERYTHING) == EVERYTHING
    names = {info.alias or name for name, info in GenerateVideo.model_fields.items()}
    assert names - {"idempotency_key", "variation", "dry_run"} == set(EVERYTHING)


def test_only_what_was_set_is_sent() -> None:
    set_by_the_caller = {"model": "m", "prompt": "p"}

    assert body_of(set_by_the_caller) == {**set_by_the_caller, "async": True}


def test_false_and_zero_were_set() -> None:
    given_on_purpose: dict[str, Any] = {
        "model": "m",
        "prompt": "p",
        "watermark": False,
        "retries": 0,
    }

    assert body_of(given_on_purpose) == {**given_on_purpose, "async": True}


# Samples: what was read at its source, word for word.


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_the_documents_show_is_understood(path: Path) -> None:
    sample = json.loads(path.read_text("utf-8"))
    assert sample["source"]
    assert sample["read_on"]
    kind, payload, code = sample["kind"], sample["payload"], sample.get("status_code")

    if kind == "request":
        # The page's full example has every field, and sizes that contradict each other.
        sizes = {"resolution", "aspect_ratio"} if "size" in payload else set[str]()
        consistent = {name: value for name, value in payload.items() if name not in sizes}
        assert body_of(consistent) == {**consistent, "async": True}
        assert set(payload) <= set(EVERYTHING)
    elif kind == "create_answer":
        media = Media.IMAGE if "data" in payload else Media.VIDEO
        understood_as(created(payload, code or 200, media=media), payload)
    elif kind == "task_answer":
        media = Media.IMAGE if "data" in payload else Media.VIDEO
        understood_as(observe(payload, code or 200, media=media), payload)
    elif kind == "models_page":
        page = listing(payload)
        assert [one.id for one in page.models] == [one["id"] for one in payload["data"]]
        assert page.total == payload["total"]
    elif kind == "error":
        for read in (created, observe, listing):
            with pytest.raises(GeekAIVideoError):
                read(payload, code)


def understood_as(answer: Observation, payload: dict[str, Any]) -> None:
    """The documented words `pending`, `run`, `succeed` and `failed` are our own."""
    word = {"success": "succeed"}.get(payload["task_status"], payload["task_status"])
    assert answer.status is Status(word)
    assert answer.provider_task_id in {None, payload.get("task_id")}
    assert (answer.result is not None) == (word == "succeed")


@pytest.mark.parametrize(
    ("data", "link"),
    [
        ([{"url": "https://example.com/1.png"}], "https://example.com/1.png"),
        ({"url": "https://example.com/1.png"}, "https://example.com/1.png"),
        ([{"b64_json": "iVBO"}], "data:;base64,iVBO"),
        ([{"url": " ", "b64_json": "iVBO"}], "data:;base64,iVBO"),
        ([{"url": "https://example.com/1.png", "b64_json": "iVBO"}], "https://example.com/1.png"),
        (
            [{"revised_prompt": "r"}, {"url": "https://example.com/2.png"}],
            "https://example.com/2.png",
        ),
    ],
)
def test_a_picture_comes_as_a_link_or_in_the_answer_itself(data: object, link: str) -> None:
    found = observe({"task_id": "t", "task_status": "succeed", "data": data}, media=Media.IMAGE)

    assert found.status is Status.SUCCEED
    assert found.result is not None
    assert found.result.url == link


def test_a_picture_that_is_there_at_once_needs_no_task() -> None:
    """It was paid for: without an id there is nothing to ask for, and nothing left to ask."""
    answer = {"created": 1, "data": [{"url": "https://example.com/1.png"}]}
    found = created(answer, media=Media.IMAGE)

    assert (found.status, found.provider_task_id) == (Status.SUCCEED, None)


@pytest.mark.parametrize("data", [[], [{}], "none", None, [{"b64_json": ""}], [1]])
def test_data_without_a_picture_is_no_picture(data: object) -> None:
    found = observe({"task_id": "t", "task_status": "succeed", "data": data}, media=Media.IMAGE)

    assert (found.status, found.result) == (Status.RUNNING, None)
    assert str(found.no_link).startswith("GeekAI reports it finished but returned no image,")


@pytest.mark.parametrize(
    "place",
    [
        {"image_url": "https://x/1.png"},
        {"url": "https://x/1.png"},
        {"data": "https://x/1.png"},
        {"data": ["https://x/1.png"]},
        {"data": {"image_url": "https://x/1.png"}},
        {"output": {"images": [{"url": "https://x/1.png"}]}},
        {"data": {"data": [{"url": "https://x/1.png"}]}},
        {"results": ["https://x/1.png"], "image": "https://x/in.png", "images": ["https://x/in"]},
    ],
    ids=json.dumps,
)
def test_a_picture_is_found_wherever_it_stands(place: dict[str, Any]) -> None:
    found = observe({"task_status": "succeed", **place}, media=Media.IMAGE)

    assert found.result == Result(url="https://x/1.png")


@pytest.mark.parametrize(
    "place", [{"b64_json": "iVBO"}, {"data": {"b64_json": "data:image/png;base64,iVBO"}}]
)
def test_a_picture_itself_is_found_wherever_it_stands(place: dict[str, Any]) -> None:
    found = observe({"task_status": "succeed", **place}, media=Media.IMAGE).result

    assert found is not None
    assert str(found.url).endswith("base64,iVBO")


@pytest.mark.parametrize("echo", [{"image": "https://x/1.png"}, {"images": ["https://x/1.png"]}])
def test_an_echoed_picture_is_no_result(echo: dict[str, Any]) -> None:
    assert observe({"task_status": "succeed", **echo}, media=Media.IMAGE).no_link


def listing(payload: object, status_code: int = 200) -> ModelsPage:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return parse_models_response(
        ProviderResponse(status_code=status_code, body=body, at=1.0, retry_after="7")
    )


def test_a_page_of_models_is_read_however_strange_its_entries() -> None:
    entries: list[object] = [
        {"id": "a", "type": "VIDEO", "status": "Active", "pricing": {}},
        {"id": 7, "type": None, "status": ["x"]},
        {"id": "", "type": "video"},
        {"name": "no id"},
        "a string",
        None,
        {"id": "b\u202e\x1b[31m" + "x" * 99, "type": "video"},
    ]
    page = listing({"data": entries, "total": "many"})

    first, second, hostile = page.models
    assert first == LiveModel(id="a", type="video", status="active")
    assert second == LiveModel(id="7")
    assert len(hostile.id) <= 64
    assert "\u202e" not in hostile.id
    assert "\x1b" not in hostile.id
    assert page.total is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"total": 3}', b"[" * 100_000])
def test_what_is_no_list_of_models_may_be_asked_for_later(body: bytes) -> None:
    with pytest.raises(ServiceUnavailable, match="no list of models"):
        listing(body)


def test_a_limited_list_of_models_says_for_how_long() -> None:
    with pytest.raises(ServiceUnavailable) as error:
        listing({"error": {"message": "slow down"}}, 429)

    assert (error.value.code, error.value.retry_after_seconds) == ("rate_limited", 7.0)


def test_a_list_of_models_that_the_key_may_not_see_is_the_operators() -> None:
    with pytest.raises(NotAuthorised):
        listing({"error": {"message": "no"}}, 401)
