"""The ledger in PostgreSQL, shared by the processes of several machines.

What is of PostgreSQL alone is here: its pool of connections, its tables, its dialect, and the
session locks by which processes know of each other. `asyncpg` (the extra `postgres`) is imported
when this package is, so whoever does without a database imports none of it.
"""
