"""A picture beside its video: found again, made anew when due, and nothing of others replaced."""

import io
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.media.downloads.publishing import find_published
from geekai_video_mcp.media.inspection import Reason
from geekai_video_mcp.media.preview import PreviewRequest, RenderedPreview, ShownFile
from geekai_video_mcp.media.saved_pictures import (
    SIGNATURE,
    find_saved,
    read_state,
    save_picture,
)
from support.stills import encode_image, halves, write_file

JPEG = encode_image(halves(), "JPEG")
SHOWN = ShownFile(labels=("0.0 s", "4.9 s"), seconds=5.0, width=64, height=48, has_sound=True)
RENDERED = RenderedPreview(picture=JPEG, files=(SHOWN,))


@pytest.fixture
def request_(tmp_path: Path) -> PreviewRequest:
    return PreviewRequest(paths=(write_file(tmp_path, "a-fox-2eb52cc9.mp4", b"video"),))


def save_now(request: PreviewRequest, rendered: RenderedPreview) -> Path | None:
    """Save the picture of files that are as they were when they were decoded."""
    return save_picture(request, rendered, state=read_state(request))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_saved_picture_is_found_again_with_what_it_shows(
    tmp_path: Path, request_: PreviewRequest
) -> None:
    path = save_now(request_, RENDERED)
    found = find_saved(request_)

    assert path == tmp_path / "a-fox-2eb52cc9.frames.jpg"
    assert names(tmp_path) == ["a-fox-2eb52cc9.frames.jpg", "a-fox-2eb52cc9.mp4"]
    assert found is not None
    assert (found.path, found.files) == (path, (SHOWN,))
    pixels = [Image.open(io.BytesIO(each)).tobytes() for each in (found.jpeg, JPEG)]
    assert pixels[0] == pixels[1]


def test_it_is_made_anew_in_its_place_when_the_video_has_changed(
    tmp_path: Path, request_: PreviewRequest
) -> None:
    first = save_now(request_, RENDERED)
    (path,) = request_.paths
    path.write_bytes(b"another video")

    assert find_saved(request_) is None
    assert save_now(request_, RENDERED) == first
    assert find_saved(request_) is not None
    assert len(names(tmp_path)) == 2


def test_one_of_another_version_of_this_program_is_made_anew_in_its_place(
    tmp_path: Path, request_: PreviewRequest
) -> None:
    path = save_now(request_, RENDERED)
    assert path is not None
    path.write_bytes(path.read_bytes().replace(SIGNATURE, SIGNATURE.replace(b" 1 ", b" 0 ")))

    assert find_saved(request_) is None
    assert save_now(request_, RENDERED) == path
    assert find_saved(request_) is not None
    assert len(names(tmp_path)) == 2


def test_a_video_that_is_replaced_while_it_is_decoded_has_its_picture_made_anew(
    request_: PreviewRequest,
) -> None:
    state = read_state(request_)
    (path,) = request_.paths
    path.write_bytes(b"another video")
    save_picture(request_, RENDERED, state=state)

    assert find_saved(request_) is None
    save_now(request_, RENDERED)
    assert find_saved(request_) is not None


@pytest.mark.parametrize("content", [JPEG, b"", b"my notes", b"\xff\xd8\xff\xfe\x00\x05abc"])
def test_a_file_of_somebody_else_is_neither_taken_nor_replaced(
    tmp_path: Path, request_: PreviewRequest, content: bytes
) -> None:
    theirs = write_file(tmp_path, "a-fox-2eb52cc9.frames.jpg", content)

    assert find_saved(request_) is None
    path = save_now(request_, RENDERED)
    assert path == tmp_path / "a-fox-2eb52cc9.frames-2.jpg"
    assert find_saved(request_) is not None
    assert theirs.read_bytes() == content


def test_neither_a_link_nor_what_it_leads_to_is_touched(
    tmp_path: Path, request_: PreviewRequest
) -> None:
    target = write_file(tmp_path / "elsewhere", "x.jpg", b"theirs")
    (tmp_path / "a-fox-2eb52cc9.frames.jpg").symlink_to(target)

    assert save_now(request_, RENDERED) == tmp_path / "a-fox-2eb52cc9.frames-2.jpg"
    assert target.read_bytes() == b"theirs"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_in_its_place_is_never_opened(tmp_path: Path, request_: PreviewRequest) -> None:
    os.mkfifo(tmp_path / "a-fox-2eb52cc9.frames.jpg")  # to open it would take for ever

    assert find_saved(request_) is None
    assert save_now(request_, RENDERED) == tmp_path / "a-fox-2eb52cc9.frames-2.jpg"


