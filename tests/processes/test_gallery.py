"""`geekai-video-mcp gallery`: a page that opens from disk, and shows what is there."""

import base64
import hashlib
import os
import re
import signal
import stat
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import anyio
import pytest
from mcp import Client

from geekai_video_mcp.cli.gallery_page import is_unchanged_page
from support.process import MODULE, SMALL, environment, run_cli, stdio
from support.world import call, structured

HOSTILE = "</h2><script>alert(1)</script> \"quoted\" & 'single' <img src=x onerror=alert(2)>"
CHINESE = "一只狐狸在雪中奔跑"


@dataclass
class Page(HTMLParser):
    """What a browser makes of a page."""

    tags: list[tuple[str, dict[str, str | None]]] = field(
        default_factory=list[tuple[str, dict[str, str | None]]]
    )
    words: list[str] = field(default_factory=list[str])
    styles: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        (self.styles if self.tags and self.tags[-1][0] == "style" else self.words).append(data)

    def attributes(self, tag: str, name: str) -> list[str]:
        found = (attributes.get(name) for each, attributes in self.tags if each == tag)
        return [value for value in found if value is not None]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read_page(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text("utf-8"))
    return page


def linked(page: Path, link: str) -> Path:
    """The file that a link of the page leads to, as a browser finds it."""
    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    return Path(os.path.normpath(page.parent / unquote(parts.path)))


async def make_film(client: Client, prompt: str, *, view: str = "none") -> dict[str, Any]:
    """The structured result of a preview."""
    made = structured(await call(client, "generate_video", prompt=prompt, **SMALL))
    wait = {"task_id": made["task_id"], "wait_seconds": 45, "view": view}
    return structured(await call(client, "get_video_task", **wait))


async def test_a_page_of_the_newest_films_opens_from_disk(tmp_path: Path) -> None:
    async with stdio(tmp_path) as client:
        await make_film(client, "an old film")
        films = [await make_film(client, each) for each in (HOSTILE, CHINESE, "a fox " * 90)]
        await call(client, "generate_image", prompt="a picture", size="320x180")
        ids = [film["task_id"] for film in films[:2]]
        films.append(structured(await call(client, "join_videos", parts=ids)))
        status, out, err = await run_cli(tmp_path, "gallery", "--limit", "4")

    path = tmp_path / "videos" / "gallery.html"
    page, content = read_page(path), path.read_bytes()
    assert (status, err) == (0, "Making the contact sheets that are missing.\n")
    assert out == f"4 films: {path}\n"
    videos = page.attributes("video", "src")
    assert [linked(path, each) for each in videos] == [Path(film["file"]) for film in films[::-1]]
    assert videos == page.attributes("a", "href")
    sheets = [linked(path, each) for each in page.attributes("video", "poster")]
    assert sheets == [Path(film["file"]).with_suffix(".frames.jpg") for film in films[::-1]]
    assert all(each.read_bytes().startswith(b"\xff\xd8") for each in sheets)
    assert page.attributes("video", "preload") == ["none"] * 4
    assert {tag for tag, _ in page.tags} & {"script", "img", "link", "iframe", "form"} == set()
    assert not [name for _, attributes in page.tags for name in attributes if name[:2] == "on"]
    assert " ".join(HOSTILE.split()) in page.text
    assert CHINESE in page.text
    assert "a fox " * 89 in page.text, "whole, though it is long"
    assert "an old film" not in page.text
    for film in films:
        assert film["task_id"][:8] in page.text
    assert "free: a preview of the sandbox" in page.text
    assert b"://" not in content
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_nothing_but_the_style_of_the_page_is_let_in(tmp_path: Path) -> None:
    async with stdio(tmp_path) as client:
        await make_film(client, "a fox")
    await run_cli(tmp_path, "gallery")

    page = read_page(tmp_path / "videos" / "gallery.html")
    policy = next(each for each in page.attributes("meta", "content") if "-src" in each)
    (style,) = filter(str.strip, page.styles)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


async def test_a_page_elsewhere_leads_to_the_films_and_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "my pages" / "films #1.html"
    path.parent.mkdir()
    async with stdio(tmp_path) as client:
        await make_film(client, "a fox", view="frames")
        first = await run_cli(tmp_path, "gallery", "-o", str(path))
        newest = await make_film(client, "an owl", view="frames")
        second = await run_cli(tmp_path, "gallery", "--output", str(path))

    assert (first[0], first[2], second[0], second[2]) == (0, "", 0, "")
    (video, _) = read_page(path).attributes("video", "src")
    assert linked(path, video) == Path(newest["file"])
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("what", ["another file", "a changed page", "a folder", "a link"])
async def test_what_is_not_its_own_page_is_left_as_it_is(tmp_path: Path, what: str) -> None:
    path = tmp_path / "videos" / "gallery.html"
    async with stdio(tmp_path) as client:
        await make_film(client, "a fox", view="frames")
    await run_cli(tmp_path, "gallery")
    made = path.read_bytes()
    assert is_unchanged_page(made)
    path.unlink()
    if what == "a folder":
        path.mkdir()
    elif what == "a link":
        (tmp_path / "page.html").write_bytes(made)
        path.symlink_to(tmp_path / "page.html")
    else:
        path.write_bytes(b"mine" if what == "another file" else made.replace(b"fox", b"hen"))
    before = path.read_bytes() if path.is_file() else b""

    status, out, err = await run_cli(tmp_path, "gallery")

    assert (status, out) == (1, "")
    assert f"{path} is left as it is" in err
    assert "--output" in err
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert path.is_symlink() == (what == "a link")
    assert not [each.name for each in path.parent.iterdir() if each.name.endswith(".part")]


