"""What an MCP bundle starts; scripts/mcpb packs it as server/main.py, beside the wheel.

A host passes each setting of the bundle that the person left empty as its unreplaced reference:
it counts as not set, so that the settings file, or else the default, holds.
"""

import os
import sys

from geekai_video_mcp.cli import main

UNREPLACED = "${user_config."

if __name__ == "__main__":
    for name, value in list(os.environ.items()):
        if name.startswith("GEEKAI_") and value.strip().startswith(UNREPLACED):
            del os.environ[name]
    sys.exit(main([]))