def test_where_nothing_can_be_written_nothing_is_told(tmp_path: Path) -> None:
    gone = PreviewRequest(paths=(tmp_path / "gone" / "a.mp4",))
    long = PreviewRequest(paths=(write_file(tmp_path, f"{'a' * 245}.mp4", b"video"),))

    assert [save_now(gone, RENDERED), save_now(long, RENDERED)] == [None, None]
    assert names(tmp_path) == [f"{'a' * 245}.mp4"]


def test_other_views_have_names_of_their_own(tmp_path: Path, request_: PreviewRequest) -> None:
    other = write_file(tmp_path, "b-9f03aa17.mp4", b"video")
    several = PreviewRequest(paths=(*request_.paths, other), titles=("2eb52cc9", "9f03aa17"))
    rendered = RenderedPreview(picture=JPEG, files=(SHOWN, SHOWN))
    many = tuple(number + 0.123 for number in range(12))
    wanted = [
        (replace(request_, kind="cover"), RENDERED),
        (replace(request_, at=(0.5, 3.25)), RENDERED),
        (replace(request_, at=many), RENDERED),
        (replace(request_, at=many[1:]), RENDERED),
        (several, rendered),
        (replace(several, kind="cover"), rendered),
    ]
    paths = [save_now(*each) for each in wanted]

    assert len({path.name for path in paths if path}) == len(wanted)
    assert [path.name for path in paths[:2] if path] == [
        "a-fox-2eb52cc9.cover.jpg",
        "a-fox-2eb52cc9.at-0.5s-3.25s.jpg",
    ]
    assert all(find_saved(request) is not None for request, _ in wanted)
    assert find_saved(replace(request_, at=(0.5, 3.26))) is None


def test_a_picture_without_one_that_was_too_slow_is_not_kept_as_the_final_one(
    tmp_path: Path, request_: PreviewRequest
) -> None:
    other = write_file(tmp_path, "b-9f03aa17.mp4", b"video")
    several = PreviewRequest(paths=(*request_.paths, other), titles=("2eb52cc9", "9f03aa17"))
    slow = RenderedPreview(picture=JPEG, files=(SHOWN, ShownFile(reason=Reason.NO_ANSWER)))
    path = save_now(several, slow)

    assert path is not None
    assert find_saved(several) is None
    assert save_now(several, RenderedPreview(picture=JPEG, files=(SHOWN, SHOWN))) == path
    assert find_saved(several) is not None


@pytest.mark.parametrize("media", list(Media))
def test_a_download_never_takes_a_saved_picture_for_its_result(
    tmp_path: Path, request_: PreviewRequest, media: Media
) -> None:
    other = write_file(tmp_path, "b-9f03aa17.mp4", b"video")
    several = PreviewRequest(paths=(*request_.paths, other), titles=("2eb52cc9", "9f03aa17"))
    save_now(request_, RENDERED)
    save_now(several, RenderedPreview(picture=JPEG, files=(SHOWN, SHOWN)))
    for path in request_.paths:
        path.unlink()

    for stem in ("a-fox-2eb52cc9", "side-by-side-2eb52cc9-9f03aa17"):
        assert find_published(tmp_path, stem, media) is None


def test_a_part_that_a_crash_leaves_is_hidden_and_one_of_the_downloads(
    tmp_path: Path, request_: PreviewRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    def keep(_: Path, *, missing_ok: bool) -> None:
        """Nobody tidies up after a crash."""

    monkeypatch.setattr(os, "link", crash)
    monkeypatch.setattr(Path, "unlink", keep)
    with pytest.raises(KeyboardInterrupt):
        save_now(request_, RENDERED)

    left = [name for name in names(tmp_path) if name != "a-fox-2eb52cc9.mp4"]
    assert [(len(name), name[:9], name[-5:]) for name in left] == [(47, ".2eb52cc9", ".part")]