async def test_films_whose_files_are_gone_are_left_out(tmp_path: Path) -> None:
    empty = await run_cli(tmp_path, "gallery")
    assert [*tmp_path.iterdir()] == []
    async with stdio(tmp_path) as client:
        film = await make_film(client, "a fox")
        Path(film["file"]).unlink()
        gone = await run_cli(tmp_path, "gallery")
        damaged = await make_film(client, "an owl")
        Path(damaged["file"]).write_bytes(b"no video")
        shown = await run_cli(tmp_path, "gallery")

    assert empty[0] == gone[0] == 1
    assert "no page was written" in gone[2]
    page = read_page(tmp_path / "videos" / "gallery.html")
    assert shown[0] == 0
    assert page.attributes("video", "poster") == []
    assert "an owl" in page.text


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    async with stdio(tmp_path) as client:
        await make_film(client, "a fox", view="frames")
    status, _, err = await run_cli(tmp_path, "gallery", "-o", str(tmp_path / "none" / "a.html"))

    assert status == 1
    assert str(tmp_path / "none" / "a.html") in err
    assert "Traceback" not in err


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other openers")
async def test_the_page_is_opened_by_the_desktop_if_there_is_one(tmp_path: Path) -> None:
    opener = tmp_path / "bin" / "xdg-open"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > "{tmp_path}/opened"\n', "utf-8")
    opener.chmod(0o755)
    path = f"{opener.parent}{os.pathsep}{os.environ['PATH']}"
    async with stdio(tmp_path) as client:
        await make_film(client, "a fox", view="frames")

    desktop = await run_cli(tmp_path, "gallery", "--open", PATH=path, DISPLAY=":0")
    none = await run_cli(tmp_path, "gallery", "--open", PATH=path, DISPLAY="", WAYLAND_DISPLAY="")

    page = str(tmp_path / "videos" / "gallery.html")
    assert desktop[0] == 0
    assert (tmp_path / "opened").read_text("utf-8") == page
    assert none[0] == 1
    assert page in none[1]
    assert "no desktop" in none[2]


async def test_wrong_options_are_named_and_help_shows_what_is_usual(tmp_path: Path) -> None:
    for limit in ("0", "-1", "1001", "many"):
        status, _, err = await run_cli(tmp_path, "gallery", "--limit", limit)
        assert status == 2
        assert "from 1 to 1000" in err
    status, out, _ = await run_cli(tmp_path, "gallery", "--help", COLUMNS="80")

    assert status == 0
    assert re.search(r"Examples:\n +geekai-video-mcp gallery", out)
    assert "(default: 24)" in out
    assert max(map(len, out.splitlines())) <= 80


async def test_plain_terminals_and_other_encodings_are_no_obstacle(tmp_path: Path) -> None:
    async with stdio(tmp_path) as client:
        await make_film(client, CHINESE, view="frames")
    folder = tmp_path / "影片"
    folder.mkdir()
    status, out, err = await run_cli(
        tmp_path, "gallery", "-o", str(folder / "画廊.html"), LC_ALL="C"
    )

    assert (status, err) == (0, "")
    assert str(folder / "画廊.html") in out
    (video,) = read_page(folder / "画廊.html").attributes("video", "src")
    assert linked(folder / "画廊.html", video).is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
async def test_ctrl_c_leaves_no_half_page(tmp_path: Path) -> None:
    async with stdio(tmp_path) as client:
        for number in range(3):
            await make_film(client, f"fox {number}")
    command = [*MODULE, "gallery"]
    with anyio.fail_after(60):
        async with await anyio.open_process(command, env=environment(tmp_path)) as process:
            assert process.stderr is not None
            said = await process.stderr.receive()
            process.send_signal(signal.SIGINT)
            async for more in process.stderr:
                said += more

    assert process.returncode == 130
    assert said == b"Making the contact sheets that are missing.\n"
    names = [each.name for each in (tmp_path / "videos").iterdir()]
    assert not [name for name in names if name.endswith((".html", ".part"))]
