"""GeekAI over HTTP: `client` sends, `wire` is its JSON.

Nothing above may know HTTP, and nothing here may know tasks of ours, MCP or a disk. A request
that costs money is sent once: no retries, not even a redirect.
"""
