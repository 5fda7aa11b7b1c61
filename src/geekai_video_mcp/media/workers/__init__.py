"""Programs that run in child processes, and import nothing of ours.

NumPy may not enter: it is the sandbox's alone.
"""
