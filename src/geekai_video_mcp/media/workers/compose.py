"""A child program that puts the strips of several tasks side by side, as one JPEG.

Its argument is the JSON of the strips, in order: their titles, the labels of their frames (none
for a picture) and the bytes of each. Its content is the strips, PNGs made by `preview`.
"""

import json
import sys
from collections.abc import Sequence
from io import BytesIO
from typing import Any, cast

from PIL import Image

from geekai_video_mcp.media.workers import sheets
from geekai_video_mcp.media.workers.limits import run_program


def main(arguments: Sequence[str], content: bytes) -> int:
    """Write the sheet."""
    strips, position = list[sheets.Strip](), 0
    for each in cast("list[dict[str, Any]]", json.loads(arguments[0])):
        end = position + each["bytes"]
        strips.append(_read_strip(each["title"], each["labels"], content[position:end]))
        position = end
    sys.stdout.buffer.write(
        sheets.encode_within(
            lambda share: sheets.draw_strips(strips, pixels=int(sheets.DETAIL_PIXELS * share))
        )
    )
    return 0


def _read_strip(title: str, labels: Sequence[str], png: bytes) -> sheets.Strip:
    with Image.open(BytesIO(png), formats=["PNG"]) as image:
        width = image.width // len(labels)
        cells = [
            sheets.Cell(image.crop((number * width, 0, (number + 1) * width, image.height)), label)
            for number, label in enumerate(labels)
        ]
    return sheets.Strip(title, cells)


if __name__ == "__main__":
    run_program(main)
