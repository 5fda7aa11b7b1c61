"""A command has an option for each argument of its tool, with words for people."""

import argparse
import re
from collections.abc import Callable

import pytest

from geekai_video_mcp.cli import generate, image
from geekai_video_mcp.cli.tool_options import (
    FILES,
    IMAGE_HELP,
    METAVARS,
    VIDEO_HELP,
    find_files,
    given_arguments,
    published_arguments,
)
from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.errors import RequestRefused
from geekai_video_mcp.server.arguments import Generate, GenerateImage, GenerateVideo
from geekai_video_mcp.server.offer import TOOLS

BOTH = pytest.mark.parametrize(
    ("build_parser", "model"),
    [
        pytest.param(generate.build_parser, GenerateVideo, id="generate"),
        pytest.param(image.build_parser, GenerateImage, id="image"),
    ],
)
BuildParser = Callable[[str], argparse.ArgumentParser]


def option_names(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


@BOTH
def test_each_argument_of_the_tool_is_an_option(
    build_parser: BuildParser, model: type[Generate]
) -> None:
    parser = build_parser("geekai-video-mcp x")
    asked = {f"--{name.replace('_', '-')}" for name in published_arguments(model)}

    assert asked - option_names(parser) == {"--prompt", "--async"}


@BOTH
def test_every_value_reaches_the_tool_as_it_was_given(
    build_parser: BuildParser, model: type[Generate]
) -> None:
    parser = build_parser("geekai-video-mcp x")
    line = ["a fox", "--model", "kling-v2-6", "--no-watermark", "--variation", "2"]
    line += ["--images", "https://example.com/1.png", "--images", "https://example.com/2.png"]
    arguments = parser.parse_args(line)
    given = given_arguments(arguments, model, without=generate.OWN)
    parsed = model.parse({"prompt": arguments.prompt, **given})

    assert parsed.model == "kling-v2-6"
    assert parsed.watermark is False
    assert parsed.variation == 2
    assert parsed.images == ["https://example.com/1.png", "https://example.com/2.png"]


def test_every_text_is_of_an_argument_and_names_no_tool() -> None:
    published = {*published_arguments(GenerateVideo), *published_arguments(GenerateImage)}
    texts = [generate.build_parser("x").format_help(), image.build_parser("x").format_help()]

    assert {*VIDEO_HELP, *IMAGE_HELP} <= published
    assert set(METAVARS) <= published
    assert set(FILES) <= published
    for text in texts:
        assert not [spec.name for spec in TOOLS if spec.name in text]


@BOTH
def test_an_option_speaks_of_no_option_and_model_of_another_command(
    build_parser: BuildParser, model: type[Generate]
) -> None:
    parser = build_parser("geekai-video-mcp x")
    texts = " ".join(action.help or "" for action in parser._actions)
    others = {*catalogue.models(), *catalogue.image_models()} - known_models(model)

    assert set(re.findall(r"--[a-z-]+", texts)) <= option_names(parser)
    assert not [name for name in others if name in texts]
    assert ("Kling" in texts) is (model is GenerateVideo)


def known_models(model: type[Generate]) -> set[str]:
    return {*(catalogue.models() if model is GenerateVideo else catalogue.image_models())}


def test_an_option_is_not_guessed_from_its_beginning(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        generate.build_parser("x").parse_args(["a fox", "--dur", "5"])

    assert refused.value.code == 2
    assert "--dur" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["/nowhere/fox.png", "~/fox-that-is-not", "fox.JPG", "C:\\fox.png"]
)
def test_a_file_that_is_not_there_is_named_before_anything_else(name: str) -> None:
    with pytest.raises(RequestRefused, match="--image-tail: there is no file") as refused:
        find_files({"image_tail": name})

    assert "Nothing was charged." in refused.value.message


@pytest.mark.parametrize("value", ["https://example.com/fox.png", "task:d306a0ba", "d306a0ba@2.5"])
def test_what_is_no_file_stays_as_it_is(value: str) -> None:
    assert find_files({"image": value, "images": [value]}).arguments["images"] == [value]


def test_a_file_is_named_by_its_whole_path_and_a_task_stays_as_it_is() -> None:
    found = find_files({"image": __file__, "images": ["task:d306a0ba"], "prompt": __file__})

    assert found.arguments == {
        "image": __file__,
        "images": ["task:d306a0ba"],
        "prompt": __file__,
    }
    assert [str(folder) for folder in found.folders] == [__file__.rpartition("/")[0]]
