# SPDX-License-Identifier: Apache-2.0
"""A bundle of texts that help to find a fault: a folder in a ``tar.gz``."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from percale.cli.command import Arguments, CommandFailed
from percale.cli.config import datastore_flags

__all__ = ["Bundle"]

_TIMEOUT_S = 30.0
_LARGEST_FILE = 32 << 20


class Bundle:
    """Collects texts under names (``network/links.txt``); what cannot be had is named with the reason instead.

    Commands of this program look into the datastore that the ``arguments`` name.
    """

    def __init__(self, stem: str, arguments: Arguments) -> None:
        self._datastore = datastore_flags(arguments)
        self.name = f"{stem}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        self._files: dict[str, bytes] = {}

    def add(self, name: str, content: str | bytes) -> None:
        """Take a text."""
        self._files[name] = content.encode() if isinstance(content, str) else content

    def add_output(self, name: str, *command: str) -> None:
        """Take what a program prints, after the command that it was."""
        try:
            done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)
            told = done.stdout + done.stderr + (f"exit status {done.returncode}\n".encode() if done.returncode else b"")
        except (OSError, subprocess.TimeoutExpired) as error:
            told = f"not available: {error}\n".encode()
        self.add(name, f"$ {' '.join(command)}\n".encode() + told)

    def add_own(self, name: str, *words: str) -> None:
        """Take what a command of this program prints."""
        self.add_output(name, sys.executable, "-m", "percale.cli", *words, *self._datastore)

    def add_files(self, name: str, folder: Path, pattern: str) -> None:
        """Take files of a folder and of those inside as they are, large ones without their beginning."""
        for path in sorted(path for path in folder.rglob(pattern) if path.is_file()):
            member = f"{name}/{path.relative_to(folder)}"
            try:
                with open(path, "rb") as file:
                    file.seek(max(path.stat().st_size - _LARGEST_FILE, 0))
                    self.add(member, file.read(_LARGEST_FILE))
            except OSError as error:
                self.add(member, f"not available: {error}\n")

    def save(self, folder: Path) -> Path:
        """Write the bundle, readable by its owner only, and return its path; raises CommandFailed."""
        path = folder / f"{self.name}.tar.gz"
        try:
            with open(path, "xb", opener=_private) as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
                for name, content in sorted(self._files.items()):
                    member = tarfile.TarInfo(f"{self.name}/{name}")
                    member.size, member.mtime, member.mode = len(content), int(time.time()), 0o600
                    archive.addfile(member, io.BytesIO(content))
        except OSError as error:
            raise CommandFailed(f"the bundle cannot be written to {path}: {error.strerror}") from error
        return path


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
