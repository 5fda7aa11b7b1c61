"""What a task is and what may happen to it, as values and functions. Pure.

No I/O, no clock, no chance, no HTTP and no MCP may enter: what a function needs is passed to it.
Everything above imports from here; nothing here imports from above, but for `errors`.
"""
