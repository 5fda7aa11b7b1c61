"""The file that holds the token of the HTTP server."""

import os
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.server.http import load_token, token_path

posix = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


def refusal_of(folder: Path) -> str:
    with pytest.raises(StorageUnavailable) as refused:
        load_token(folder)
    return refused.value.message


def test_a_token_is_made_once_and_kept(tmp_path: Path) -> None:
    first = load_token(tmp_path / "state")

    assert load_token(tmp_path / "state") == first
    assert len(first) == 43  # 256 bits
    assert load_token(tmp_path / "other") != first


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_its_user_can_read_it(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        load_token(tmp_path / "state")
    finally:
        os.umask(before)

    assert stat.S_IMODE(token_path(tmp_path / "state").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


@pytest.mark.exhaustive
def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        tokens = set(pool.map(load_token, [tmp_path / "state"] * 16))

    assert len(tokens) == 1


def test_a_start_that_was_killed_in_the_middle_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".http-token.0a1b2c3d.part").write_text("half", "utf-8")

    assert len(load_token(tmp_path)) == 43


@posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o602, 0o610])
def test_a_file_that_others_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    load_token(tmp_path)
    token_path(tmp_path).chmod(mode)

    assert "its permissions let other users read or change it" in refusal_of(tmp_path)


@posix
@pytest.mark.parametrize("target", ["real", "missing"])
def test_a_symbolic_link_is_refused(tmp_path: Path, target: str) -> None:
    load_token(tmp_path / "elsewhere")
    leads_to = token_path(tmp_path / "elsewhere") if target == "real" else tmp_path / "missing"
    token_path(tmp_path).symlink_to(leads_to)

    assert "it is a symbolic link" in refusal_of(tmp_path)
    assert not (tmp_path / "missing").exists()


@posix
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(token_path(tmp_path), 0o600)

    assert "it is not a file" in refusal_of(tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"short\n", "it does not hold a token"),
        (b"two tokens with spaces in between", "it does not hold a token"),
        (b"\xff" * 40, "it does not hold a token"),
        (b"x" * 100_000, "it does not hold a token"),
        ("\u202e".encode() * 20, "it does not hold a token"),
    ],
)
def test_a_file_without_a_token_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    token_path(tmp_path).write_bytes(content)
    token_path(tmp_path).chmod(0o600)
    message = refusal_of(tmp_path)

    assert message.startswith(
        f'The token file "{token_path(tmp_path)}" could not be read: {reason}'
    )
    assert "Delete it: the next start makes a new token" in message
    assert token_path(tmp_path).read_bytes() == content


def test_a_folder_in_its_place_is_named_with_its_remedy(tmp_path: Path) -> None:
    token_path(tmp_path).mkdir()

    with pytest.raises(StorageUnavailable, match=r"it is a folder\. Delete it"):
        load_token(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert str(token_path(tmp_path / "file" / "state")) in refusal_of(tmp_path / "file" / "state")
