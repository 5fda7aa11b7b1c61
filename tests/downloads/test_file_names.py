"""What a file is called: after its prompt, in any script, on any disk."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geekai_video_mcp.media.downloads.publishing import file_stem
from support.net import Net, succeeded_task


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("A Fox, in the SNOW!", "a-fox-in-the-snow"),
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
        ("a\0b\nc\x1b[0m", "a-b-c-0m"),
        ("🦊🦊🦊", "video"),
        ("half \ud800", "half"),
        ("\u202egnp.exe", "gnp-exe"),
        ("", "cogvideox-flash"),
        (
            "a fox runs through the fresh snow at dawn and on",
            "a-fox-runs-through-the-fresh-snow-at",
        ),
        ("狐" * 41, "狐" * 40),
        ("x" * 40, "x" * 40),
    ],
)
async def test_a_file_is_named_after_its_prompt_in_any_script(
    net: Net, prompt: str, words: str
) -> None:
    await net.fetch(succeeded_task(prompt=prompt))

    assert net.files() == [f"{unicodedata.normalize('NFC', words)}-01234567.mp4"]


@settings(deadline=None, max_examples=300)
@given(st.text(st.characters(codec=None), max_size=200))
def test_no_prompt_makes_a_name_that_a_disk_would_not_take(prompt: str) -> None:
    stem = file_stem(succeeded_task(prompt=prompt))

    assert 9 < len(stem.encode()) <= 200, "255 bytes with a number, an ending and .part"
    assert not set(stem) & set('/\\:*?"<>|. \0\n')
    assert stem[0] not in ".-"
    assert stem.isprintable()
