"""The sandbox's renderer: turns the plan in a folder into an H.264 video or images.

It runs as a child process (`python -m geekai_sandbox.render FOLDER`), so that
its memory is released, a crash of a codec does not affect the sandbox, and the sandbox
never imports av, numpy or Pillow. Importing this package imports none of them either.
"""
