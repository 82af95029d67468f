# SPDX-License-Identifier: Apache-2.0
"""A reader who types the commands of a page: one shell in a fresh folder, and the comparison of what it prints."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.docs.page import ROOT, Block

__all__ = ["Command", "Shell", "agrees", "commands", "surroundings"]

_SETTINGS = re.compile(r"CALICO_|ETCD_|DATASTORE_TYPE|K8S|KUBECONFIG|PERCALE_|FELIX_|XDG_")
_DONE = "\x1edone "
_OWN_RUN = "mount -t tmpfs tmpfs /run && hostname node1 && ip link set lo up && exec bash --noprofile --norc"


@dataclass(frozen=True)
class Command:
    """A command of a block, and the output that stands below it."""

    place: str
    text: str
    expected: str


def commands(block: Block) -> list[Command]:
    """Split a block at its prompts; ``> `` continues a command on the next line."""
    found: list[tuple[list[str], list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
            continue
        assert found, f"{block.place}: output stands before the first command"
        command, output = found[-1]
        if line.startswith("> ") and not output:
            command.append(line[2:])
        else:
            output.append(line)
    return [Command(block.place, "\n".join(command), "\n".join(output)) for command, output in found]


def agrees(expected: str, printed: str) -> bool:
    """Whether an output is the expected one; ``…`` stands for anything, alone on its line for any number of lines.

    Blanks at the ends of lines and empty lines at the end do not count.
    """
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "…" else ".*?".join(map(re.escape, line.split("…"))) + r"\n"
        for line in _lines(expected)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(printed))) is not None


def _lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of a reader: a home and a store of their own, ``percale`` is the program under test."""
    programs, home = folder / "bin", folder / "home"
    programs.mkdir()
    home.mkdir()
    program = programs / "percale"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m percale.cli "$@"\n')
    program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not _SETTINGS.match(name)}
    return {
        **kept,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": f"{programs}:{Path(sys.executable).parent}:/usr/sbin:/sbin:{kept.get('PATH', '')}",
        "PERCALE_DATASTORE": str(home / "percale.db"),
        "PYTHONPATH": str(ROOT / "src"),
        "TZ": "UTC",
    }


class Shell:
    """One bash for all commands of a page; a private one has network, mounts, /run and a host name of its own."""

    def __init__(self, folder: Path, environment: dict[str, str], *, private: bool = False) -> None:
        self._process = subprocess.Popen(
            _private_bash() if private else ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Shell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._process.communicate("kill $(jobs -p) 2> /dev/null; wait\n", timeout=60)
        finally:
            # A command that never ends must not outlive its test; a private shell takes all its children along.
            self._process.kill()
            self._process.communicate()

    def run(self, command: str) -> tuple[int, str]:
        """Run a command; return its status and all that it printed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{{ {command}\n}} < /dev/null\nprintf '\\n{_DONE}%d\\n' $?\n")
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            if line.startswith(_DONE):
                return int(line.removeprefix(_DONE)), "".join(lines)
            lines.append(line)
        raise AssertionError(f"the shell ended during {command!r}: {''.join(lines)}")


def may_be_private() -> bool:
    """Whether this process may give a shell namespaces of its own."""
    done = subprocess.run([*_private_bash(), "-c", "true"], capture_output=True, check=False, timeout=60)
    return done.returncode == 0


def _private_bash() -> Sequence[str]:
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    # With a PID namespace of its own, everything that a page leaves running ends with its shell.
    return ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", *user,
            "sh", "-c", f"{_OWN_RUN} \"$@\"", "sh"]  # fmt: skip
