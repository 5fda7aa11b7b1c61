"""What a stranger needs to contribute holds together: targets, checks, workflows, forms."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from support import ROOT

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
GITHUB = ROOT / ".github"
FORMS = sorted((GITHUB / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))


def test_help_lists_every_target_with_a_sentence() -> None:
    phony = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    done = subprocess.run(
        ["make", "--no-print-directory", "help"],  # noqa: S607 - whichever make there is
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    listed = re.findall(r"^make ([\w-]+) +\S", done.stdout, re.MULTILINE)

    assert sorted(listed) == sorted(" ".join(phony).split())
    assert len(done.stdout.splitlines()) == len(listed)


def test_the_guide_names_targets_that_there_are_and_all_that_test() -> None:
    named = set(
        re.findall(r"^make ([\w-]+)", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE)
    )
    targets = set(re.findall(r"^([\w-]+):.* ## ", MAKEFILE, re.MULTILINE))

    assert named <= targets
    assert {name for name in targets if name.startswith("test")} <= named


def test_the_checks_before_a_commit_are_those_of_the_gate() -> None:
    """With the versions that stand in pyproject.toml: each is run from .venv."""
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    check = (ROOT / "scripts" / "check").read_text("utf-8").partition("PATH=")[2]
    tools = re.findall(r"^ +entry: \.venv/bin/(\S+)", hooks, re.MULTILINE)

    assert hooks.count("entry:") == len(tools)
    assert "repo: local" in hooks
    assert set(tools) == set(re.findall(r"^([a-z][\w-]+)(?: |$)", check, re.MULTILINE))


def test_every_tool_of_the_gate_is_in_the_group_for_development() -> None:
    group = {re.split("[<>=]", entry)[0] for entry in PYPROJECT["dependency-groups"]["dev"]}

    assert {"basedpyright", "codespell", "import-linter", "pytest", "ruff", "zizmor"} <= group
    assert "dev" not in PYPROJECT["project"]["optional-dependencies"]


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.name)
def test_a_form_asks_for_what_doctor_says_and_never_for_a_key(form: Path) -> None:
    text = form.read_text("utf-8")

    assert "geekai-video-mcp doctor --json" in text
    assert re.search(r"[Nn]ever paste (a key|one)", text)


def test_every_supported_python_is_tested() -> None:
    tests = (GITHUB / "workflows" / "tests.yml").read_text("utf-8")
    (matrix, *_) = re.findall(r"python: \[(.+)\]", tests)
    prefix = "Programming Language :: Python :: 3."
    supported = {
        each.removeprefix(prefix)
        for each in PYPROJECT["project"]["classifiers"]
        if each.startswith(prefix)
    }

    assert supported <= set(re.findall(r'"3\.(\d+)"', matrix))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_do_nothing_by_default_and_keeps_no_secret(workflow: Path) -> None:
    """What zizmor and actionlint cannot know of this project."""
    text = workflow.read_text("utf-8")

    assert "\npermissions: {}\n" in text
    assert "secrets." not in text
    for action in re.findall(r"uses: (?!\./)(\S+)(.*)", text):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action[0]), action
        assert re.fullmatch(r" # v[\d.]+", action[1]), action
