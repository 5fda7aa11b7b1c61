"""A fake render child: it writes the files of the contract without rendering anything.

    python fake_renderer.py JOURNAL FOLDER

Each start and end is a line in JOURNAL/renders. The first word of the prompt chooses the
behaviour: `hold` waits for JOURNAL/go (`hold and linger` also for JOURNAL/leave once its
parent has exited), `die` exits without a result, `refuse` reports an error, `mute` never
writes a line, `once` exits without a result the first time only.
"""

import hashlib
import json
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

VIDEO = b"\x00\x00\x00\x18ftypisom" + bytes(1000)
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x40\x00\x00\x00\x40\x08\x02\x00\x00\x00"


def main(journal: Path, folder: Path) -> int:
    pictures = (folder / "picture.json").exists()
    plan = json.loads((folder / ("picture.json" if pictures else "plan.json")).read_text("utf-8"))
    log_event(journal, "begin", folder)
    prompt = str(plan["prompt"])
    lingers = prompt.startswith("hold and linger")
    leave = threading.Thread(target=exit_with_parent, args=(journal, folder, lingers), daemon=True)
    leave.start()
    emit({"progress": 0.0})
    if prompt.startswith("die") or (
        prompt.startswith("once") and count_starts(journal, folder) == 1
    ):
        log_event(journal, "dead", folder)
        os._exit(3)
    if prompt.startswith("refuse"):
        log_event(journal, "refused", folder)
        sys.stdout.write("a line that is no JSON\n")
        emit({"error": {"code": "invalid_image", "message": "image cannot be decoded."}})
        return 1
    while prompt.startswith("mute"):
        time.sleep(0.01)
    while prompt.startswith("hold") and not (journal / "go").exists():
        emit({"progress": 0.5})
        time.sleep(0.02)
    names = write_pictures(plan, folder) if pictures else write_video(plan, folder)
    # Before the report, which ends the task: after it, the parent may stop this process.
    log_event(journal, "end", folder)
    write_report(plan, names, folder)
    return 0


def write_video(plan: dict[str, Any], folder: Path) -> None:
    write_file(folder, "cover.jpg", b"\xff\xd8\xff\xe0 a cover")
    if plan["last_frame"]:
        write_file(folder, "last-frame.png", PNG)
    write_file(folder, "video.mp4", VIDEO)


def write_pictures(plan: dict[str, Any], folder: Path) -> list[str]:
    names = [f"picture-{number + 1}.{plan['format']}" for number in range(plan["count"])]
    for name in names:
        write_file(folder, name, PNG + name.encode())
    return names


def write_report(plan: dict[str, Any], pictures: list[str] | None, folder: Path) -> None:
    content = {name: plan[name] for name in ("width", "height")} | {"ignored": ["negative_prompt"]}
    if pictures is None:
        content |= {name: plan[name] for name in ("fps", "seconds", "audio")}
        content |= {"bytes": len(VIDEO), "sha256": hashlib.sha256(VIDEO).hexdigest()}
    else:
        sizes = [(folder / name).stat().st_size for name in pictures]
        content |= {"pictures": pictures, "bytes": sum(sizes)}
    write_file(folder, "report.json", json.dumps(content).encode())


def write_file(folder: Path, name: str, content: bytes) -> None:
    part = folder / f".{name}.{os.getpid()}"
    part.write_bytes(content)
    part.replace(folder / name)


def exit_with_parent(journal: Path, folder: Path, lingers: bool) -> None:  # noqa: FBT001
    while os.read(0, 1):
        pass
    while lingers and not (journal / "leave").exists():
        time.sleep(0.01)
    log_event(journal, "orphaned", folder)
    os._exit(75)


def emit(message: object) -> None:
    # A parent that has exited is handled by the other thread.
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def log_event(journal: Path, event: str, folder: Path) -> None:
    fd = os.open(journal / "renders", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(fd, f"{event} {folder.name} {os.getpid()}\n".encode())
    os.close(fd)


def count_starts(journal: Path, folder: Path) -> int:
    return (journal / "renders").read_text("utf-8").count(f"begin {folder.name}")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
