"""Links to files: what a caller on another machine gets, and what the server sends for a link."""

import hashlib
import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from mcp_types import ResourceLink
from pydantic import SecretStr
from starlette.applications import Starlette

from geekai_video_mcp.app import App
from geekai_video_mcp.errors import NOT_CHARGED
from geekai_video_mcp.server.http import FileLinkSigner, SignedFileLinks
from geekai_video_mcp.server.http.files import FileServer
from geekai_video_mcp.server.http.public_url import PUBLIC_URL
from support.fake_geekai import VIDEO
from support.world import World, call, now, render_now, structured, text

SECRET = SecretStr("0123456789abcdef0123456789abcdef")
BASE = "http://127.0.0.1:8765"
DAY = 86_400.0


@pytest.fixture
def signer() -> FileLinkSigner:
    return FileLinkSigner(SECRET, clock=now)


@pytest.fixture
def world(world: World, signer: FileLinkSigner) -> World:
    world.tenant = "alice"
    world.links = SignedFileLinks(signer, public_url=BASE)
    return world


@asynccontextmanager
async def browser(world: World, signer: FileLinkSigner) -> AsyncGenerator[httpx.AsyncClient]:
    """A browser of the /files/ of a server that has one tenant."""
    async with world.app(sweep=False) as app:

        async def find(tenant: str) -> App | None:
            return app if tenant == app.tenant else None

        transport = httpx.ASGITransport(Starlette(routes=[FileServer(signer, find).route()]))
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            yield client


async def finished(world: World, prompt: str = "a fox") -> tuple[str, str]:
    """The id of a finished task, and the link to its file."""
    async with world.client() as client:
        made = await call(client, "generate_video", prompt=prompt)
        task_id = structured(made)["task_id"]
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))
    return task_id, done["file"]


async def test_a_caller_on_another_machine_gets_a_link_in_both_forms(
    world: World, signer: FileLinkSigner
) -> None:
    task_id, link = await finished(world)
    async with world.client() as client:
        result = await call(client, "get_video_task", task_id=task_id)

    ends_at = structured(result)["file_link_ends_at"]
    assert structured(result)["file"] == link
    assert f"File: {link} (" in text(result)
    assert f"this link works until {ends_at})" in text(result)
    assert "Give the user the link." in text(result)
    assert DAY <= datetime.fromisoformat(ends_at).timestamp() - now() <= 2 * DAY
    async with browser(world, signer) as client:
        answer = await client.get(link)
    assert (answer.status_code, answer.content) == (200, VIDEO)


async def test_nothing_that_a_caller_on_another_machine_gets_names_a_folder(world: World) -> None:
    world.render_preview = render_now
    task_id, link = await finished(world)
    said = list[str]()
    async with world.client() as client:
        for tool, arguments in (
            ("get_video_task", {"task_id": task_id}),
            ("view_video", {"task_id": task_id}),
            ("list_video_tasks", {}),
            ("generate_video", {"prompt": "a fox"}),
        ):
            said.append(repr(await call(client, tool, **arguments)))
        said += [repr(await client.list_resources())]
        said += [repr(await client.read_resource(f"video://tasks/{task_id}"))]
        Path(await path_of(world, task_id)).unlink()
        for part in ("video", "cover", "frames", "last-frame"):
            with pytest.raises(Exception) as refused:  # noqa: PT011 - its text is what counts
                await client.read_resource(f"video://tasks/{task_id}/{part}")
            said.append(str(refused.value))
        for tool in ("get_video_task", "view_video"):
            said.append(repr(await call(client, tool, task_id=task_id)))
    assert any(link in each for each in said)
    for each in said:
        assert str(world.folder) not in each


async def path_of(world: World, task_id: str) -> str:
    return str((await world.find_task(task_id)).file_path)


async def test_a_list_gives_links_and_says_once_how_long_they_work(world: World) -> None:
    _, first = await finished(world)
    _, second = await finished(world, "an owl")
    async with world.client() as client:
        listed = await call(client, "list_video_tasks")

    assert [each["file"] for each in structured(listed)["tasks"]] == [second, first]
    assert "folder" not in structured(listed)
    assert text(listed).count(structured(listed)["file_links_end_at"]) == 1


async def test_the_operator_sees_paths_and_a_link_only_if_one_is_made(world: World) -> None:
    world.tenant = "local"
    task_id, file = await finished(world)
    assert file == await path_of(world, task_id)
    async with world.client() as client:
        result = await call(client, "get_video_task", task_id=task_id)
    link = structured(result)["file_link"]
    assert f"Link: {link} (this link works until" in text(result)
    world.links = None
    async with world.client() as client:
        result = await call(client, "get_video_task", task_id=task_id)
    assert "file_link" not in structured(result)
    assert "Link:" not in text(result)


async def test_the_link_leads_to_the_address_that_the_request_was_sent_to(
    world: World, signer: FileLinkSigner
) -> None:
    world.links = SignedFileLinks(signer)
    task_id, file = await finished(world)
    assert file == f"video://tasks/{task_id}/video"  # nobody knows how the server is reached
    async with world.app() as app:
        assert app.links is not None
        task = await app.engine.get_local(task_id)
        token = PUBLIC_URL.set("https://video.example.com/team")
        try:
            link = app.links.link(task)
        finally:
            PUBLIC_URL.reset(token)
    assert link is not None
    assert link.url.startswith("https://video.example.com/team/files/")


