"""The main path, as a conversation between a client and the server."""

from pathlib import Path

from support.service import VIDEO
from support.world import World, call, text, told


async def test_a_prompt_becomes_a_file(world: World) -> None:
    async with world.client() as client:
        started = told(await call(client, "generate_video", prompt="a fox in the snow"))
        done = await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=45)

    assert started["task_status"] == "pending"
    assert told(done)["task_status"] == "succeed"
    assert Path(told(done)["file"]).read_bytes() == VIDEO
    assert not done.is_error
    assert told(done)["file"] in text(done)
