"""A second program: a mock of GeekAI's service, built from its documentation alone.

Nothing of `geekai_video_mcp` may enter: it is an independent witness to what the documents
say. The server calls it exactly as it calls GeekAI, so a test against it exercises the client,
the ledger and the engine that paid requests go through.
"""
