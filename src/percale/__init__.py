# SPDX-License-Identifier: Apache-2.0
"""Percale: Calico's workload endpoints in Python."""

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from percale.client import connect as connect


def __getattr__(name: str) -> object:
    if name == "connect":  # imported when it is asked for: most commands never need it
        from percale.client import connect

        return connect
    raise AttributeError(f"module 'percale' has no attribute {name!r}")
