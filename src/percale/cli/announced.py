# SPDX-License-Identifier: Apache-2.0
"""The version of Calico that this program announces: the one whose resources, keys and words it speaks."""

from __future__ import annotations

from percale import __version__

__all__ = ["COMMIT", "VERSION", "same_version"]

VERSION = "v3.33.0"
COMMIT = f"percale-{__version__}"


def same_version(left: str, right: str) -> bool:
    """Reports whether two versions are equal up to what follows the first dash (spec/cli.md section 3)."""
    return cut(left) == cut(right)


def cut(version: str) -> str:
    """Return a version without a leading ``v`` and without what follows the first dash."""
    return version.removeprefix("v").partition("-")[0]
