"""Where hosts keep their files, on the three systems, and how they start this server."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest

from geekai_video_mcp.cli.hosts.launch import Launch, find_command, own_launch
from geekai_video_mcp.cli.hosts.printed import PRINTED
from geekai_video_mcp.cli.hosts.system import (
    System,
    claude_code_file,
    claude_desktop_places,
    codex_file,
    cursor_places,
    gemini_file,
    vscode_places,
)

CLAUDE = "claude_desktop_config.json"


def linux(environ: Mapping[str, str] | None = None) -> System:
    return System("linux", PurePosixPath("/home/u"), environ or {}, lambda _: [])


def macos() -> System:
    return System("darwin", PurePosixPath("/Users/u"), {}, lambda _: [])


def windows(
    folders: Mapping[str, list[str]] | None = None, environ: Mapping[str, str] | None = None
) -> System:
    def list_names(folder: PurePath) -> list[str]:
        return (folders or {}).get(folder.name, [])

    return System("win32", PureWindowsPath(r"C:\Users\u"), environ or {}, list_names)


@pytest.mark.parametrize(
    ("system", "claude", "cursor", "code"),
    [
        (
            linux(),
            f"/home/u/.config/Claude/{CLAUDE}",
            "/home/u/.cursor/mcp.json",
            "/home/u/.config/{}/User/mcp.json",
        ),
        (
            linux({"XDG_CONFIG_HOME": "/cfg", "APPDATA": "/no"}),
            f"/cfg/Claude/{CLAUDE}",
            "/home/u/.cursor/mcp.json",
            "/cfg/{}/User/mcp.json",
        ),
        (
            macos(),
            f"/Users/u/Library/Application Support/Claude/{CLAUDE}",
            "/Users/u/.cursor/mcp.json",
            "/Users/u/Library/Application Support/{}/User/mcp.json",
        ),
        (
            windows(),
            rf"C:\Users\u\AppData\Roaming\Claude\{CLAUDE}",
            r"C:\Users\u\.cursor\mcp.json",
            r"C:\Users\u\AppData\Roaming\{}\User\mcp.json",
        ),
        (
            windows(environ={"APPDATA": r"D:\Roaming", "XDG_CONFIG_HOME": r"D:\no"}),
            rf"D:\Roaming\Claude\{CLAUDE}",
            r"C:\Users\u\.cursor\mcp.json",
            r"D:\Roaming\{}\User\mcp.json",
        ),
    ],
    ids=["linux", "linux-xdg", "macos", "windows", "windows-roaming"],
)
def test_the_files_of_programs_with_windows(
    system: System, claude: str, cursor: str, code: str
) -> None:
    assert [str(each.file) for each in claude_desktop_places(system)] == [claude]
    assert [str(each.file) for each in cursor_places(system)] == [cursor]
    assert [str(each.file) for each in vscode_places(system)] == [
        code.format(name) for name in ("Code", "Code - Insiders", "VSCodium")
    ]


def test_a_relative_folder_in_a_variable_counts_for_nothing() -> None:
    assert str(linux({"XDG_CONFIG_HOME": "cfg"}).configuration) == "/home/u/.config"
    assert str(windows(environ={"APPDATA": "x"}).configuration).startswith(r"C:\Users\u")


def test_claude_desktop_as_a_windows_package_reads_a_file_of_its_own() -> None:
    folders = {"Packages": ["Claude_pzs8sxrjxfjjc", "Other_1"], "Claude-Data": ["claude_abc"]}
    found = claude_desktop_places(windows(folders, {"LOCALAPPDATA": r"C:\L"}))

    assert [str(each.file) for each in found][1:] == [
        rf"C:\L\Packages\Claude_pzs8sxrjxfjjc\LocalCache\Roaming\Claude\{CLAUDE}",
        rf"C:\L\Claude-Data\claude_abc\{CLAUDE}",
    ]
    assert str(found[1].program) == r"C:\L\Packages\Claude_pzs8sxrjxfjjc"


def test_the_files_of_programs_of_a_terminal() -> None:
    moved = linux({"CLAUDE_CONFIG_DIR": "/c", "CODEX_HOME": "/x", "GEMINI_CLI_HOME": "/g"})

    assert str(claude_code_file(linux())) == "/home/u/.claude.json"
    assert str(claude_code_file(moved)) == "/c/.claude.json"
    assert str(codex_file(linux())) == "/home/u/.codex/config.toml"
    assert str(codex_file(windows())) == r"C:\Users\u\.codex\config.toml"
    assert str(codex_file(moved)) == "/x/config.toml"
    assert str(gemini_file(linux())) == "/home/u/.gemini/settings.json"
    assert str(gemini_file(moved)) == "/g/.gemini/settings.json"


@pytest.mark.parametrize("system", [linux(), macos(), windows()], ids=["linux", "macos", "windows"])
@pytest.mark.parametrize("name", PRINTED)
def test_every_printed_host_names_its_place(name: str, system: System) -> None:
    assert PRINTED[name].where(system).strip()


def make_program(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", "utf-8")
    path.chmod(0o755)
    return str(path)


def test_the_script_beside_python_is_what_a_host_starts(tmp_path: Path) -> None:
    python = make_program(tmp_path / "bin" / "python")
    suffix = ".exe" if sys.platform == "win32" else ""

    assert find_command(str(tmp_path), python, {}) == (python, ("-m", "geekai_video_mcp"))

    script = make_program(tmp_path / "bin" / f"geekai-video-mcp{suffix}")
    assert find_command(str(tmp_path), python, {}) == (script, ())


def test_on_windows_it_is_a_program_and_no_script(tmp_path: Path) -> None:
    python = make_program(tmp_path / "Scripts" / "python.exe")
    make_program(tmp_path / "Scripts" / "geekai-video-mcp")
    script = make_program(tmp_path / "Scripts" / "geekai-video-mcp.exe")
    prefix = tmp_path / "uv" / "cache" / "archive-v0" / "abc"
    (tmp_path / "uv" / "cache").mkdir(parents=True)
    (tmp_path / "uv" / "cache" / "CACHEDIR.TAG").touch()
    uvx = make_program(tmp_path / "bin" / "uvx.exe")
    running = {"UV": str(tmp_path / "bin" / "uv.exe")}

    assert find_command(str(tmp_path), python, {}, windows=True) == (script, ())
    found = find_command(str(prefix), python, running, windows=True)
    assert found == (uvx, ("geekai-video-mcp",))


@pytest.mark.skipif(sys.platform == "win32", reason="programs without .exe")
def test_from_uvs_cache_a_host_starts_uvx(tmp_path: Path) -> None:
    prefix = tmp_path / "cache" / "archive-v0" / "abc"
    python = make_program(prefix / "bin" / "python")
    script = make_program(prefix / "bin" / "geekai-video-mcp")
    on_path = make_program(tmp_path / "tools" / "uvx")
    beside = make_program(tmp_path / "uv" / "uvx")
    path = {"PATH": str(tmp_path / "tools")}

    assert find_command(str(prefix), python, path) == (script, ())
    (tmp_path / "cache" / "CACHEDIR.TAG").touch()
    assert find_command(str(prefix), python, path) == (on_path, ("geekai-video-mcp",))
    running = {**path, "UV": str(tmp_path / "uv" / "uv")}
    assert find_command(str(prefix), python, running) == (beside, ("geekai-video-mcp",))
    assert find_command(str(prefix), python, {"PATH": "/nowhere"}) == (script, ())


@pytest.mark.skipif(sys.platform == "win32", reason="programs without .exe")
def test_from_pipx_run_a_host_starts_pipx_and_from_pipx_install_the_script(tmp_path: Path) -> None:
    path = {"PATH": str(tmp_path)}
    pipx = make_program(tmp_path / "pipx")
    for folder, starts_pipx in (("cache", True), ("venvs", False)):
        prefix = tmp_path / folder / "abc"
        python = make_program(prefix / "bin" / "python")
        script = make_program(prefix / "bin" / "geekai-video-mcp")
        (prefix / "pipx_metadata.json").touch()

        wanted = (pipx, ("run", "geekai-video-mcp")) if starts_pipx else (script, ())
        assert find_command(str(prefix), python, path) == wanted


def test_a_host_gets_the_settings_of_the_shell_but_for_the_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith(("GEEKAI_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GEEKAI_API_KEY", "sk-canary")
    monkeypatch.setenv("GEEKAI_OUTPUT_DIR", str(tmp_path))
    monkeypatch.setenv("GEEKAI_IMAGE_DIR", "misspelt")
    monkeypatch.setenv("GEEKAI_CHECKS", " ")
    monkeypatch.setenv("GEEKAI_BASE_URL", "https://gateway.example/v1")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://index.example")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(Path.home() / ".config"))

    plain, sandbox = own_launch(sandbox=False), own_launch(sandbox=True)

    assert plain.env == {
        "GEEKAI_BASE_URL": "https://gateway.example/v1",
        "GEEKAI_OUTPUT_DIR": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path),
    }
    assert sandbox == Launch(plain.command, plain.args, {**plain.env, "GEEKAI_BASE_URL": "sandbox"})
    assert Path(plain.command).is_absolute()
