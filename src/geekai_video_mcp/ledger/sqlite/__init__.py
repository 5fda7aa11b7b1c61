"""The ledger in one SQLite file, shared by the processes of one machine.

What is of SQLite alone is here: the file and its settings, its migrations, the emergency journal
beside it, and the file locks by which its processes know of each other.
"""
