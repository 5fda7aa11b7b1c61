"""`python -m geekai_video_mcp` is `geekai-video-mcp`."""

import sys

from geekai_video_mcp.cli import main

sys.exit(main())
