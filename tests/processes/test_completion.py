"""`geekai-video-mcp completion`: a real shell completes what the script knows."""

import shutil
import subprocess
from pathlib import Path

import anyio
import pytest

from geekai_video_mcp.cli import COMMANDS
from support.missing import skip_test
from support.process import run_cli

ASK = r"""
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
compopt() { :; }  # works within a completion alone
_shtab_geekai_video_mcp
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("bash") is None:
        skip_test("bash is not installed")
    folder = tmp_path_factory.mktemp("completion")
    status, out, err = anyio.run(run_cli, folder, "completion", "bash")
    assert (status, err) == (0, "")
    path = folder / "completion.bash"
    path.write_text(out, "utf-8")
    return path


def complete(script: Path, *words: str) -> set[str]:
    """What bash offers for the last of the words."""
    done = subprocess.run(  # noqa: S603 - bash, and a script of ours
        ["bash", "-c", ASK, "bash", script, "geekai-video-mcp", *words],  # noqa: S607
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=30,
    )
    assert done.stderr == ""
    return {word.strip() for word in done.stdout.split("\n") if word.strip()}


def test_bash_completes_commands(script: Path) -> None:
    assert complete(script, "") >= COMMANDS.keys()
    assert complete(script, "tas") == {"tasks"}
    assert complete(script, "tasks", "re") == {"resolve"}
    assert complete(script, "tokens", "") >= {"add", "list", "revoke"}


def test_bash_completes_options(script: Path) -> None:
    assert complete(script, "tasks", "--s") == {"--search", "--since", "--status"}
    assert complete(script, "tasks", "purge", "--b") == {"--before"}


def test_bash_completes_statuses_and_models(script: Path) -> None:
    assert complete(script, "tasks", "--status", "un") == {"unknown"}
    assert complete(script, "spent", "--by", "m") == {"month", "model"}
    assert "cogvideox-3" in complete(script, "models", "cogvid")
    assert "cogvideox-3" in complete(script, "generate", "--model", "cogvid")
    assert complete(script, "image", "--model", "cog") == {"cogview-3-flash"}


def test_bash_completes_hosts(script: Path) -> None:
    assert complete(script, "install", "cu") == {"cursor"}
    assert complete(script, "uninstall", "cla") == {"claude-code", "claude-desktop"}


@pytest.mark.parametrize(
    "words",
    [("generate", "--image-tail"), ("image", "--mask"), ("view", "-o"), ("gallery", "--output")],
)
def test_bash_completes_files(script: Path, words: tuple[str, ...]) -> None:
    name = str(script)[:-2]

    assert complete(script, *words, name) == {str(script)}


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
async def test_another_shell_has_a_script_as_well(tmp_path: Path, shell: str) -> None:
    status, out, err = await run_cli(tmp_path, "completion", shell)

    assert (status, err) == (0, "")
    assert "geekai-video-mcp" in out
    program = shutil.which(shell)
    if program:
        path = tmp_path / "script"
        path.write_text(out, "utf-8")
        subprocess.run([program, "-n", path], check=True, timeout=30)  # noqa: S603 - reads it alone


async def test_a_shell_that_is_not_known_is_refused(tmp_path: Path) -> None:
    status, out, err = await run_cli(tmp_path, "completion", "fish")

    assert (status, out) == (2, "")
    assert "fish" in err