async def test_one_file_has_one_link_all_day_and_every_process_with_the_secret_reads_it(
    world: World,
) -> None:
    task_id, link = await finished(world)
    async with world.client() as client:
        again = structured(await call(client, "get_video_task", task_id=task_id))["file"]
    assert again == link
    async with browser(world, FileLinkSigner(SECRET, clock=now)) as client:
        assert (await client.get(link)).status_code == 200
    async with browser(world, FileLinkSigner(None, clock=now)) as client:
        assert (await client.get(link)).status_code == 404


async def test_links_that_are_forged_ended_unknown_or_another_tenants_get_the_same_answer(
    world: World, signer: FileLinkSigner
) -> None:
    _, link = await finished(world)
    token = link.split("/")[4]
    clock = [now()]
    late = FileLinkSigner(SECRET, clock=lambda: clock[0])
    async with browser(world, late) as client:
        usual = await client.get(link)
        answers = {
            (answer.status_code, answer.text)
            for at in range(len(token))
            for answer in [await client.get(link.replace(token, swapped(token, at)))]
        }
        for odd in ("", "x", "A" * 300, "AQ==", "%00", "ä", f"{token}=", f"{token}A", token[:-1]):
            answers |= {pair(await client.get(f"{BASE}/files/{odd}/video.mp4"))}
            answers |= {pair(await client.get(f"{BASE}/files/{odd}"))}
        clock[0] += 2 * DAY
        answers |= {pair(await client.get(link))}
    world.tenant = "bob"
    async with browser(world, signer) as client:
        answers |= {pair(await client.get(link))}
    assert usual.status_code == 200
    assert len(answers) == 1, answers
    ((status_code, body),) = answers
    assert status_code == 404
    assert "get_video_task" in json.loads(body)["error_description"]


def swapped(token: str, at: int) -> str:
    return token[:at] + ("B" if token[at] == "A" else "A") + token[at + 1 :]


def pair(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.text


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ({"Range": "bytes=0-9"}, 206, slice(0, 10)),
        ({"Range": "bytes=5-"}, 206, slice(5, None)),
        ({"Range": "bytes=-7"}, 206, slice(-7, None)),
        ({"Range": f"bytes=-{len(VIDEO) * 9}"}, 206, slice(0, None)),
        ({"Range": f"bytes=10-{len(VIDEO) * 9}"}, 206, slice(10, None)),
        ({"Range": f"bytes={len(VIDEO)}-"}, 416, slice(0, 0)),
        ({"Range": "bytes=-0"}, 416, slice(0, 0)),
        ({"Range": "bytes=9-5"}, 200, slice(None)),
        ({"Range": "bytes=0-1,5-9"}, 200, slice(None)),
        ({"Range": "lines=0-1"}, 200, slice(None)),
        ({"Range": "bytes=a-b"}, 200, slice(None)),
        ({"Range": "bytes=0-9", "If-Range": "ETAG"}, 206, slice(0, 10)),
        ({"Range": "bytes=0-9", "If-Range": '"another"'}, 200, slice(None)),
        ({"Range": "bytes=0-9", "If-Range": "Fri, 27 Nov 2026 10:00:00 GMT"}, 200, slice(None)),
        ({"If-None-Match": 'W/"x", ETAG'}, 304, slice(0, 0)),
        ({"If-Match": '"another"'}, 412, slice(0, 0)),
        ({"If-Match": "ETAG"}, 200, slice(None)),
    ],
)
async def test_a_part_of_the_file_is_sent_as_the_standard_has_it(
    world: World, signer: FileLinkSigner, asked: dict[str, str], status: int, part: slice
) -> None:
    _, link = await finished(world)
    etag = f'"{hashlib.sha256(VIDEO).hexdigest()}"'
    headers = {name: value.replace("ETAG", etag) for name, value in asked.items()}
    async with browser(world, signer) as client:
        answer = await client.get(link, headers=headers)
        head = await client.head(link, headers=headers)

    assert (answer.status_code, answer.content) == (status, VIDEO[part])
    if status == 206:
        start, end, _ = part.indices(len(VIDEO))
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(VIDEO)}"
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(VIDEO)}"
    assert head.status_code == (200 if status in {206, 416} else status)
    assert head.content == b""


async def test_a_browser_shows_or_saves_the_file_under_its_name_in_any_script(
    world: World, signer: FileLinkSigner
) -> None:
    _, link = await finished(world, "狐狸 in snow")
    async with browser(world, signer) as client:
        shown = (await client.get(link)).headers
        saved = (await client.get(f"{link}?download")).headers

    assert shown["content-type"] == "video/mp4"
    assert shown["content-disposition"].startswith('inline; filename="snow-')
    assert "filename*=UTF-8''%E7%8B%90%E7%8B%B8-snow-" in shown["content-disposition"]
    assert saved["content-disposition"].startswith("attachment; ")
    assert shown["x-content-type-options"] == "nosniff"
    assert shown["referrer-policy"] == "no-referrer"
    assert shown["cache-control"].startswith("private")
    assert shown["accept-ranges"] == "bytes"
    assert not [name for name in shown if name.startswith("access-control")]
    assert link.isascii()


