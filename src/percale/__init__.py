# SPDX-License-Identifier: Apache-2.0
"""Percale: Calico's workload endpoints in Python.

Kinds, what they consist of, errors and ``connect`` are imported when they are asked for: most programs and commands
need few of them.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from percale.client import connect as connect
    from percale.errors import *  # noqa: F403
    from percale.resources import *  # noqa: F403


def __getattr__(name: str) -> object:
    if name == "connect":
        return import_module("percale.client").connect
    if not name.startswith("_"):
        # Not ``from percale import resources``: that asks this function for the name first.
        for home in map(import_module, ("percale.resources", "percale.errors")):
            if name in home.__all__:
                return getattr(home, name)
    raise AttributeError(f"module 'percale' has no attribute {name!r}")


def __dir__() -> list[str]:
    homes = map(import_module, ("percale.resources", "percale.errors"))
    return sorted({*globals(), "connect", *(name for home in homes for name in home.__all__)})
