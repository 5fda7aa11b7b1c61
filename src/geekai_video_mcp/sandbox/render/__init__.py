"""The sandbox's camera: from a plan in a folder to an H.264 file that is worth looking at.

It runs as a child process (`python -m geekai_video_mcp.sandbox.render FOLDER`), so
that its memory comes back, a codec's crash takes nobody with it, and nothing else
ever imports av, numpy or Pillow. Importing this package imports none of them either.
"""
