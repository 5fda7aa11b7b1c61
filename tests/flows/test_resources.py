"""Tasks and their files, read beside the tools."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp_types import BlobResourceContents, Resource, ResourceLink, TextResourceContents

from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import new_task
from geekai_video_mcp.server.resources import middleware, templates
from support.fake_geekai import VIDEO, file_reply
from support.ledgers import record_tasks
from support.world import World, call, now, structured

pytestmark = pytest.mark.both_eras


async def finished_task(
    client: Client, tool: str = "generate_video", **arguments: object
) -> dict[str, Any]:
    """A task that was waited for, as it is told."""
    started = structured(await call(client, tool, **{"prompt": "a fox", **arguments}))
    done = await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=45)
    return structured(done)


def uri_of(task: dict[str, Any]) -> str:
    """The resource of a task's file."""
    part = "last-frame" if task["file"].endswith(".png") else "video"
    return f"video://tasks/{task['task_id']}/{part}"


def subject_of(resource: Resource) -> str:
    """The prompt with which the name of a task begins."""
    return resource.name.split(" · ", maxsplit=1)[0]


async def read(client: Client, uri: str) -> TextResourceContents | BlobResourceContents:
    (content,) = (await client.read_resource(uri)).contents
    return content


async def refusal_of(client: Client, uri: str) -> MCPError:
    with pytest.raises(MCPError) as exc:
        await client.read_resource(uri)
    assert exc.value.error.data == {"uri": uri}
    return exc.value


async def list_page(client: Client, cursor: str | None = None) -> list[Resource]:
    return (await client.list_resources(cursor=cursor)).resources


@pytest.mark.parametrize("takes", [0, 600])
async def test_a_task_is_read_as_get_video_task_shows_it(world: World, takes: float) -> None:
    world.service.job_seconds = takes
    async with world.client() as client:
        task = await finished_task(client)
        again = structured(
            await call(client, "get_video_task", task_id=task["task_id"], wait_seconds=0)
        )
        content = await read(client, f"video://tasks/{task['task_id']}")

    assert isinstance(content, TextResourceContents)
    assert content.mime_type == "application/json"
    assert json.loads(content.text) == again


async def test_reading_asks_the_service_for_nothing(world: World) -> None:
    world.service.job_seconds = 600
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        request_count = len(world.service.requests)
        await read(client, f"video://tasks/{task_id}")
        await refusal_of(client, f"video://tasks/{'0' * 32}")

    assert len(world.service.requests) == request_count


async def test_reading_is_no_delivery_so_the_same_request_still_finds_its_task(
    world: World,
) -> None:
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        await anyio.sleep(60)
        content = await read(client, f"video://tasks/{task_id}")
        await anyio.sleep(600)
        again = structured(await call(client, "generate_video", prompt="a fox"))

    assert isinstance(content, TextResourceContents)
    assert json.loads(content.text)["task_status"] == "succeed"
    assert again["task_id"] == task_id
    assert world.service.charges == ["a fox"]


async def test_a_finished_video_is_read_whole(world: World) -> None:
    async with world.client() as client:
        task = await finished_task(client)
        content = await read(client, uri_of(task))

    assert isinstance(content, BlobResourceContents)
    assert content.mime_type == "video/mp4"
    assert base64.b64decode(content.blob) == VIDEO


