"""The client that most hosts still ship: the SDK's first major line."""

import json
from pathlib import Path

import anyio
import pytest

from support.mp4 import probe
from support.process import MODULE, environment

HERE = Path(__file__).parent
PYTHON = HERE.parent.parent / ".venv-mcp1" / "bin" / "python"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_client_of_mcp_1_generates_and_gets_over_stdio(tmp_path: Path) -> None:
    if not PYTHON.exists():
        pytest.skip("no .venv-mcp1 here; `make test` builds it")
    with anyio.fail_after(50):
        done = await anyio.run_process(
            [str(PYTHON), str(HERE / "mcp1_client.py"), *MODULE],
            env=environment(tmp_path),
            stderr=None,
        )
    seen = json.loads(done.stdout)

    assert seen["sdk"].startswith("1.")
    assert seen["protocol"] == "2025-11-25"
    assert seen["tools"] == ["generate_video", "get_video_task"]
    assert seen["done"]["task_status"] == "succeed"
    assert probe(Path(seen["done"]["file"])).codec == "h264"
    assert seen["blocks"] == ["text", "resource_link", "image"]
    assert seen["heard"]
    assert seen["wrong"][0] is True
    assert "prompt" in seen["wrong"][1]
