"""Which disks the state folder had better not be on."""

from pathlib import Path

import pytest

from geekai_video_mcp.ledger import Ledger
from geekai_video_mcp.ledger.sqlite import filesystem

MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /home rw,relatime shared:2 - nfs4 server:/home rw,vers=4.2
31 30 0:27 / /home/ada/local\040disk rw shared:3 master:1 - xfs /dev/vdb rw
32 22 0:28 / /mnt/share rw - cifs //server/share rw
33 22 0:29 / /mnt/c rw - 9p C:\134 rw
34 22 0:30 / /mnt/remote rw - fuse.sshfs ada@server: rw
35 22 0:31 / /mnt/twice rw - nfs4 server:/old rw
36 35 0:32 / /mnt/twice rw - ext4 /dev/vdc rw
no line of a table
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib/state", "ext4"),
        ("/home/ada/state", "nfs4"),
        ("/home/ada/local disk/state", "xfs"),
        ("/homestead", "ext4"),
        ("/mnt/share", "cifs"),
        ("/mnt/c/Users/ada", "9p"),
        ("/mnt/remote/state", "fuse.sshfs"),
        ("/mnt/twice/state", "ext4"),
    ],
)
def test_the_nearest_and_last_mount_says_what_a_disk_is(folder: str, kind: str) -> None:
    assert filesystem.filesystem_of(Path(folder), MOUNTS) == kind


def test_a_table_that_cannot_be_read_says_nothing() -> None:
    assert filesystem.filesystem_of(Path("/state"), "") is None


@pytest.mark.parametrize(
    ("kind", "warned"), [("nfs4", True), ("fuse.sshfs", True), ("ext4", False)]
)
async def test_a_network_disk_is_warned_of_once_and_not_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    *,
    warned: bool,
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(f"22 1 254:0 / / rw - {kind} disk rw\n", "utf-8")
    monkeypatch.setattr(filesystem, "MOUNTS", table)

    ledger = await Ledger.open(tmp_path / "state")
    await ledger.close()

    assert caplog.text.count("GEEKAI_STATE_DIR") == warned


async def test_a_system_without_such_a_table_is_not_spoken_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(filesystem, "MOUNTS", tmp_path / "none")

    ledger = await Ledger.open(tmp_path / "state")
    await ledger.close()

    assert caplog.text == ""
