# SPDX-License-Identifier: Apache-2.0
"""Taking in a snapshot of a whole cluster without the garbage collector's help."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["bulk_load"]


@contextmanager
def bulk_load() -> Iterator[None]:
    """Suspend the collector for the duration, and let it pass over what is alive at the end from then on.

    A quarter of a million endpoints are millions of objects in no cycle; searching them again and again costs more
    than the calculation itself (spec/performance.md section 2).
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