@pytest.mark.parametrize("change", ["removed", "other bytes", "longer", "link", "folder", "pipe"])
async def test_a_file_that_is_not_as_it_was_stored_is_gone(
    world: World, signer: FileLinkSigner, change: str
) -> None:
    task_id, link = await finished(world)
    path = Path(await path_of(world, task_id))
    outside = world.folder / "outside.mp4"
    async with browser(world, signer) as client:
        assert (await client.get(link)).status_code == 200
        path.rename(outside)
        if change == "other bytes":
            path.write_bytes(VIDEO[:-1] + b"!")
        elif change == "longer":
            path.write_bytes(VIDEO + b"!")
        elif change == "link":
            path.symlink_to(outside)
        elif change == "folder":
            path.mkdir()
        elif change == "pipe":
            os.mkfifo(path)
        answer = await client.get(link)

    assert answer.status_code == 410
    assert f'get_video_task with task_id "{task_id[:8]}"' in answer.json()["error_description"]


async def test_no_link_leads_through_a_folder_that_was_replaced_by_a_link(
    world: World, signer: FileLinkSigner
) -> None:
    inside = world.folder / "disk"
    world.other_disk = inside
    task_id, link = await finished(world)
    elsewhere = world.folder / "elsewhere"
    elsewhere.mkdir()
    moved = elsewhere / Path(await path_of(world, task_id)).name
    Path(await path_of(world, task_id)).rename(moved)
    world.output.rmdir()
    world.output.mkdir()
    (world.output / "x").symlink_to(elsewhere)
    async with browser(world, signer) as client:
        assert (await client.get(link)).status_code == 410


async def test_the_saved_picture_of_a_video_is_linked_and_nothing_else_beside_it_is(
    world: World, signer: FileLinkSigner
) -> None:
    task_id, _ = await finished(world)
    beside = Path(await path_of(world, task_id)).with_suffix(".frames.jpg")
    comment = b"geekai-video-mcp picture 1 {}"
    ours = b"\xff\xd8\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + b"pixels"
    beside.write_bytes(ours)
    async with world.app() as app:
        assert app.links is not None
        task = await app.engine.get_local(task_id)
        link = app.links.link(task, beside.name)
        board = app.links.link(task, "side-by-side-a-b.frames.jpg")
    assert link is not None
    assert board is not None
    assert link.url.endswith("/frames.jpg")
    async with browser(world, signer) as client:
        answer = await client.get(link.url)
        assert (answer.content, answer.headers["content-type"]) == (ours, "image/jpeg")
        # Programs take the full stop of the sentence for a part of the link.
        assert (await client.get(f"{link.url}.")).content == ours
        # The name of a picture is part of what is signed.
        assert (await client.get(link.url.replace("frames.jpg", "cover.jpg"))).status_code == 404
        assert (await client.get(board.url)).status_code == 410
        beside.write_bytes(VIDEO)
        assert (await client.get(link.url)).status_code == 410


async def test_a_resource_link_to_the_video_says_its_size_and_type(world: World) -> None:
    task_id, _ = await finished(world)
    async with world.client() as client:
        result = await call(client, "get_video_task", task_id=task_id)
    links = [each for each in result.content if isinstance(each, ResourceLink)]
    assert [(each.mime_type, each.size) for each in links] in (
        [("video/mp4", len(VIDEO))],
        [],  # an older revision has no links
    )


async def test_a_film_is_linked_as_a_video_is(world: World, signer: FileLinkSigner) -> None:
    first, _ = await finished(world)
    second, _ = await finished(world, "an owl")
    async with world.client() as client:
        film = await call(client, "join_videos", parts=[first, second])
    link = structured(film)["file"]
    assert str(world.folder) not in repr(film)
    async with browser(world, signer) as client:
        assert (await client.get(link)).status_code == 200


async def test_no_failure_of_a_disk_names_a_folder_to_a_caller_on_another_machine(
    world: World,
) -> None:
    world.other_disk = world.folder / "disk"
    world.other_disk.mkdir()
    (world.other_disk / "videos").write_bytes(b"in its place")
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt="a fox")
        assert refused.is_error
        assert NOT_CHARGED in text(refused)
        (world.other_disk / "videos").unlink()
        made = structured(await call(client, "generate_video", prompt="an owl"))
        world.output.rmdir()
        (world.other_disk / "videos").write_bytes(b"in its place")
        linked = await call(client, "get_video_task", task_id=made["task_id"], wait_seconds=45)
        listed = await call(client, "list_video_tasks")
    assert '"videos"' in text(refused)
    for result in (refused, linked, listed):
        assert str(world.folder) not in repr(result)
    assert str(world.folder) not in str((await world.find_task(made["task_id"])).file_error)