async def test_the_parts_of_a_video_are_together_the_video(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(templates, "PART_BYTES", 300)
    async with world.client() as client:
        task = await finished_task(client)
        count = -(-task["bytes"] // 300)
        parts = [await read(client, f"{uri_of(task)}/{number}") for number in range(count)]
        for part in (str(count), "-1", "1.5", "x", "²", "9" * 40):
            error = await refusal_of(client, f"{uri_of(task)}/{part}")
            assert error.code == -32602
            assert "they count from 0" in str(error)

    assert count > 2
    blobs = [part.blob for part in parts if isinstance(part, BlobResourceContents)]
    assert base64.b64decode("".join(blobs)) == VIDEO  # not one by one: 300 is a multiple of 3


async def test_a_picture_has_no_parts(world: World) -> None:
    async with world.client() as client:
        task = await finished_task(client, "generate_image")
        error = await refusal_of(client, f"video://tasks/{task['task_id']}/video/0")

    assert str(error) == f"Task {task['task_id']} has an image as its result: read {uri_of(task)}."


async def test_a_webm_is_called_what_it_is(world: World) -> None:
    webm = b"\x1a\x45\xdf\xa3" + bytes(5000)

    async def say_webm(_: object) -> Any:  # noqa: ANN401 - an answer of the service's
        return file_reply(webm)

    world.service.on_file = say_webm
    async with world.client() as client:
        task = await finished_task(client)
        content = await read(client, uri_of(task))
        _, entry = await list_page(client)

    assert isinstance(content, BlobResourceContents)
    assert base64.b64decode(content.blob) == webm
    assert (content.mime_type, entry.mime_type) == ("video/webm", "video/webm")


async def test_a_video_too_large_for_a_blob_is_named_by_path_and_size(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(templates, "MAX_BLOB_BYTES", len(VIDEO))
    async with world.client() as client:
        task = await finished_task(client)
        assert isinstance(await read(client, uri_of(task)), BlobResourceContents)
        monkeypatch.setattr(templates, "MAX_BLOB_BYTES", len(VIDEO) - 1)
        error = await refusal_of(client, uri_of(task))

    assert error.code == -32603
    assert str(error) == (
        f"The video is {len(VIDEO) / 1e6:.1f} MB, above the 0 MB blob limit. Read it from"
        f" {task['file']}."
    )


async def test_a_file_that_is_gone_is_said_to_be_gone(world: World) -> None:
    async with world.client() as client:
        task = await finished_task(client)
        Path(task["file"]).unlink()
        error = await refusal_of(client, uri_of(task))
        cover = await refusal_of(client, f"video://tasks/{task['task_id']}/cover")

    assert (error.code, cover.code) == (-32603, -32603)
    assert f'"{task["file"]}" cannot be read' in str(error)
    assert f"No preview of {task['file']}: the file was moved or cannot be decoded" in str(cover)


async def test_a_task_without_a_file_yet_says_so_and_what_to_do(world: World) -> None:
    world.service.job_seconds = 600
    async with world.client() as client:
        task = await finished_task(client)
        for part in ("video", "video/0", "cover", "frames", "last-frame"):
            error = await refusal_of(client, f"video://tasks/{task['task_id']}/{part}")

            assert error.code == -32603
            assert str(error).startswith("The task has no file yet. Call get_video_task")
    assert "file" not in task


async def test_a_failed_task_says_what_to_do_in_place_of_a_file(world: World) -> None:
    world.service.error = {"code": "1301", "message": "unsafe"}
    async with world.client() as client:
        task = await finished_task(client)
        error = await refusal_of(client, f"video://tasks/{task['task_id']}/video")

    assert task["next_step"] in str(error)


PARTS = ("", "/video", "/video/0", "/cover", "/frames", "/last-frame")


async def test_an_unknown_task_is_the_callers_mistake(world: World) -> None:
    async with world.client() as client:
        for task_id in ("0" * 32, "zz", "%20", "a%2Fb", "task", "%E7%8B%90", "'--"):
            for part in PARTS:
                error = await refusal_of(client, f"video://tasks/{task_id}{part}")

                assert error.code == -32602
                assert "is not recorded here" in str(error)


async def test_a_path_in_place_of_an_id_is_unknown_whatever_its_spelling(world: World) -> None:
    paths = (
        "..",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "..%5c..%5cwindows",
        "%2fetc%2fpasswd",
        "C%3A%5Cwindows",
        "a%00b",
        "../../etc/passwd",
        "..%2fsecret",
        "a/b",
        "",
    )
    async with world.client() as client:
        task = await finished_task(client)
        (Path(task["file"]).parent.parent / "secret").write_text("a secret word", "utf-8")
        for path in paths:
            for part in PARTS:
                error = await refusal_of(client, f"video://tasks/{path}{part}")

                assert error.code == -32602, (path, part)
                assert "a secret word" not in str(error)


async def test_only_the_published_forms_are_resources(world: World) -> None:
    async with world.client() as client:
        task = await finished_task(client)
        for ending in ("/", "/Video", "/video/", "/video/x", "?x=1", "#x", "/videos"):
            error = await refusal_of(client, f"video://tasks/{task['task_id']}{ending}")

            assert error.code == -32602, ending


async def test_geekais_own_id_is_no_second_address_of_a_task(world: World) -> None:
    async with world.client() as client:
        task = await finished_task(client)
        error = await refusal_of(client, f"video://tasks/{world.provider_id(task['task_id'])}")

    assert error.code == -32602


async def test_a_made_picture_is_read_as_a_picture(world: World) -> None:
    async with world.client() as client:
        task = await finished_task(client, "generate_image")
        error = await refusal_of(client, f"video://tasks/{task['task_id']}/video")
        entry, picture = await list_page(client)

    expected = f"Task {task['task_id']} has an image as its result: read {uri_of(task)}."
    assert str(error) == expected
    assert entry.uri == f"video://tasks/{task['task_id']}"
    assert (picture.uri, picture.mime_type, picture.size) == (uri_of(task), "image/png", None)
    assert picture.name == Path(task["file"]).name


async def test_the_list_begins_with_the_newest_task_and_its_file(world: World) -> None:
    async with world.client() as client:
        empty = await list_page(client)
        old = await finished_task(client)
        world.service.job_seconds = 600
        await anyio.sleep(1)
        new = await finished_task(client, prompt="a hare")
        first, second, third = await list_page(client)

    assert empty == []
    assert first.uri == f"video://tasks/{new['task_id']}"
    assert (first.mime_type, first.size) == ("application/json", None)
    assert first.name.startswith("a hare · video task · 2026-09-2")
    assert second.uri == f"video://tasks/{old['task_id']}"
    assert second.name.startswith("a fox · video task · 2026-09-2")
    assert third.uri == uri_of(old)
    assert (third.name, third.mime_type) == (Path(old["file"]).name, "video/mp4")
    assert third.size == len(VIDEO)
    assert first.description is not None
    assert first.description.startswith("video, cogvideox-flash, 2026-09-2")


async def test_pages_of_the_list_follow_each_other_without_gap_or_repeat(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware, "PAGE_SIZE", 2)
    async with world.client() as client:
        for number in range(5):
            await anyio.sleep(1)
            await call(client, "generate_video", prompt=f"shot {number}")
        found: list[str] = []
        sizes: list[int] = []
        page = await client.list_resources()
        found += [subject_of(one) for one in page.resources]
        while page.next_cursor is not None:
            sizes.append(len(page.resources))
            page = await client.list_resources(cursor=page.next_cursor)
            found += [subject_of(one) for one in page.resources]

    assert found == [f"shot {number}" for number in (4, 3, 2, 1, 0)]
    assert sizes == [2, 2]


async def test_a_page_has_fifty_entries_at_most(world: World) -> None:
    tasks = (
        new_task(request={}, account=world.account, owner="dead", at=now() + number)
        for number in range(26)
    )
    stored = [
        replace(each, status=Status.SUCCEED, file_status=FileStatus.STORED, file_path="/a.mp4")
        for each in tasks
    ]
    await record_tasks(world.state, *stored)
    async with world.client() as client:
        page = await client.list_resources()

    assert len(page.resources) == 50
    assert page.next_cursor


async def test_a_page_that_nobody_gave_is_refused(world: World) -> None:
    async with world.client() as client:
        with pytest.raises(MCPError) as error:
            await client.list_resources(cursor="made up")

    assert error.value.code == -32602
    assert "list the resources from the start" in str(error.value)


def page_of_no_table(*_: object, **__: object) -> str:
    return "SELECT * FROM gone"


async def test_a_ledger_that_cannot_be_read_is_an_error_in_words(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.client() as client:
        task = await finished_task(client)
        with monkeypatch.context() as broken:
            broken.setattr("geekai_video_mcp.ledger.schema.FIND", "SELECT * FROM gone WHERE :id")
            broken.setattr("geekai_video_mcp.ledger.schema.select_page", page_of_no_table)
            error = await refusal_of(client, f"video://tasks/{task['task_id']}")
            with pytest.raises(MCPError) as no_list:
                await client.list_resources()

    for each in (error, no_list.value):
        assert each.code == -32603
        assert "The task database could not be read" in str(each)
        assert "charged" not in str(each)


async def test_a_name_is_plain_short_and_never_empty(world: World) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="\x1b[31ma\u202efox\n" + "very " * 30)
        await anyio.sleep(1)
        silent = structured(await call(client, "generate_video", prompt="\u200b"))
        first, second = await list_page(client)

    assert first.name.startswith("video task · 2026-")
    assert first.name.endswith(silent["task_id"][:8])
    assert subject_of(second) == "[31ma fox very very very very very very…"


@pytest.mark.parametrize(
    ("prompt", "shown"),
    [
        ("a red fox walks slowly over the frozen lake", "a red fox walks slowly over the frozen…"),
        (
            "a red fox, walking slowly over the ice, at dawn",
            "a red fox, walking slowly over the ice…",
        ),
        ("a fox " + "x" * 60, f"a fox {'x' * 33}…"),
        ("狐" * 50, "狐" * 39 + "…"),
        ("w" * 40, "w" * 40),
    ],
)
async def test_a_long_prompt_is_cut_at_a_word_if_it_has_words(
    world: World, prompt: str, shown: str
) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt=prompt)
        (entry,) = await list_page(client)

    assert subject_of(entry) == shown


async def test_no_two_rows_of_a_picker_are_equal(world: World) -> None:
    """Neither of four takes of one prompt at the same moment, nor of a task and its file."""
    async with world.client() as client:
        for take in range(1, 5):
            await finished_task(client, variation=take)
        await finished_task(client, "generate_image")
        entries = await list_page(client)

    assert len(entries) == 10
    assert len({entry.name for entry in entries}) == 10
    assert len({entry.title for entry in entries}) == 10
    assert {(entry.title or "").split(" · ")[1] for entry in entries} == {
        "video task",
        "video file",
        "image task",
        "image file",
    }


async def test_the_file_of_a_video_is_for_the_user_and_a_picture_for_the_model_too(
    world: World,
) -> None:
    async with world.client() as client:
        for tool in ("generate_video", "generate_image"):
            await finished_task(client, tool)
            await anyio.sleep(1)
        audiences = {
            entry.mime_type: entry.annotations and entry.annotations.audience
            for entry in await list_page(client)
        }

    assert audiences == {"application/json": None, "video/mp4": ["user"], "image/png": None}


async def test_no_link_of_geekais_stands_in_a_list(world: World) -> None:
    world.service.signed = True
    async with world.client() as client:
        await finished_task(client)
        page = (await client.list_resources()).model_dump_json()

    assert "geekai.test" not in page
    assert "signature" not in page


async def test_a_preview_is_called_a_preview(world: World) -> None:
    world.account = SANDBOX_URL
    async with world.client() as client:
        await finished_task(client)
        entries = await list_page(client)

    assert all((entry.description or "").startswith("sandbox preview, ") for entry in entries)
    assert all("· preview video " in (entry.title or "") for entry in entries)


async def test_a_result_links_the_task_and_then_its_file(world: World) -> None:
    async with world.client() as client:
        started = await call(client, "generate_video", prompt="a fox")
        done = await call(
            client, "get_video_task", task_id=structured(started)["task_id"], wait_seconds=45
        )
        repeated = await call(client, "generate_video", prompt="a fox")
        (before,), (after,), (again,) = (
            [block for block in result.content if isinstance(block, ResourceLink)]
            for result in (started, done, repeated)
        )
        content = await read(client, after.uri)

    assert before.uri == f"video://tasks/{structured(started)['task_id']}"
    assert before.name.startswith("a fox · video task · 2026-")
    assert (before.mime_type, before.annotations) == ("application/json", None)
    assert after.uri == uri_of(structured(done))
    assert (after.name, after.mime_type) == (Path(structured(done)["file"]).name, "video/mp4")
    assert after.size == len(VIDEO)
    assert after.annotations is not None
    assert after.annotations.audience == ["user"]
    assert again == after
    assert isinstance(content, BlobResourceContents)


async def test_a_dry_run_and_a_mistake_link_nothing(world: World) -> None:
    async with world.client() as client:
        dry = await call(client, "generate_video", prompt="a fox", dry_run=True)
        wrong = await call(client, "get_video_task", task_id="zz", wait_seconds=0)

    assert [block.type for block in (*dry.content, *wrong.content)] == ["text", "text"]


async def test_templates_name_what_each_of_them_gives(world: World) -> None:
    async with world.client() as client:
        found = (await client.list_resource_templates()).resource_templates

    assert {template.uri_template: template.mime_type for template in found} == {
        "video://tasks/{task_id}": "application/json",
        "video://tasks/{task_id}/video": "video/mp4",
        "video://tasks/{task_id}/video/{part}": "application/octet-stream",
        "video://tasks/{task_id}/cover": "image/jpeg",
        "video://tasks/{task_id}/frames": "image/jpeg",
        "video://tasks/{task_id}/last-frame": "image/png",
    }
    assert "up to 8 MB" in (found[1].description or "")
