"""The floor of a submission: an SDK tool that makes one POST between two small transactions.

The row is durable before the POST, and its outcome before the answer, in SQLite's TRUNCATE and
FULL. It checks nothing, and nothing follows. As a program: the base URL, and the database.
"""

import json
import sqlite3
import sys
import uuid
from typing import Any

import httpx
from mcp.server.mcpserver import MCPServer

BASE_URL, DATABASE = sys.argv[1:]

server = MCPServer("paying", log_level="WARNING")
client = httpx.AsyncClient()
db = sqlite3.connect(DATABASE, isolation_level=None)
db.execute("PRAGMA journal_mode=TRUNCATE")
db.execute("PRAGMA synchronous=FULL")
db.execute("CREATE TABLE IF NOT EXISTS task (id TEXT PRIMARY KEY, request TEXT, provider_id TEXT)")


@server.tool()
async def generate_video(model: str, prompt: str) -> dict[str, Any]:
    """Record the request, send it, and record what the service calls it."""
    task_id, body = uuid.uuid4().hex, {"model": model, "prompt": prompt, "async": True}
    db.execute("INSERT INTO task VALUES (?, ?, NULL)", [task_id, json.dumps(body)])
    response = await client.post(f"{BASE_URL}/videos/generations", json=body)
    provider_id = response.json()["task_id"]
    db.execute("UPDATE task SET provider_id = ? WHERE id = ?", [provider_id, task_id])
    return {"task_id": task_id, "task_status": "pending"}


if __name__ == "__main__":
    server.run()
