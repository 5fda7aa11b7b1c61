"""What the command `geekai-video-mcp` and `python -m geekai_video_mcp` run.

An older Python reads this file and the package's `__init__`, and nothing else: they keep to its
syntax.
"""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - a clone or an installation by force may be run by one
    sys.stderr.write(
        "geekai-video-mcp needs Python 3.11 or newer, and this is Python "
        + sys.version.split()[0]
        + ". Run it with a newer one, or with uvx, which brings its own: uvx geekai-video-mcp\n"
    )
    sys.exit(2)

from geekai_video_mcp.early_interrupt import INTERRUPTED, end_at_once_on_interrupt


def main() -> int:
    """Run the command of this process; return the exit status."""
    end_at_once_on_interrupt()
    from geekai_video_mcp.cli import main as run_command  # noqa: PLC0415 - from here on Ctrl-C is expected

    return run_command()


if __name__ == "__main__":
    status = main()
    if status == INTERRUPTED:
        # Of `python -m` sys.exit may make an end by the signal: see early_interrupt.
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
