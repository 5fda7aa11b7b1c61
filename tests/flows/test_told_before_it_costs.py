"""What a model would ignore is refused or translated before it is paid for, and said."""

import pytest

from geekai_video_mcp.config import SANDBOX_MODEL, SANDBOX_URL
from support.world import World, call, structured, text

LINK = "https://example.com/1.png"
TIKTOK = {"aspect_ratio": "vertical", "resolution": "1080p", "duration": 10, "with_audio": True}


async def test_a_translated_request_is_sent_in_the_models_words_and_the_result_says_so(
    world: World,
) -> None:
    async with world.client() as client:
        made = await call(client, "generate_video", prompt="a fox", model="cogvideox-3", **TIKTOK)
        again = await call(client, "generate_video", prompt="a fox", model="cogvideox-3", **TIKTOK)

    (job,) = world.service.jobs.values()
    assert job.body["size"] == "1080x1920"
    assert not {"aspect_ratio", "resolution"} & set(job.body)
    assert structured(made)["sent"] == {"size": "1080x1920", "duration": 10, "with_audio": True}
    assert "were sent as size 1080x1920: cogvideox-3 takes size" in text(made)
    assert structured(again)["deduplicated"]


async def test_a_dry_run_refuses_and_translates_as_the_call_does(world: World) -> None:
    wishes = [
        {"model": "cogvideox-3", **TIKTOK},
        {"model": "cogvideox-3", "image": LINK, "image_tail": LINK},
        {"model": "kling-video-v2-6", "with_audio": True},
        {"model": "veo-3.1-fast-generate-preview", "duration": 10},
        TIKTOK,
    ]
    async with world.client() as client:
        for number, wish in enumerate(wishes):
            foreseen = await call(
                client, "generate_video", prompt=f"a fox {number}", **wish, dry_run=True
            )
            made = await call(client, "generate_video", prompt=f"a fox {number}", **wish)
            assert foreseen.is_error == made.is_error
            if made.is_error:
                assert text(foreseen) == text(made)
                assert "Nothing was charged." in text(made)
                assert "All of it can be made by " in text(made)
            else:
                sent = structured(foreseen)["dry_run"]
                assert sent["warnings"] == structured(made)["warnings"]
                assert sent["request"] == list(world.service.jobs.values())[-1].body

    assert len(world.service.charges) == 2


async def test_what_the_maker_speaks_against_is_sent_with_a_warning_where_that_is_set(
    world: World,
) -> None:
    wish = {"prompt": "a fox", "model": "kling-video-v2-6", "with_audio": True}
    async with world.client() as client:
        refused = await call(client, "generate_video", **wish)
    assert refused.is_error
    assert world.service.charges == []
    assert "GEEKAI_CHECKS=warn would send it with a warning" in text(refused)

    world.checks = "warn"
    async with world.client() as client:
        sent = await call(client, "generate_video", **wish)
        documented = await call(
            client, "generate_video", prompt="a fox", model="sora-2", watermark=True
        )
    assert "kling-video-v2-6 makes sound only with quality=pro" in text(sent)
    assert documented.is_error
    assert len(world.service.charges) == 1


@pytest.mark.parametrize("settings", [{}, {"size": "720x1280"}])
async def test_a_request_that_is_refused_since_is_not_paid_again_in_other_words(
    world: World, settings: dict[str, str]
) -> None:
    """The same call finds the task that was sent with a warning, as it is given or translated."""
    world.checks = "warn"
    wish = {"prompt": "a fox", "model": "kling-video-v2-6", "with_audio": True, **settings}
    async with world.client() as client:
        first = structured(await call(client, "generate_video", **wish))
    world.checks = "refuse"
    async with world.client() as client:
        again = structured(await call(client, "generate_video", **wish))

    assert again["task_id"] == first["task_id"]
    assert len(world.service.charges) == 1


async def test_the_sandbox_judges_and_prices_the_same_model(world: World) -> None:
    world.account, world.default_model = SANDBOX_URL, "veo-3.1-lite-generate-preview"
    wish = {"prompt": "a fox", "model": SANDBOX_MODEL, "resolution": "4k"}
    async with world.client() as client:
        foreseen = text(await call(client, "generate_video", **wish, dry_run=True))

    assert "its model is veo-3.1-lite-generate-preview, for about 3 CNY" in foreseen
    assert "default model veo-3.1-lite-generate-preview would refuse this:" in foreseen
    assert "cogvideox-flash" not in foreseen


async def test_the_sandbox_says_what_the_model_behind_a_key_would_refuse(world: World) -> None:
    world.account = SANDBOX_URL
    sandboxed = {"model": SANDBOX_MODEL, **TIKTOK}
    async with world.client() as client:
        short = await call(client, "generate_video", prompt="a fox", model=SANDBOX_MODEL)
        foreseen = await call(client, "generate_video", prompt="a fox", **sandboxed, dry_run=True)
        made = await call(client, "generate_video", prompt="a fox", **sandboxed)

    assert "warnings" not in structured(short)
    for result in (foreseen, made):
        assert "With a key, the default model cogvideox-flash would refuse this:" in text(result)
        assert "All of it can be made by cogvideox-3 (1 CNY)" in text(result)
