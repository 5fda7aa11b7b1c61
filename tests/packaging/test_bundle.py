"""The MCP bundle: checked and packed by the official tool, unpacked and started as hosts do."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from support.first_conversation import hold_conversation
from support.packages import (
    ROOT,
    Distributions,
    Environment,
    base_python,
    run,
    skip_or_fail,
    try_run,
)

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(900)]
PACKAGES = ROOT / "tests" / "packaging" / "package.json"


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The official tool: as `make mcpb` installed it, or installed now."""
    installed = PACKAGES.with_name("node_modules")
    if (installed / "@anthropic-ai" / "mcpb").exists():
        return installed
    if not shutil.which("npm"):
        skip_or_fail("npm is not installed: it installs the tool that checks the bundle")
    folder = tmp_path_factory.mktemp("npm")
    shutil.copy(PACKAGES, folder)
    quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    done = try_run(["npm", "install", *quiet], folder)
    if done.returncode:
        skip_or_fail(f"npm's registry cannot be reached: {done.stderr.strip()[-300:]}")
    return folder / "node_modules"


@pytest.fixture(scope="session")
def bundle(
    distributions: Distributions, node_modules: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The packed bundle, after the official tool's check."""
    folder = tmp_path_factory.mktemp("bundle")
    mcpb = node_modules / ".bin" / "mcpb"
    run([sys.executable, ROOT / "scripts" / "mcpb", distributions.wheel, folder / "files"], folder)
    checked = run([mcpb, "validate", folder / "files" / "manifest.json"], folder)
    assert "Manifest schema validation passes!" in checked.stdout
    run([mcpb, "pack", folder / "files", folder / "geekai-video-mcp.mcpb"], folder)
    return folder / "geekai-video-mcp.mcpb"


@pytest.fixture
def unpacked(bundle: Path, node_modules: Path, tmp_path: Path) -> Path:
    run([node_modules / ".bin" / "mcpb", "unpack", bundle, tmp_path / "extension"], tmp_path)
    return tmp_path / "extension"


async def test_the_bundle_starts_in_the_sandbox_when_nothing_is_set(
    unpacked: Path, node_modules: Path, tools: Environment, tmp_path: Path
) -> None:
    launch = launch_of(unpacked, node_modules, {})
    assert launch["env"]["GEEKAI_API_KEY"] == "${user_config.api_key}"  # as hosts leave it

    await hold_conversation(
        [launch["command"], *launch["args"]], tmp_path, **uv(tools), **launch["env"]
    )

    assert list((tmp_path / "Videos" / "GeekAI").glob("*.mp4")) or list(
        tmp_path.glob("*/GeekAI/*.mp4")
    )


async def test_what_a_person_sets_in_the_bundle_holds(
    unpacked: Path, node_modules: Path, tools: Environment, tmp_path: Path
) -> None:
    folder = tmp_path / "chosen folder"
    launch = launch_of(unpacked, node_modules, {"output_dir": str(folder)})

    await hold_conversation(
        [launch["command"], *launch["args"]], tmp_path, **uv(tools), **launch["env"]
    )

    assert len(list(folder.glob("*.mp4"))) == 3


def test_the_key_is_a_secret_and_no_setting_is_required(unpacked: Path) -> None:
    manifest = json.loads((unpacked / "manifest.json").read_text("utf-8"))
    settings = manifest["user_config"]

    assert manifest["server"]["type"] == "uv"
    assert [name for name, entry in settings.items() if entry.get("sensitive")] == ["api_key"]
    assert not any(entry["required"] or "default" in entry for entry in settings.values())


def uv(tools: Environment) -> dict[str, str]:
    """What makes the host's uv the one of these tests, on a Python that is here."""
    return {
        "PATH": f"{tools.program('uv').parent}{os.pathsep}{os.environ['PATH']}",
        "UV_PYTHON": base_python(),
        "UV_PYTHON_DOWNLOADS": "never",
    }


def launch_of(extension: Path, node_modules: Path, settings: dict[str, str]) -> dict[str, Any]:
    """The command, arguments and environment, as the official code reads them from the bundle."""
    program = f"""
    import {{ readFileSync }} from "fs";
    import {{ getMcpConfigForManifest }} from "{node_modules}/@anthropic-ai/mcpb/dist/index.js";
    const [, extensionPath, userConfig] = process.argv;
    const manifest = JSON.parse(readFileSync(extensionPath + "/manifest.json"));
    console.log(JSON.stringify(await getMcpConfigForManifest({{
      manifest, extensionPath, systemDirs: {{}}, userConfig: JSON.parse(userConfig),
      pathSeparator: "/",
    }})));
    """
    command = ["node", "--input-type=module", "-e", program, extension, json.dumps(settings)]
    return json.loads(run(command, extension.parent).stdout)
