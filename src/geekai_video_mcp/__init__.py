"""Generates videos with GeekAI's API, for any MCP client.

Importing this package imports nothing else: the console script decides what is loaded, and a
client that only sends `initialize` should not have to wait for more.
"""

__version__ = "0.1.0"
