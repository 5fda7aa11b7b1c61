"""The ways by which people get the server: uvx, pipx, pip, and pip of a Python that is too old."""

import html
import os
import shutil
from pathlib import Path

import pytest

from support.first_conversation import hold_conversation
from support.missing import skip_test
from support.packages import (
    Distributions,
    Environment,
    base_python,
    find_python,
    make_environment,
    run,
    try_run,
)

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(900)]


async def test_uvx_with_the_name_alone_runs_the_server(
    tools: Environment, distributions: Distributions, tmp_path: Path
) -> None:
    variables = {
        "PATH": f"{tools.program('uvx').parent}{os.pathsep}{os.environ['PATH']}",
        "UV_FIND_LINKS": str(distributions.folder),
        "UV_PYTHON": base_python(),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_TOOL_DIR": str(tmp_path / "tools"),
    }

    shown = run(["uvx", "geekai-video-mcp", "--version"], tmp_path, **variables)

    assert shown.stdout.strip() == distributions.metadata()["Version"]
    await hold_conversation(["uvx", "geekai-video-mcp"], tmp_path, **variables)


def test_pipx_runs_installs_and_removes_it_by_name(
    tools: Environment, distributions: Distributions, tmp_path: Path
) -> None:
    links = [str(distributions.folder), *os.environ.get("PIP_FIND_LINKS", "").split()]
    variables = {
        "PIP_FIND_LINKS": " ".join(links),
        "UV_FIND_LINKS": str(distributions.folder),
        "PIPX_HOME": str(tmp_path / "pipx"),
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
        "PIPX_DEFAULT_PYTHON": base_python(),
    }
    version = distributions.metadata()["Version"]
    pipx = tools.program("pipx")

    shown = run([pipx, "run", "geekai-video-mcp", "--version"], tmp_path, **variables)
    assert shown.stdout.strip() == version

    run([pipx, "install", "geekai-video-mcp"], tmp_path, **variables)
    shown = run([tmp_path / "bin" / "geekai-video-mcp", "--version"], tmp_path, **variables)
    assert shown.stdout.strip() == version

    run([pipx, "uninstall", "geekai-video-mcp"], tmp_path, **variables)
    assert list((tmp_path / "bin").iterdir()) == []


def test_the_source_distribution_installs_by_pip(
    distributions: Distributions, tmp_path: Path
) -> None:
    environment = make_environment(base_python(), tmp_path / "venv")

    environment.pip("install", "--quiet", distributions.sdist)

    shown = run([environment.program("geekai-video-mcp"), "--version"], tmp_path)
    assert shown.stdout.strip() == distributions.metadata()["Version"]


@pytest.fixture(params=["3.8", "3.9", "3.10"])
def old_python(request: pytest.FixtureRequest) -> str:
    found = find_python(request.param)
    if found is None:
        skip_test(f"no Python {request.param} works here")
    return found


def test_pip_of_an_older_python_says_which_one_is_needed(
    old_python: str, distributions: Distributions, tmp_path: Path
) -> None:
    page = tmp_path / "index" / "geekai-video-mcp" / "index.html"
    page.parent.mkdir(parents=True)
    needed = html.escape(distributions.metadata()["Requires-Python"])
    link = f'<a href="{distributions.wheel.as_uri()}" data-requires-python="{needed}">'
    page.write_text(f"<html><body>{link}{distributions.wheel.name}</a></body></html>", "utf-8")
    index = (tmp_path / "index").as_uri()

    command = [old_python, "-m", "pip", "install", "--index-url", index, "geekai-video-mcp"]
    refused = try_run(command, tmp_path, PIP_CONFIG_FILE=os.devnull)

    assert refused.returncode == 1
    assert "require a different python version: 0.1.0 Requires-Python >=3.11" in refused.stderr


def test_an_older_python_that_runs_the_source_says_which_one_is_needed(
    old_python: str, tmp_path: Path
) -> None:
    source = Path(__file__).parents[2] / "src" / "geekai_video_mcp"
    shutil.copytree(source, tmp_path / "geekai_video_mcp")

    refused = try_run([old_python, "-m", "geekai_video_mcp", "--version"], tmp_path)

    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr.startswith("geekai-video-mcp needs Python 3.11 or newer, and this is")
    assert refused.stderr.count("\n") == 1
