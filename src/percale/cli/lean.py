# SPDX-License-Identifier: Apache-2.0
"""Starting with little: what is imported along with something else, and not needed."""

from __future__ import annotations

import sys

__all__ = ["import_msgspec"]

_UNNEEDED = "typing_extensions"


def import_msgspec() -> None:
    """Import msgspec without typing_extensions, which it takes where it is installed.

    From Python 3.11 on ``typing`` has all that msgspec wants of it, and it costs a command a quarter of its start-up
    (it imports ``inspect``). Whoever imports it later gets it.
    """
    if "msgspec" in sys.modules or _UNNEEDED in sys.modules:
        return
    sys.modules[_UNNEEDED] = None  # type: ignore[assignment]  # an import of it fails, as documented
    try:
        import msgspec  # noqa: F401
    finally:
        del sys.modules[_UNNEEDED]
