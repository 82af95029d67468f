# SPDX-License-Identifier: Apache-2.0
"""Where a file of the embedded store may lie, and whether it is still the one that was opened."""

from __future__ import annotations

import os
from pathlib import Path

from percale.errors import Refused, StoreUnavailable

__all__ = ["Place", "refuse_network"]

# The write-ahead log shares memory between processes and relies on locks; neither holds between two hosts.
_NETWORK = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "coda", "gfs", "gfs2", "ocfs2", "lustre", "gpfs"),
        *("beegfs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone"),
    )
)
_MOUNTS = "/proc/self/mountinfo"


class Place:
    """The file as it was when it was opened; SQLite goes on with the old one when another takes its path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._text = os.fspath(path)
        self._identity = _identity(self._text)

    def check(self) -> None:
        """Raise StoreUnavailable if the path is empty now, or holds another file."""
        identity = _identity(self._text)
        if identity == self._identity:
            return
        if identity is None:
            raise StoreUnavailable(
                f"the datastore {self.path} was removed while it was open; put it back or restore a backup, "
                "then start this program again"
            )
        raise StoreUnavailable(
            f"the datastore {self.path} was replaced by another file while it was open; start this program again"
        )


def refuse_network(path: Path) -> None:
    """Raise Refused if the folder of the file lies on a file system of the network."""
    kind = _file_system(path.parent)
    if kind in _NETWORK:
        raise Refused(
            f"{path} lies on a network file system ({kind}), where locks and shared memory between "
            "processes cannot be trusted; use a local disk, or etcd for several machines"
        )


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailable(f"the datastore {path}: {error.strerror}") from error
    return found.st_dev, found.st_ino


def _file_system(folder: Path) -> str:
    """Return the type of the file system as mount(8) names it (proc_pid_mountinfo(5)), empty where it is not told."""
    try:
        device = os.stat(folder).st_dev
        with open(_MOUNTS, encoding="utf-8", errors="replace") as file:
            mounts = file.read()
    except OSError:
        return ""
    # A mount is a line; spaces inside its fields are escaped.
    _, found, rest = mounts.partition(f" {os.major(device)}:{os.minor(device)} ")
    return rest.partition(" - ")[2].split()[0] if found else ""
