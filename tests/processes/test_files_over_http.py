"""Links to files over a real socket: who may open them, and who may not."""

from pathlib import Path

import httpx

from support.process import SERVE, SMALL, http_client, http_server, token_header
from support.world import call, structured

SECRET = "0123456789abcdef0123456789abcdef"


async def test_a_link_is_opened_by_whoever_has_it_and_read_by_no_foreign_script(
    tmp_path: Path,
) -> None:
    public = "http://127.0.0.1:9/prefix"
    settings = {"GEEKAI_SECRET": SECRET, "GEEKAI_PUBLIC_URL": public}
    serve = SERVE
    async with http_server(tmp_path, *serve, **settings) as origin:
        async with http_client(f"{origin}/mcp", headers=token_header(tmp_path)) as client:
            made = structured(await call(client, "generate_video", prompt="a fox", **SMALL))
            task_id = made["task_id"]
            done = structured(
                await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
            )
        link = done["file_link"]
        assert link.startswith(f"{public}/files/")
        # As a proxy that removes the prefix would pass it on.
        here = link.replace(public, origin)
        async with httpx.AsyncClient() as browser:
            usual = await browser.get(here)
            clicked = await browser.get(here, headers={"Sec-Fetch-Site": "cross-site"})
            script = await browser.get(here, headers={"Origin": "http://localhost:3000"})
            foreign = await browser.get(here, headers={"Origin": "https://evil.test"})
            posted = await browser.post(here)
            part = await browser.get(here, headers={"Range": "bytes=0-99"})
            forged = await browser.get(here.replace("/files/", "/files/A"))
    content = Path(done["file"]).read_bytes()
    assert (usual.status_code, usual.content) == (200, content)
    assert (clicked.status_code, clicked.content) == (200, content)
    assert not [name for name in script.headers if name.startswith("access-control")]
    assert foreign.status_code == 403
    assert posted.status_code >= 400
    assert (part.status_code, part.content) == (206, content[:100])
    assert forged.status_code == 404
