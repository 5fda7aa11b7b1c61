"""A second program: GeekAI's video service, built from its documents and from nothing of ours.

The server talks to it exactly as it talks to GeekAI, so what is proven against it
is proven of the client, the ledger and the engine that real money goes through.
"""
