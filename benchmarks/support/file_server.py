"""A host of files over HTTP, as a process of its own, in which the kernel does the copying.

It answers GET alone, from the start of a file, with a length and a strong ETag.
"""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from threading import Thread

from benchmarks.report import ROOT


@contextlib.contextmanager
def running_file_server(folder: Path) -> Generator[str]:
    """Serve the files of *folder*; yields the origin, such as `http://127.0.0.1:40000`."""
    command = [sys.executable, "-m", "benchmarks.support.file_server", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def serve_connection(connection: socket.socket, folder: Path) -> None:
    """Answer the requests of one connection in turn, until it is closed."""
    with connection, connection.makefile("rb") as requests, contextlib.suppress(OSError):
        while target := requests.readline().split()[1:2]:
            while requests.readline().strip():
                pass  # the headers: none of them changes the answer
            with (folder / Path(target[0].decode()).name).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                head = f'HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nETag: "{size}"\r\n\r\n'
                connection.sendall(head.encode())
                sent = 0
                while sent < size:
                    sent += os.sendfile(connection.fileno(), file.fileno(), sent, size - sent)


def main(folder: Path) -> None:
    """Print the port, and serve until killed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            connection, _ = server.accept()
            Thread(target=serve_connection, args=(connection, folder), daemon=True).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
