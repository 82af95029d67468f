# SPDX-License-Identifier: Apache-2.0
"""Calico's OpenStack code as a peer: the environment that it runs in, and the process to ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

VARIABLE = "PERCALE_OPENSTACK_PYTHON"
_HERE = Path(__file__).parent
_PACKAGES = _HERE / "openstack.txt"
_MAKING_S = 120


class Unavailable(Exception):
    """There is no such peer here, for the reason in the text."""


def interpreter(folder: Path) -> str:
    """Return an interpreter that has the packages: the one that the variable names, or a new one in ``folder``.

    Raises Unavailable where the packages cannot be had.
    """
    if named := os.environ.get(VARIABLE):
        return named
    python, complete = folder / "bin" / "python", folder / "complete"
    wanted = _PACKAGES.read_text()
    if complete.exists() and complete.read_text() == wanted:
        return str(python)
    complete.unlink(missing_ok=True)
    install = "-m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --retries 0 -r"
    for command in ([sys.executable, "-m", "venv", str(folder)], [str(python), *install.split(), str(_PACKAGES)]):
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_MAKING_S)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"networking-calico could not be installed within {_MAKING_S} s") from None
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise Unavailable(f"networking-calico cannot be installed here ({last}); {VARIABLE} can name "
                              "an interpreter that has it") from error  # fmt: skip
    complete.write_text(wanted)
    return str(python)


class OpenStack:
    """A process that does what ``openstack_peer.Peer`` offers, by the same names: ``openstack("seen", 1)``."""

    def __init__(self, python: str, endpoint: str) -> None:
        port = endpoint.rpartition(":")[2]
        self._process = subprocess.Popen(
            [python, "-W", "ignore", str(_HERE / "openstack_peer.py"), port],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, name, *arguments, **options):
        self.ask(name, *arguments, **options)
        return self.answer()

    def ask(self, name, *arguments, **options):
        """Begin a request whose answer is taken later."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([name, arguments, options]) + "\n")
        self._process.stdin.flush()

    def answer(self):
        """Return the answer to the request that was begun."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._process.communicate()[1]
        told = json.loads(line)
        assert "error" not in told, told
        return told["answer"]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
