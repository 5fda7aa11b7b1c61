"""Videos through GeekAI's API, for any MCP client.

Importing this package imports nothing else: the console script decides what is
loaded, and a client that only wants `initialize` answered should not pay for more.
"""

__version__ = "0.1.0"
