# SPDX-License-Identifier: Apache-2.0
"""The right to make network namespaces: root has it, an ordinary user gets it inside a user namespace."""

from __future__ import annotations

import os
from pathlib import Path

from percale.errors import Refused
from percale.netlink import namespace

__all__ = ["gain"]

CLONE_NEWUSER = 0x10000000


def gain() -> bool:
    """Make this process able to create network namespaces; reports whether a user namespace was needed.

    Must be called while the process has one thread (user_namespaces(7)). Raises Refused where the system forbids it.
    """
    if os.geteuid() == 0:
        return False
    uid, gid = os.geteuid(), os.getegid()
    try:
        namespace.unshare(CLONE_NEWUSER)
    except OSError as error:
        raise Refused(_remedy(error)) from error
    own = Path("/proc/self")
    try:
        (own / "setgroups").write_text("deny")
        (own / "uid_map").write_text(f"0 {uid} 1")
        (own / "gid_map").write_text(f"0 {gid} 1")
    except OSError as error:
        raise Refused(_remedy(error)) from error
    return True


_SWITCHES = (
    ("/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces=15000"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)


def _remedy(error: OSError) -> str:
    """One sentence that names the switch which forbids user namespaces, where one of the known ones does."""
    for path, forbidding, setting in _SWITCHES:
        switch = Path(path)
        if switch.exists() and switch.read_text().strip() == forbidding:
            return f"this system forbids user namespaces to ordinary users: run as root, or let root set {setting}"
    return f"this system forbids user namespaces to ordinary users ({error.strerror}): run as root"
