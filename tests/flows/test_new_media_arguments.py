"""An argument that is new, and no more than declared, never sends a local path as it was given."""

from dataclasses import replace
from typing import Annotated, Any

import pytest
from pydantic import Field, WithJsonSchema

from geekai_video_mcp.errors import NOT_CHARGED
from geekai_video_mcp.server import build
from geekai_video_mcp.server.arguments import ExtraBody, GenerateVideo
from geekai_video_mcp.server.arguments.fields import AnyPicture, JsonDecoded, Picture, Video
from support.stills import encode_image, halves, uri_bytes, write_file
from support.world import Era, World, call, structured, text

PNG = encode_image(halves())


class NewExtraBody(ExtraBody):
    """The same of its inner object."""

    dynamic_masks: Annotated[list[AnyPicture], JsonDecoded] | None = None
    style_image: Picture | None = None


class NewArguments(GenerateVideo):
    """Arguments extended by the recipe of docs/architecture.md, and by nothing else."""

    storyboard: Picture | None = None
    characters: Annotated[list[Picture], Field(max_length=4), JsonDecoded] | None = None
    motion: Video | None = None
    extra_body: (  # pyright: ignore[reportIncompatibleVariableOverride] - it is frozen
        Annotated[NewExtraBody, JsonDecoded, WithJsonSchema({"type": "object"})] | None
    ) = None


@pytest.fixture
def era() -> Era:
    """One is enough: pictures are made what they are before either has a say."""
    return "auto"


@pytest.fixture(autouse=True)
def new_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server as it would be published with them."""
    video, *others = build.TOOLS
    monkeypatch.setattr(build, "TOOLS", (replace(video, arguments=NewArguments), *others))


async def test_a_file_in_a_new_argument_is_sent_as_a_picture(world: World) -> None:
    path = str(write_file(world.pictures, "a.png", PNG))
    link = "https://example.com/a.png"
    async with world.client() as client:
        result = await call(
            client,
            "generate_video",
            prompt="a fox",
            storyboard=path,
            characters=[link, path],
            extra_body={
                "style_image": path,
                "dynamic_masks": [{"mask": path, "trajectories": [{"x": 1, "y": 2}]}],
            },
        )
    assert not result.is_error, text(result)
    (job,) = world.service.jobs.values()

    whole = job.body["storyboard"]
    assert uri_bytes(whole) == PNG
    assert job.body["characters"] == [link, whole]
    assert job.body["extra_body"] == {
        "style_image": whole,
        "dynamic_masks": [{"mask": whole, "trajectories": [{"x": 1, "y": 2}]}],
    }


async def test_a_task_in_a_new_argument_is_sent_as_its_link(world: World) -> None:
    async with world.client() as client:
        first = structured(await call(client, "generate_video", prompt="a fox"))
        await call(client, "get_video_task", task_id=first["task_id"], wait_seconds=45)
        (name,) = world.service.jobs
        motion = f"task:{first['task_id']}"
        result = await call(client, "generate_video", prompt="another fox", motion=motion)
    assert not result.is_error, text(result)

    *_, job = world.service.jobs.values()
    assert job.body["motion"] == f"https://geekai.test/files/{name}.mp4"


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"storyboard": "/etc/passwd"}, "storyboard: "),
        ({"characters": ["/etc/passwd"]}, "characters.0: "),
        ({"extra_body": {"style_image": "/etc/passwd"}}, "extra_body.style_image: "),
        ({"extra_body": {"dynamic_masks": ["/etc/passwd"]}}, "extra_body.dynamic_masks.0: "),
        (
            {"extra_body": {"dynamic_masks": [{"mask": "/etc/passwd"}]}},
            "extra_body.dynamic_masks.0: ",
        ),
        ({"motion": "/etc/passwd"}, "motion: "),
    ],
)
async def test_a_file_outside_the_allowed_folders_is_refused_in_a_new_argument(
    world: World, arguments: dict[str, Any], where: str
) -> None:
    async with world.client() as client:
        result = await call(client, "generate_video", prompt="a fox", **arguments)

    assert result.is_error
    assert text(result).startswith(where)
    assert NOT_CHARGED in text(result)
    assert world.service.requests == []
