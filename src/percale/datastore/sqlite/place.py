# SPDX-License-Identifier: Apache-2.0
"""Where a file of the embedded store may lie, and whether it is still the one that was opened."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from percale.errors import Refused, StoreUnavailable

__all__ = ["Place", "refuse_network"]

# linux/magic.h and the sources of the file systems. The write-ahead log shares memory between processes and relies on
# locks; neither holds between two hosts.
_NETWORK = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB2",
    0x5346414F: "AFS",
    0x00C36400: "Ceph",
    0x73757245: "Coda",
    0x01161970: "GFS2",
    0x7461636F: "OCFS2",
    0x0BD00BD0: "Lustre",
    0x47504653: "GPFS",
}
_STATFS_BYTES = 256


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
    magic = _magic(path.parent)
    if magic in _NETWORK:
        raise Refused(
            f"{path} lies on a network file system ({_NETWORK[magic]}), where locks and shared memory between "
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


def _magic(folder: Path) -> int:
    """Return the type of the file system (statfs(2): the first word of the answer), 0 where it is not told."""
    answer = ctypes.create_string_buffer(_STATFS_BYTES)
    if ctypes.CDLL(None).statfs(os.fsencode(folder), answer) != 0:
        return 0
    return ctypes.c_long.from_buffer(answer).value & 0xFFFFFFFF
