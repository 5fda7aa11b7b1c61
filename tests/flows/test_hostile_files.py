"""What a caller must not reach by naming it as a picture: refused by name, and nothing is sent."""

import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from geekai_video_mcp.config import Settings
from geekai_video_mcp.errors import NOT_CHARGED
from geekai_video_mcp.media.inputs import allowed_files
from support.memory import outside_dev
from support.sampling import sample
from support.stills import encode_image, halves, write_file
from support.world import Era, World, call, text

SECRET = encode_image(halves())
"""A picture by its bytes, so that only its place can be what is refused."""


@pytest.fixture
def tmp_path(tmp_path: Path) -> Generator[Path]:
    with outside_dev(tmp_path) as folder:
        yield folder


@pytest.fixture
def era() -> Era:
    """One is enough: pictures are made what they are before either has a say."""
    return "auto"


@pytest.fixture(autouse=True)
def home(world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home outside the allowed folders."""
    home = world.folder / "home"
    write_file(home / ".ssh", "id_rsa.png", SECRET)
    write_file(world.output, "own.png", SECRET)
    write_file(world.pictures, "given.png", SECRET)
    monkeypatch.setenv("HOME", str(home))
    return home


async def refusal_of(world: World, *, tool: str = "generate_video", **arguments: Any) -> str:  # noqa: ANN401 - JSON
    """The words in which a call is refused, as it is and as a dry run; nothing was asked for."""
    reason: list[str] = []
    async with world.client() as client:
        for dry_run in (False, True):
            result = await call(client, tool, prompt="a fox", dry_run=dry_run, **arguments)
            assert result.is_error
            reason.append(text(result))
    assert world.service.requests == []
    assert await world.tasks() == []
    assert reason[0] == reason[1]
    assert NOT_CHARGED in reason[0]
    return reason[0]


def symlink_file(world: World) -> str:
    (world.pictures / "link.png").symlink_to(world.folder / "home" / ".ssh" / "id_rsa.png")
    return str(world.pictures / "link.png")


def symlink_folder(world: World) -> str:
    (world.pictures / "album").symlink_to(world.folder / "home")
    write_file(world.folder / "home", "a.png", SECRET)
    return str(world.pictures / "album" / "a.png")


def pipe(world: World) -> str:
    os.mkfifo(world.pictures / "pipe.png")
    return str(world.pictures / "pipe.png")


def sibling(world: World) -> str:
    return str(write_file(world.folder / "videos_evil", "a.png", SECRET))


def dot_file(world: World) -> str:
    return str(write_file(world.pictures, ".hidden.png", SECRET))


def dot_folder(world: World) -> str:
    return str(write_file(world.pictures / ".git", "a.png", SECRET))


def named_png(world: World) -> str:
    return str(write_file(world.pictures, "notes.png", b"root:x:0:0:root:/root:/bin/sh\n"))


def folder(world: World) -> str:
    (world.pictures / "album.png").mkdir()
    return str(world.pictures / "album.png")


def too_long(world: World) -> str:
    return str(world.pictures / ("a" * 300 + ".png"))


def huge(world: World) -> str:
    path = write_file(world.pictures, "huge.png", SECRET)
    os.truncate(path, allowed_files.FILE_LIMIT + 1)
    return str(path)


HOSTILE: dict[str, tuple[Callable[[World], str], str]] = {
    "passwd": (lambda _: "/etc/passwd", "outside the folders this server may read"),
    "key": (lambda _: "~/.ssh/id_rsa.png", "outside the folders"),
    "environment": (lambda _: "/proc/self/environ", "outside the folders"),
    "zeros": (lambda _: "/dev/zero", "outside the folders"),
    "traversal": (lambda w: f"{w.pictures}/../home/.ssh/id_rsa.png", "outside the folders"),
    "encoded": (
        lambda w: f"file://{w.pictures}/%2e%2e/home/.ssh/id_rsa.png",
        "outside the folders",
    ),
    "sibling": (sibling, "outside the folders"),
    "symlink-file": (symlink_file, "outside the folders"),
    "symlink-folder": (symlink_folder, "outside the folders"),
    "nowhere": (lambda w: f"{w.folder}/home/nothing.png", "outside the folders"),
    "stranger": (lambda _: "~nobody-of-this-name/a.png", "outside the folders"),
    "sandboxed": (lambda _: "/mnt/user-data/uploads/a.png", "is not on this computer"),
    "windows": (lambda _: "C:\\Users\\a\\Pictures\\a.png", "is not on this computer"),
    "share": (lambda _: "\\\\server\\share\\a.png", "is not on this computer"),
    "absent": (lambda w: str(w.pictures / "nothing.png"), "no such file in the folder"),
    "too-long": (too_long, "no such file in the folder"),
    "pipe": (pipe, "not a regular file"),
    "folder": (folder, "not a regular file"),
    "the-folder-itself": (lambda w: str(w.pictures), "not a regular file"),
    "dot-file": (dot_file, "begin with a dot"),
    "dot-folder": (dot_folder, "begin with a dot"),
    "text": (named_png, "is not a PNG, JPEG or WebP image"),
    "huge": (huge, "the limit is 67.1 MB"),
}


@pytest.mark.parametrize("name", sample(HOSTILE, every=3))
async def test_a_hostile_path_is_refused_with_the_way_out(world: World, name: str) -> None:
    make, why = HOSTILE[name]
    path = make(world)

    reason = await refusal_of(world, image=path)

    assert reason.startswith("image: ")
    assert why in reason
    assert path.rstrip("/") not in reason.replace(f'"{world.pictures}"', "")
    if why.startswith("outside"):
        assert f'"{world.output}", "{world.pictures}"' in reason
        assert "ask the user to save it into one of these folders" in reason


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("{home}/Desktop/cat.png", "{home}/Desktop"),
        ("{home}/Desktop/../Photos/cat.png", "{home}/Photos"),
        ("~/Photos/my cat.png", "~/Photos"),
        ("file://{home}/My%20Photos/cat.png", "{home}/My Photos"),
    ],
)
async def test_a_file_outside_is_refused_with_the_exact_setting_that_would_let_it_in(
    world: World, home: Path, path: str, folder: str
) -> None:
    reason = await refusal_of(world, image=path.format(home=home))

    value = f"{world.pictures}{os.pathsep}{folder.format(home=home)}"
    assert f'set GEEKAI_IMAGE_DIRS to "{value}" and restart the server' in reason
    settings = Settings.from_env({"GEEKAI_IMAGE_DIRS": value})
    assert settings.image_dirs == (world.pictures, Path(folder.format(home=home)).expanduser())


@pytest.mark.parametrize(
    "path",
    [
        *("/cat.png", "/etc/cat.png", "/proc/self/cat.png", "/dev/fd/cat.png"),
        *("~/.ssh/cat.png", "/home/a/.config/x/cat.png", "/home/a:b/cat.png"),
        "~" + "/a" * 2000 + "/cat.png",
    ],
)
async def test_a_folder_that_nobody_should_open_is_not_suggested(world: World, path: str) -> None:
    reason = await refusal_of(world, image=path)

    assert "outside the folders" in reason
    assert "GEEKAI_IMAGE_DIRS" not in reason


@pytest.mark.parametrize("path", ["/tmp/a\0.png", "file:///tmp/a%00.png"])  # noqa: S108 - refused
async def test_a_path_that_ends_early_for_some_programs_is_refused(world: World, path: str) -> None:
    assert (await refusal_of(world, image=path)).startswith("image: ")


@pytest.mark.parametrize(
    ("arguments", "where"),
    sample(
        [
            ({"image_tail": "/etc/passwd"}, "image_tail: "),
            ({"image": ["https://example.com/a.png", "/etc/passwd"]}, "image.1: "),
            ({"images": ["/etc/passwd"]}, "images.0: "),
            ({"extra_body": {"static_mask": "/etc/passwd"}}, "extra_body.static_mask: "),
            ({"extra_body": {"image_list": ["/etc/passwd"]}}, "extra_body.image_list.0: "),
            (
                {"extra_body": {"image_list": [{"image_url": "/etc/passwd"}]}},
                "extra_body.image_list.0: ",
            ),
            ({"video": "/etc/passwd"}, "video: "),
            ({"audio": ["/etc/passwd"]}, "audio.0: "),
        ],
        every=3,
    ),
)
async def test_a_path_is_judged_wherever_it_is_given(
    world: World, arguments: dict[str, Any], where: str
) -> None:
    assert (await refusal_of(world, **arguments)).startswith(where)


@pytest.mark.parametrize("field", ["image", "mask"])
async def test_a_picture_may_not_start_from_any_file_either(world: World, field: str) -> None:
    reason = await refusal_of(world, tool="generate_image", **{field: "/etc/passwd"})

    assert reason.startswith(f"{field}: ")


LINKS = [
    "http://example.com/a.png",
    "http://localhost:8000/a.png",
    "ftp://example.com/a.png",
    "https://user:secret@example.com/a.png",
    "https://127.1/a.png",
    "https://2130706433/a.png",
    "https://0x7f.1/a.png",
    "https://0177.0.0.1/a.png",
    "https://LOCALHOST/a.png",
    "https://[::1]/a.png",
    "https://[::ffff:127.0.0.1]/a.png",
    "https://[64:ff9b::7f00:1]/a.png",
    "https://169.254.169.254/latest/meta-data/",
    "https://metadata.google.internal./a.png",
    "https://example.com\\@127.0.0.1/a.png",
    "https://geekai.test.local/a.png",
    "https://example.com/" + "a" * 4000,
]


@pytest.mark.parametrize("link", sample(LINKS, every=3))
async def test_a_hostile_link_is_refused_wherever_it_is_given(world: World, link: str) -> None:
    everywhere: dict[str, Any] = {
        "image": link,
        "image_tail": link,
        "images": [link],
        "video": link,
    }
    extra = {"image_list": [{"image_url": link}], "static_mask": link, "video_list": [link]}

    reason = await refusal_of(world, **everywhere, audio=[link], extra_body=extra)

    for name in (*everywhere, "audio.0", *(f"extra_body.{member}" for member in extra)):
        assert f"{name}: " in reason or f"{name}.0: " in reason
    assert "give an https URL" in reason
    assert link not in reason


# A file that is exchanged between the judgement and the opening


def exchanged(target: Path, by: Path) -> Callable[[], None]:
    """Puts a symbolic link to *by* where *target* is."""

    def exchange() -> None:
        shutil.rmtree(target) if target.is_dir() else target.unlink()
        target.symlink_to(by)

    return exchange


@pytest.mark.parametrize("walks", [True, False], ids=["walked", "compared"])
@pytest.mark.parametrize("swapped", ["album/a.png", "album", "."])
async def test_a_file_that_is_exchanged_after_it_was_judged_is_not_read(
    world: World, home: Path, monkeypatch: pytest.MonkeyPatch, swapped: str, *, walks: bool
) -> None:
    path = write_file(world.pictures / "album", "a.png", SECRET)
    secret = {"album/a.png": home / "a.png", "album": home, ".": home}[swapped]
    write_file(home, "a.png", encode_image(halves(8, 8)))
    write_file(home / "album", "a.png", encode_image(halves(8, 8)))
    judged, swap = allowed_files.locate_file, exchanged(world.pictures / swapped, secret)

    def then_exchanged(*arguments: Any) -> tuple[Path, Path]:  # noqa: ANN401 - passed on
        found = judged(*arguments)
        if not (world.pictures / swapped).is_symlink():
            swap()
        return found

    monkeypatch.setattr(allowed_files, "locate_file", then_exchanged)
    monkeypatch.setattr(allowed_files, "HAS_DIR_FD", walks)
    async with world.client() as client:
        result = await call(client, "generate_video", prompt="a fox", image=str(path))

    assert result.is_error
    assert text(result).startswith("image: the file ")
    assert world.service.requests == []


async def test_a_file_that_was_another_only_while_it_was_opened_is_not_read(
    world: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_file(world.pictures, "a.png", SECRET)
    elsewhere, opens = write_file(home, "a.png", encode_image(halves(8, 8))), os.open

    def exchanging(name: Path, flags: int) -> int:
        del name
        return opens(elsewhere, flags)  # as if it had stood there for that moment

    monkeypatch.setattr(allowed_files, "HAS_DIR_FD", False)
    async with world.client() as client:
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(allowed_files.os, "open", exchanging)
            result = await call(client, "generate_video", prompt="a fox", image=str(path))

    assert "replaced while it was being opened" in text(result)
    assert world.service.requests == []
