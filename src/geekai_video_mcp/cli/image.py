"""`geekai-video-mcp image`: generate a picture, as the tool generate_image does."""

import argparse

from geekai_video_mcp.cli.generate import EXIT_STATUSES, add_request_options
from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.tool_options import IMAGE_HELP
from geekai_video_mcp.server.arguments import GenerateImage


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Generate a picture, wait for it, and store it in the output folder. It can be"
        " the first frame of a video. What is paid is shown and asked first, as by generate.",
        **examples(
            'geekai-video-mcp image "a fox in the snow, at dusk" --aspect-ratio 16:9 --open',
            'geekai-video-mcp generate "it turns its head" --image task:d306a0ba',
            note=EXIT_STATUSES,
        ),
        allow_abbrev=False,
    )
    parser.add_argument("prompt", metavar="PROMPT", help="what should be seen")
    add_request_options(parser, GenerateImage, help_texts=IMAGE_HELP)
    return parser
