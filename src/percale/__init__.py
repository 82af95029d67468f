# SPDX-License-Identifier: Apache-2.0
"""Percale: Calico's workload endpoints in Python."""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from percale.client import connect as connect
    from percale.resources import *  # noqa: F403


def __getattr__(name: str) -> object:
    if name == "connect":  # imported when it is asked for: most commands never need it
        from percale.client import connect

        return connect
    if not name.startswith("_"):
        from percale import resources

        if name in resources.__all__:
            return getattr(resources, name)
    raise AttributeError(f"module 'percale' has no attribute {name!r}")
