"""From a POST to a film: what a client sees of a task's life."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import World


async def test_a_task_is_pending_then_succeeds_and_its_files_can_be_fetched(world: World) -> None:
    async with world.running() as client:
        task_id = await world.submit(client, extra_body={"return_last_frame": True})
        done = await world.finish(client, task_id)
        result = done["video_result"]
        video = await client.get(result["url"])
        cover = await client.get(result["cover_image_url"])
        last = await client.get(result["last_frame_url"])

    assert done["task_status"] == "succeed"
    assert (video.status_code, video.headers["content-type"]) == (200, "video/mp4")
    assert video.content[4:8] == b"ftyp"
    assert (cover.status_code, cover.headers["content-type"]) == (200, "image/jpeg")
    assert (last.status_code, last.headers["content-type"]) == (200, "image/png")
