"""The distributions, built once, and the package clients that build and install them.

These tests need the package index. Where it cannot be reached they are skipped and say so, unless
`REQUIRE_PACKAGING` is set.
"""

import pytest

from support.packages import (
    Distributions,
    Environment,
    base_python,
    copy_repository,
    make_environment,
    run,
    skip_or_fail,
    try_run,
)


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the package clients: uv, pipx and build."""
    environment = make_environment(base_python(), tmp_path_factory.mktemp("tools") / "venv")
    command = [environment.python, "-I", "-m", "pip", "install", "--quiet", "uv", "pipx", "build"]
    done = try_run(command, environment.folder.parent)
    if done.returncode:
        skip_or_fail(f"the package index cannot be reached: {done.stderr.strip()[-300:]}")
    return environment


@pytest.fixture(scope="session")
def distributions(tools: Environment, tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Both, each built from the source itself."""
    source = copy_repository(tmp_path_factory.mktemp("source"))
    target = tmp_path_factory.mktemp("dist")
    build = [tools.program("uv"), "build", "--quiet", "--out-dir", target]
    run([*build, "--sdist"], source)
    run([*build, "--wheel"], source)
    return Distributions(target)
