"""What a file is called: after its prompt, in any script, on any disk."""

import time
import unicodedata
from dataclasses import replace

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geekai_video_mcp.media.downloads.publishing import file_stem
from support.fake_geekai import VIDEO
from support.net import Net, succeeded_task


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("A Fox, in the SNOW!", "fox-snow"),
        ("雪の中の狐", "雪の中の狐"),
        ("हिन्दी में लोमड़ी", "हिन्दी-में-लोमड़ी"),
        ("สุนัขจิ้งจอก", "สุนัขจิ้งจอก"),
        ("e\u0301te\u0301", "été"),
        ("../../etc/passwd", "etc-passwd"),
        ("..\\..\\windows\\system32", "windows-system32"),
        ("/absolute", "absolute"),
        (".hidden", "hidden"),
        ("-rf *", "rf"),
        ("con", "con"),
        ("b\0c\nd\x1b[0m", "b-c-d-0m"),
        ("🦊🦊🦊", "video"),
        ("half \ud800", "half"),
        ("\u202egnp.exe", "gnp-exe"),
        ("", "cogvideox-flash"),
        (
            "a fox runs past a wall of fresh snow at dawn while hares sleep",
            "fox-runs-past-wall-fresh-snow-dawn-while",
        ),
        ("狐" * 41, "狐" * 40),
        ("𠀋" * 41, "𠀋" * 30),
        ("x" * 40, "x" * 40),
        ("of the", "of-the"),
    ],
)
async def test_a_file_is_named_after_its_prompt_in_any_script(
    net: Net, prompt: str, words: str
) -> None:
    await net.fetch(succeeded_task(prompt=prompt))

    assert net.files() == [f"{unicodedata.normalize('NFC', words)}-01234567.mp4"]


@settings(max_examples=300)
@given(st.text(st.characters(codec=None), max_size=200))
def test_no_prompt_makes_a_name_that_a_disk_would_not_take(prompt: str) -> None:
    stem = file_stem(succeeded_task(prompt=prompt))

    longest = f"{stem}.frames.jpg"
    assert len(stem) > 9
    assert len(longest.encode()) <= 143, "what an encrypted disk allows"
    assert not set(stem) & set('/\\:*?"<>|. \0\n')
    assert stem[0] not in ".-"
    assert stem.isprintable()


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("slow dolly shot of a red fox in the snow", "red-fox-snow"),
        ("A close-up of an old clock; the camera slowly pans left", "old-clock"),
        ("Aerial drone view of a lighthouse", "lighthouse"),
        ("Handheld tracking shot from behind: two hikers", "behind-two-hikers"),
        ("Shot 3: a cook tastes the soup, zoom in on the spoon", "3-cook-tastes-soup-spoon"),
        ("Time-lapse of clouds over a city", "clouds-over-city"),
        ("In slow motion a wave breaks", "wave-breaks"),
        # What the camera's words mean elsewhere is kept.
        ("a crane stands in a wide river", "crane-stands-wide-river"),
        ("a slow turtle at the top of a hill", "slow-turtle-top-hill"),
        ("a camera on a wooden table", "camera-wooden-table"),
        ("a frying pan on the stove", "frying-pan-stove"),
        ("wide shot", "wide-shot"),
        ("镜头缓缓推进，一只狐狸在雪中奔跑", "狐狸在雪中奔跑"),
        ("特写：一个老钟表，慢动作", "老钟表"),
        ("航拍镜头，海边的灯塔", "海边的灯塔"),
        ("一只狐狸在雪中奔跑", "狐狸在雪中奔跑"),
        ("全景", "全景"),
    ],
)
def test_the_name_says_what_is_seen_and_not_how_the_camera_moves(prompt: str, words: str) -> None:
    assert file_stem(succeeded_task(prompt=prompt)) == f"{words}-01234567"


def test_a_variation_is_in_the_name() -> None:
    stems = [
        file_stem(replace(succeeded_task(prompt="a fox"), variation=variation))
        for variation in (None, 1, 2, 12)
    ]

    assert stems == ["fox-01234567", "fox-01234567", "fox-v2-01234567", "fox-v12-01234567"]


def test_a_long_prompt_of_camera_words_is_read_in_no_time() -> None:
    began = time.process_time()
    for words in ("wide angle ", "the camera slowly then ", "over the shoulder ", "镜头缓缓推进"):
        file_stem(succeeded_task(prompt=words * 1000))

    assert time.process_time() - began < 1


@pytest.mark.parametrize("name", ["a-fox-in-the-snow-01234567.mp4", "fox-v2-01234567.mp4"])
async def test_a_video_that_an_earlier_version_named_is_found_by_its_id(
    net: Net, name: str
) -> None:
    net.folder.mkdir()
    (net.folder / name).write_bytes(VIDEO)
    (net.folder / "fox-snow-89abcdef.mp4").write_bytes(VIDEO)
    net.answers["static.geekai.co"] = httpx.Response(404)

    found = await net.fetch(succeeded_task())

    assert found.path == str(net.folder / name)
