# SPDX-License-Identifier: Apache-2.0
"""Starting with little: what is imported along with something else, and not needed."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from importlib import import_module
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["import_grpc", "import_msgspec"]

_UNNEEDED = "typing_extensions"
_ONLY_FOR_SCHEMAS = ("msgspec.inspect", "textwrap")
_ONLY_FOR_SERVERS = ("asyncio", "grpc.aio", "inspect", "socket")
_ONLY_WITHOUT_C = ("google.protobuf.descriptor_database", "google.protobuf.internal.python_message")
_ONLY_SOMETIMES = ("calendar", "pkgutil", "traceback")


def import_msgspec() -> None:
    """Import msgspec, and pathlib, without what they do not need for their work.

    msgspec takes typing_extensions where that is installed, although from Python 3.11 on ``typing`` has all that it
    wants; that costs a command a quarter of its start-up (it imports ``inspect``). ``uuid`` asks ``platform`` for the
    system's name, which compiles ten patterns for other questions. ``urllib.parse`` has ``ipaddress`` for addresses in
    brackets. Whoever imports these later gets them.
    """
    if "msgspec" in sys.modules or _UNNEEDED in sys.modules:
        return
    sys.modules[_UNNEEDED] = None  # type: ignore[assignment]  # an import of it fails, as documented
    try:
        with _postponed(*_ONLY_FOR_SCHEMAS, "ipaddress"), _postponed("platform", system=lambda: os.uname().sysname):
            import pathlib  # noqa: F401

            import msgspec  # noqa: F401
    finally:
        del sys.modules[_UNNEEDED]


def import_grpc() -> None:
    """Import gRPC and protobuf without what only asynchronous programs, or protobuf in pure Python, make use of.

    That is two thirds of what they import (asyncio alone brings ssl and subprocess). Whoever uses it later gets it.
    To be called while no other thread imports anything. Where they are not installed, who needs them says so.
    """
    if "grpc" in sys.modules:
        return
    with suppress(ImportError), _postponed(*_ONLY_FOR_SERVERS, *_ONLY_WITHOUT_C, *_ONLY_SOMETIMES):
        import google.protobuf.descriptor_pb2  # noqa: F401
        import grpc  # noqa: F401


class _Later(ModuleType):
    """Stands for a module that is imported when something else of it is asked for than what is known already."""

    def __init__(self, name: str, known: dict[str, Any]) -> None:
        super().__init__(name)
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system asks whether it is a package, and the like
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


@contextmanager
def _postponed(*names: str, **known: Any) -> Iterator[None]:
    """Let imports of these modules find a stand-in, unless they are there already."""
    later = {name: _Later(name, known) for name in names if name not in sys.modules}
    sys.modules.update(later)
    try:
        yield
    finally:
        for name, module in later.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
