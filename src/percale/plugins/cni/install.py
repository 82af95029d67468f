# SPDX-License-Identifier: Apache-2.0
"""Putting the plugin's executables where a container runtime looks for them (spec/cni.md section 9)."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import percale
from percale.client.datastore_config import DatastoreConfig, variables_of
from percale.errors import Refused
from percale.plugins.protocol import socket_path

__all__ = ["NAMES", "NODE_VARIABLE", "executable", "install"]

NAMES = ("percale", "percale-ipam")
"""The main plugin, and the part that only hands out addresses for other main plugins."""

NODE_VARIABLE = "PERCALE_NODE"
"""The variable by which the executable tells the node's name where it works without an agent."""

_USUAL = DatastoreConfig()
_SHEBANG_LIMIT = 255  # BINPRM_BUF_SIZE of the kernel, less the new line


def executable(
    *, socket: Path | None = None, python: str = "", node: str = "", datastore: DatastoreConfig = _USUAL
) -> bytes:
    """Return the text of the executable: an absolute interpreter without ``site``, the agent's socket, this package.

    ``node`` and ``datastore`` serve DEL while no agent runs; by default they are what an agent takes by default.
    Raises Refused if the interpreter's path is too long for the first line of a script, or the datastore cannot be
    named to another program.
    """
    interpreter = python or sys.executable
    first = f"#!{os.path.realpath(interpreter)} -IS"
    if len(first.encode()) > _SHEBANG_LIMIT or " " in os.path.realpath(interpreter):
        raise Refused(f"the kernel cannot start {interpreter}: its path is too long or has a blank in it")
    settings = {NODE_VARIABLE: node, **variables_of(datastore)}
    constants = {
        "SOCKET": os.fsencode(socket or socket_path()),
        "PYTHON": interpreter,
        "LIBRARY": str(Path(percale.__file__).parent.parent),
        "SETTINGS": {os.fsencode(name): os.fsencode(value) for name, value in settings.items() if value},
    }
    text = Path(__file__).with_name("stub.py").read_text(encoding="utf-8")
    for name, value in constants.items():
        line = re.search(rf"^{name}(:.*)? = .*$", text, flags=re.MULTILINE)
        assert line is not None, name
        text = text.replace(line[0], f"{name} = {value!r}", 1)
    return f"{first}\n{text}".encode()


def install(
    directory: Path,
    names: Sequence[str] = NAMES,
    *,
    socket: Path | None = None,
    python: str = "",
    node: str = "",
    datastore: DatastoreConfig = _USUAL,
) -> list[Path]:
    """Write the executables into a folder of plugins and return their paths; an older one is replaced in one step.

    The other arguments are those of `executable`. Raises Refused if the folder cannot be written.
    """
    text = executable(socket=socket, python=python, node=node, datastore=datastore)
    mode = 0o700 if datastore.setting("etcdPassword") else 0o755  # runtimes call plugins as root
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in names:
            path = directory / name
            new = directory / f".{name}.new"
            new.unlink(missing_ok=True)
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                os.fchmod(file.fileno(), mode)  # whatever the umask took away
                file.write(text)
            new.replace(path)
            written.append(path)
    except OSError as error:
        raise Refused(f"the plugin cannot be written into {directory}: {error}") from error
    return written
