"""The folders that a client declares (MCP's roots) are picture folders, over stdio alone."""

import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from mcp.client.session import ClientRequestContext
from mcp_types import INVALID_REQUEST, ErrorData, ListRootsResult

from support.memory import outside_dev
from support.stills import encode_image, halves, write_file
from support.world import Era, World, call, text

PNG = encode_image(halves())


@pytest.fixture
def tmp_path(tmp_path: Path) -> Generator[Path]:
    with outside_dev(tmp_path) as folder:
        yield folder


@pytest.fixture
def era() -> Era:
    """From 2026-07-28 on a server cannot ask in the middle of a call."""
    return "legacy"


@dataclass
class Host:
    """A client that declares folders, and counts how often it is asked for them."""

    uris: list[str]
    asked: int = 0

    async def __call__(self, context: ClientRequestContext) -> ListRootsResult | ErrorData:
        del context
        self.asked += 1
        return ListRootsResult.model_validate({"roots": [{"uri": uri} for uri in self.uris]})


async def words_of(world: World, image: Path | str, *declared: str) -> tuple[str, int]:
    """What a call with this picture gets from a server, and how often the client was asked."""
    host = Host(list(declared))
    async with world.client(list_roots=host) as client:
        result = await call(client, "generate_video", prompt="a fox", image=str(image))
    assert bool(result.is_error) == (world.service.charges == [])
    return text(result), host.asked


@pytest.mark.parametrize("name", ["project", "my project", "c#-project", "项目"])
async def test_a_picture_in_a_declared_folder_is_sent(world: World, name: str) -> None:
    path = write_file(world.folder / name / "art", "cat.png", PNG)

    _, asked = await words_of(world, path, (world.folder / name).as_uri())

    assert (world.service.charges, asked) == (["a fox"], 1)


async def test_an_address_that_is_not_escaped_is_understood(world: World) -> None:
    path = write_file(world.folder / "c#-project", "cat.png", PNG)

    _, asked = await words_of(world, path, f"file://{world.folder}/c#-project/")

    assert (world.service.charges, asked) == (["a fox"], 1)


async def test_nobody_is_asked_for_a_file_in_a_configured_folder(world: World) -> None:
    path = write_file(world.pictures, "cat.png", PNG)

    _, asked = await words_of(world, path, world.folder.as_uri())

    assert (world.service.charges, asked) == (["a fox"], 0)


@pytest.mark.parametrize(
    "image",
    ["https://example.com/a.png", "C:\\Users\\me\\a.png", "{pictures}/nothing.png", "task:8d1f"],
)
async def test_nobody_is_asked_where_folders_do_not_matter(world: World, image: str) -> None:
    world.pictures.mkdir()
    _, asked = await words_of(world, image.format(pictures=world.pictures), world.folder.as_uri())

    assert asked == 0


async def test_a_client_is_asked_once_for_all_pictures_of_a_request(world: World) -> None:
    project, host = world.folder / "project", Host([(world.folder / "project").as_uri()])
    paths = [str(write_file(project, name, PNG)) for name in ("a.png", "b.png", "c.png")]
    async with world.client(list_roots=host) as client:
        await call(client, "generate_video", prompt="a fox", images=paths, model="super-video-2.0")
        assert (world.service.charges, host.asked) == (["a fox"], 1)

        paths.append(str(write_file(world.folder / "elsewhere", "d.png", PNG)))
        refused = await call(client, "generate_video", prompt="a fox", images=paths)

    assert text(refused).startswith("images.3: the file is outside the folders")
    assert host.asked == 2


async def test_a_server_over_http_asks_nobody(world: World) -> None:
    world.trust_roots = False
    path = write_file(world.folder / "project", "cat.png", PNG)

    words, asked = await words_of(world, path, world.folder.as_uri())

    assert "outside the folders" in words
    assert asked == 0


