"""Films: finished videos joined on this machine, as tasks like any other."""

from pathlib import Path
from typing import Any

from mcp import Client

from support.world import World, call, structured, text


async def finished(client: Client, prompt: str = "a red fox", **more: Any) -> str:  # noqa: ANN401 - JSON
    """The id of a finished video."""
    asked = structured(await call(client, "generate_video", prompt=prompt, **more))
    task_id = asked["task_id"]
    done: dict[str, Any] = {}
    while "file" not in done:
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))
    return task_id


async def test_three_shots_become_one_film_in_one_call(world: World) -> None:
    async with world.client() as client:
        ids = [await finished(client, f"a red fox, shot {number}") for number in (1, 2, 3)]
        charged = len(world.service.charges)
        result = await call(client, "join_videos", parts=[ids[0][:8], f"{ids[1]}@1-4.5", ids[2]])
    film = structured(result)

    assert film["task_status"] == "succeed"
    assert film["sandbox"] is False
    assert Path(film["file"]).name == f"a-red-fox-shot-1-film-{film['task_id'][:8]}.mp4"
    assert (film["duration"], film["width"], film["height"], film["audio"]) == (15, 1280, 720, True)
    assert film["warnings"] == ["The parts were joined without re-encoding."]
    assert "price_cny" not in film
    assert text(result) == (
        "Finished (a film): 15.0 s, 1280x720, 30 fps, with sound. File: "
        f"{film['file']} (1 kB)."
        " The parts were joined without re-encoding. To look at it, call view_video. Give the user"
        " the file. To continue from its last frame: generate_video with image"
        f' "task:{film["task_id"][:8]}".'
    )
    (request,) = world.join.requests
    assert [(part.start, part.end) for part in request.parts] == [
        (None, None),
        (1, 4.5),
        (None, None),
    ]
    assert len(world.service.charges) == charged
