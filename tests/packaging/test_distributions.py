"""What the wheel and the source distribution are made of."""

import os
import re
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from support.packages import (
    ROOT,
    Distributions,
    Environment,
    copy_repository,
    run,
    tracked_files,
)

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(900)]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_another_build_in_another_folder_and_year_gives_the_same_bytes(
    tools: Environment, distributions: Distributions, tmp_path: Path
) -> None:
    source = copy_repository(tmp_path / "another" / "folder")
    for path in source.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(path.stat().st_mode & 0o700)
    plant_generated_files(source)
    # Another front end, which builds the wheel from the source distribution.
    run([tools.python, "-I", "-m", "build", "--outdir", tmp_path / "dist"], source, TZ="Asia/Tokyo")

    again = Distributions(tmp_path / "dist")
    assert again.sdist.read_bytes() == distributions.sdist.read_bytes()
    assert again.wheel.read_bytes() == distributions.wheel.read_bytes()


def plant_generated_files(folder: Path) -> None:
    """Leave in *folder* what work there leaves, and what a person may keep there."""
    for name in (
        "src/geekai_video_mcp/__pycache__/app.cpython-311.pyc",
        "tests/__pycache__/x.pyc",
        "tests/clients/node_modules/left/index.js",
        ".venv/bin/python",
        ".venv-next/bin/python",
        "demo/videos/kittens.mp4",
        "dist/geekai_video_mcp-0.0.1.tar.gz",
        ".hypothesis/examples/1",
        ".coverage.host",
        ".env",
        "settings.toml",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("left here", "utf-8")


def test_the_source_distribution_holds_what_the_repository_holds(
    distributions: Distributions,
) -> None:
    with tarfile.open(distributions.sdist) as sdist:
        names = [member.name.partition("/")[2] for member in sdist if member.isfile()]

    assert sorted(names) == sorted([*tracked_files(), "PKG-INFO"])


def test_the_wheel_holds_the_two_packages_and_nothing_else(distributions: Distributions) -> None:
    with zipfile.ZipFile(distributions.wheel) as wheel:
        names = wheel.namelist()
    info = f"geekai_video_mcp-{PROJECT['version']}.dist-info"

    packages = {f"src/{name}" for name in names if not name.startswith(info)}
    assert packages == {name for name in tracked_files() if name.startswith("src/")}
    assert sorted(name.removeprefix(info) for name in names if name.startswith(info)) == [
        "/METADATA",
        "/RECORD",
        "/WHEEL",
        "/entry_points.txt",
        "/licenses/LICENSE",
        "/licenses/src/geekai_sandbox/render/fonts/OFL.txt",
    ]


def test_an_index_shows_no_relative_link(distributions: Distributions) -> None:
    metadata = distributions.metadata()
    shown = metadata.get_payload()
    assert isinstance(shown, str)
    repository = PROJECT["urls"]["Repository"]
    links = re.findall(r"\]\(([^)\s]+)|\b(?:src|srcset|href)=\"([^\"]+)", without_code(shown))
    targets = [target for pair in links for target in pair if target]

    assert metadata["Description-Content-Type"] == "text/markdown"
    assert any(target.startswith(f"{repository}/blob/v{PROJECT['version']}/") for target in targets)
    assert [each for each in targets if not each.startswith(("https://", "#"))] == []
    # What was made absolute leads to a file of this repository.
    tag = f"/v{PROJECT['version']}/"
    led = [target.partition(tag)[2].partition("#")[0] for target in targets if tag in target]
    assert [name for name in led if not (ROOT / name).exists()] == []
    pictures = [t for t in targets if t.endswith((".jpg", ".png", ".webp"))]
    assert [t for t in pictures if not t.startswith("https://raw.githubusercontent.com/")] == []


def without_code(markdown: str) -> str:
    return re.sub(r"^```.*?^```|`[^`]+`", "", markdown, flags=re.DOTALL | re.MULTILINE)


def test_the_metadata_name_the_licences_the_pythons_and_the_addresses(
    distributions: Distributions,
) -> None:
    metadata = distributions.metadata()
    classifiers = metadata.get_all("Classifier", [])

    assert metadata["License-Expression"] == "MIT AND OFL-1.1"
    assert len(metadata.get_all("License-File", [])) == 2
    for version in ("3.11", "3.12", "3.13", "3.14"):
        assert f"Programming Language :: Python :: {version}" in classifiers
    addresses = dict(each.split(", ") for each in metadata.get_all("Project-URL", []))
    assert addresses == PROJECT["urls"]
    assert addresses.keys() == {
        "Homepage", "Repository", "Documentation", "Changelog", "Issues",
    }  # fmt: skip