async def test_a_client_that_declares_no_folders_is_not_asked(world: World) -> None:
    path = write_file(world.folder / "project", "cat.png", PNG)
    async with world.client() as client:
        result = await call(client, "generate_video", prompt="a fox", image=str(path))

    assert "outside the folders" in text(result)


@pytest.mark.parametrize("era", ["auto"])
async def test_a_client_of_the_newest_revision_is_not_asked(world: World) -> None:
    path = write_file(world.folder / "project", "cat.png", PNG)

    words, asked = await words_of(world, path, world.folder.as_uri())

    assert "outside the folders" in words
    assert asked == 0


async def test_a_client_that_never_answers_is_not_waited_for(world: World) -> None:
    async def never(context: ClientRequestContext) -> ListRootsResult:
        del context
        await anyio.sleep_forever()
        raise AssertionError

    path = write_file(world.folder / "project", "cat.png", PNG)
    async with world.client(list_roots=never) as client:
        began = anyio.current_time()
        result = await call(client, "generate_video", prompt="a fox", image=str(path))
        took = anyio.current_time() - began

    assert "outside the folders" in text(result)
    assert took == pytest.approx(2.0, abs=0.5)


async def test_a_client_that_refuses_to_answer_declares_nothing(world: World) -> None:
    async def refuse(context: ClientRequestContext) -> ErrorData:
        del context
        return ErrorData(code=INVALID_REQUEST, message="not now")

    path = write_file(world.folder / "project", "cat.png", PNG)
    async with world.client(list_roots=refuse) as client:
        result = await call(client, "generate_video", prompt="a fox", image=str(path))

    assert "outside the folders" in text(result)


@pytest.mark.parametrize(
    "uri",
    [
        "file:///",
        "file:////",
        "file://localhost/",
        "file:///usr/..",
        "file://server{folder}",
        "file:///C:/",
        "file:///c%3A/Users",
        "file:///nothing/of/this/name",
        "file:///a%00b",
    ],
)
async def test_a_declared_folder_that_is_none_or_everything_counts_for_nothing(
    world: World, uri: str
) -> None:
    path = write_file(world.folder / "project", "cat.png", PNG)

    words, _ = await words_of(world, path, uri.format(folder=world.folder))

    assert "outside the folders" in words


async def test_a_link_to_the_whole_file_system_is_no_folder_either(world: World) -> None:
    path = write_file(world.folder / "project", "cat.png", PNG)
    (world.folder / "everything").symlink_to("/")

    words, _ = await words_of(world, path, (world.folder / "everything").as_uri())

    assert "outside the folders" in words


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (".hidden.png", "begin with a dot"),
        (".git/cat.png", "begin with a dot"),
        ("link.png", "outside the folders"),
        ("album/cat.png", "outside the folders"),
        ("../elsewhere/cat.png", "outside the folders"),
        ("nothing.png", "no such file in the folder"),
    ],
)
async def test_what_may_not_be_read_in_a_configured_folder_may_not_in_a_declared_one(
    world: World, name: str, why: str
) -> None:
    project = world.folder / "project"
    elsewhere = write_file(world.folder / "elsewhere", "cat.png", PNG).parent
    for inside in (".hidden.png", ".git/cat.png"):
        write_file((project / inside).parent, (project / inside).name, PNG)
    (project / "link.png").symlink_to(elsewhere / "cat.png")
    (project / "album").symlink_to(elsewhere)

    words, _ = await words_of(world, os.path.join(project, name), project.as_uri())  # noqa: PTH118 - keeps ..

    assert why in words


async def test_a_refusal_names_the_declared_folders_as_well(world: World) -> None:
    path = write_file(world.folder / "elsewhere", "cat.png", PNG)
    project = write_file(world.folder / "project", "a.png", PNG).parent

    words, _ = await words_of(world, path, project.as_uri())

    assert f'("{world.output}", "{world.pictures}", "{project}")' in words
    assert f'set GEEKAI_IMAGE_DIRS to "{world.pictures}{os.pathsep}{path.parent}"' in words
