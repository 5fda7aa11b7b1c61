"""A second program: a mock of GeekAI's service, built from its documentation alone.

It imports nothing from the rest of this package. The server calls it exactly as it calls
GeekAI, so a test against it exercises the client, the ledger and the engine that paid
requests go through.
"""
