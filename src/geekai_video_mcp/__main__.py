"""`python -m geekai_video_mcp` runs the command `geekai-video-mcp`."""

import sys

from geekai_video_mcp.cli import main

sys.exit(main())
