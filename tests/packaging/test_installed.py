"""The wheel alone in a clean environment: a person's first conversation, and its removal."""

from pathlib import Path

import pytest

from support.first_conversation import hold_conversation
from support.missing import skip_test
from support.packages import (
    SUPPORTED,
    Distributions,
    Environment,
    find_python,
    lowest_versions,
    make_environment,
    run,
)

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(900)]


@pytest.mark.parametrize("versions", ["newest", "lowest"])
@pytest.mark.parametrize("python", SUPPORTED)
async def test_the_wheel_alone_holds_a_conversation_and_leaves_nothing(
    python: str, versions: str, tools: Environment, distributions: Distributions, tmp_path: Path
) -> None:
    found = find_python(python)
    if found is None:
        skip_test(f"no Python {python} works here; name one in PYTHONS")
    environment = make_environment(found, tmp_path / "venv")
    floors = lowest_versions(distributions.requirements()) if versions == "lowest" else []
    if floors:
        pip = [tools.program("uv"), "pip"]  # people use both installers, and this one is faster
        constraints = write_lines(tmp_path / "floors.txt", floors)
        wheels = ["--only-binary", ":all:", "--constraint", constraints]
    else:
        pip = [environment.python, "-I", "-m", "pip"]
        wheels = ["--only-binary", ":all:"]
    variables = {"VIRTUAL_ENV": str(environment.folder)}
    run([*pip, "install", "--quiet", *wheels, distributions.wheel], tmp_path, **variables)

    place = run(
        [environment.python, "-c", "import geekai_video_mcp as p; print(p.__file__)"], tmp_path
    )
    assert Path(place.stdout.strip()).is_relative_to(environment.folder)
    assert_installed(environment, floors)
    command = environment.program("geekai-video-mcp")
    assert (
        run([command, "--version"], tmp_path).stdout.strip() == distributions.metadata()["Version"]
    )
    assert "serve" in run([command, "--help"], tmp_path).stdout
    await hold_conversation([command], tmp_path)

    sure = ["--yes"] if not floors else []
    run([*pip, "uninstall", "--quiet", *sure, "geekai-video-mcp"], tmp_path, **variables)
    assert environment.package_files() == []


def write_lines(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines), "utf-8")
    return path


def assert_installed(environment: Environment, pins: list[str]) -> None:
    """Each floor is the version that is installed: nothing else in it asks for a newer one."""
    installed = environment.pip("list", "--format", "freeze").lower().split()
    for pin in pins:
        assert any(each == pin or each.startswith(f"{pin}.0") for each in installed), pin


@pytest.mark.parametrize("system", ["linux", "x86_64-unknown-linux-musl", "windows", "macos"])
@pytest.mark.parametrize("python", SUPPORTED)
def test_each_floor_has_a_wheel_for_every_python_and_system(
    python: str, system: str, tools: Environment, distributions: Distributions, tmp_path: Path
) -> None:
    """Also of those that are not here; nothing is compiled on a user's machine."""
    requirements = [each for each in distributions.requirements() if "extra ==" not in each]
    wanted = write_lines(tmp_path / "wanted.txt", requirements)
    resolve = ["pip", "compile", "--quiet", "--resolution", "lowest-direct", "--no-annotate"]
    target = ["--python-version", python, "--python-platform", system, "--only-binary", ":all:"]

    command = [tools.program("uv"), *resolve, *target, wanted]
    found = run(command, tmp_path, MACOSX_DEPLOYMENT_TARGET="14.0").stdout.split()

    for floor in lowest_versions(requirements):
        assert any(each == floor or each.startswith(f"{floor}.0") for each in found), floor
