"""Every command line that a document tells to run is run here, or says why it cannot be.

`uvx geekai-video-mcp X` and `geekai-video-mcp X` are the installed console script with the same
arguments. It runs in the sandbox, with a home of its own, where a short video is finished: the ids
of the documents stand for its id.
"""

import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from support.clips import make_clip
from support.documents import command_lines
from support.missing import skip_test
from support.process import environment, http_server, stdio

CANNOT_RUN = {
    r"(pip|pipx) (install|uninstall) .*": "changes an environment; packaging tests do it in one",
    r"geekai-video-mcp tasks resolve .*": "needs an unknown outcome: test_tasks_cli has one",
}
"""Patterns of whole command lines, and the reason why each is not run here."""
ENDS = {
    "setup": (2, "terminal"),  # nobody can be asked here
}
"""The exit status of a command, and a word of what it says, where it is not 0."""
SERVES = {"serve", "sandbox"}
"""The commands that run until they are stopped."""
IDS = re.compile(r"\b(?=[0-9a-f]*[a-f])[0-9a-f]{8}\b")
RUN = list(
    dict.fromkeys(
        IDS.sub("ID", line.removeprefix("uvx "))
        for line in command_lines()
        if not any(re.fullmatch(each, line) for each in CANNOT_RUN)
    )
)


@dataclass(frozen=True, kw_only=True)
class Home:
    """A user's folders, with a finished video."""

    folder: Path
    task_id: str

    @property
    def environ(self) -> dict[str, str]:
        home = self.folder / "home"
        kept = {n: v for n, v in environment(self.folder).items() if not n.startswith("XDG_")}
        del kept["GEEKAI_SETTINGS_FILE"]  # a user's own is below this home
        places = {"HOME": home, "APPDATA": home / "AppData", "LOCALAPPDATA": home / "Local"}
        return {**kept, **{name: str(place) for name, place in places.items()}}


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place in (".config/Claude", ".cursor", "Library/Application Support/Claude"):
            (folder / "home" / place).mkdir(parents=True)
        (folder / "music.mp3").write_bytes(make_clip(sound=True))
        yield Home(folder=folder, task_id=anyio.run(make_video, folder))


async def make_video(folder: Path) -> str:
    """The id of a finished video, of which eight digits are shown."""
    asked = {"prompt": "a fox", "duration": 5, "size": "320x180", "fps": 24, "async": False}
    async with stdio(folder) as client:
        made = (await client.call_tool("generate_video", asked)).structured_content
    assert made
    assert made["task_status"] == "succeed"
    return made["task_id"][:8]


@pytest.mark.parametrize("line", RUN)
async def test_a_command_of_the_documents_runs(line: str, home: Home) -> None:
    words, _, output = line.partition(" > ")
    command = shlex.split(re.sub(r"\bID\b", home.task_id, words))
    if command[0] == "curl":
        await ask_sandbox(command, home)
        return
    program, *arguments = command
    assert program == "geekai-video-mcp"
    if arguments[0] in SERVES:
        await start_and_stop(arguments, home)
        return
    status, printed = await run(arguments, home)
    expected, word = ENDS.get(arguments[0], (0, ""))
    assert status == expected, printed
    assert word in printed
    assert not output or printed


async def run(arguments: list[str], home: Home) -> tuple[int, str]:
    """The exit status, and all that it prints."""
    with anyio.fail_after(50):
        done = await anyio.run_process(
            [script(), *arguments], cwd=home.folder, env=home.environ, check=False
        )
    return done.returncode, (done.stdout + done.stderr).decode()


async def start_and_stop(arguments: list[str], home: Home) -> None:
    """That it says where it listens; on a free port, because others run tests as well."""
    command = [script(), *arguments, "--port", "0"]
    async with await anyio.open_process(command, cwd=home.folder, env=home.environ) as process:
        assert process.stderr is not None
        with anyio.fail_after(30):
            reader = BufferedByteReceiveStream(process.stderr)
            line = await reader.receive_until(b"\n", 10_000)
        process.terminate()
        await process.wait()
    assert b"http://127.0.0.1:" in line


async def ask_sandbox(command: list[str], home: Home) -> None:
    if shutil.which("curl") is None:
        skip_test("curl is not installed")
    async with http_server(home.folder, "sandbox", "--port", "0") as origin:
        *words, url = command
        asked = url.replace("http://127.0.0.1:8766", origin)
        answered = await anyio.run_process([*words, asked])
    assert b'"task_id"' in answered.stdout


def script() -> str:
    """The console script of this environment."""
    found = shutil.which("geekai-video-mcp", path=str(Path(sys.executable).parent))
    assert found, f"no console script beside {sys.executable}"
    return os.fspath(found)


def test_every_reason_is_about_a_command_that_there_is() -> None:
    for pattern in CANNOT_RUN:
        assert any(re.fullmatch(pattern, line) for line in command_lines()), pattern
