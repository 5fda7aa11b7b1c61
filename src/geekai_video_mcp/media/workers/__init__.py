"""Programs that run in child processes, and import nothing of ours but each other.

`media.child_process` starts them. NumPy may not enter: it is the sandbox's alone.
"""
