# SPDX-License-Identifier: Apache-2.0
"""Where the embedded store lies when nobody says so: system-wide if that is writable, else with the user."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from percale.errors import Refused, StoreUnavailable

__all__ = ["ENVIRONMENT", "SYSTEM_FOLDER", "Location", "locate", "make_folder"]

ENVIRONMENT = "PERCALE_DATASTORE"
"""The variable that names the file."""
SYSTEM_FOLDER = Path("/var/lib/percale")
_FILE = "percale.db"


class Location(msgspec.Struct, frozen=True):
    """The file of the store; ``hidden`` is a system-wide one that exists but can't be used by this user."""

    path: Path
    hidden: Path | None = None

    @property
    def notice(self) -> str:
        """One line for a user whose own store is empty, although the machine has one; else empty."""
        if self.hidden is None:
            return ""
        return f"using your own datastore {self.path}, which is empty; the one of this machine is {self.hidden}"

    @property
    def is_vacant(self) -> bool:
        """Whether no file is there, and none is kept from this user."""
        try:
            self.path.stat()
        except OSError as error:
            return isinstance(error, FileNotFoundError)
        return False

    @property
    def vacancy_notice(self) -> str:
        """One line for a user who reads where no file is."""
        other = f"; the one of this machine is {self.hidden}" if self.hidden else ""
        return f"there is no datastore at {self.path} yet: apply or create makes one, and so does the agent{other}"


def locate(
    path: str | os.PathLike[str] | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
    system_folder: Path = SYSTEM_FOLDER,
) -> Location:
    """Return the file to use: the one given, that of the environment, the system's if writable, else the user's.

    Raises Refused where something else than a file is.
    """
    found = _located(path, environment, system_folder)
    if os.path.isdir(found.path):
        raise Refused(f"{found.path} is a folder, and a datastore is a file: name one inside")
    if os.path.exists(found.path) and not os.path.isfile(found.path):
        raise Refused(f"{found.path} is a device or a pipe, and a datastore is a file")
    return found


def _located(path: str | os.PathLike[str] | None, environment: Mapping[str, str], system_folder: Path) -> Location:
    chosen = path or environment.get(ENVIRONMENT)
    if chosen:
        return Location(Path(chosen))
    system = system_folder / _FILE
    if _is_writable(system):
        return Location(system)
    return Location(_user_folder(environment) / _FILE, system if _exists(system) else None)


def make_folder(location: Location) -> None:
    """Make the folder of the file, for its owner alone, unless it is there; raises StoreUnavailable."""
    try:
        location.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        folder = location.path.parent
        reason = f"{folder} is no folder" if isinstance(error, FileExistsError) else error.strerror
        raise StoreUnavailable(f"cannot make a folder for the datastore {location.path}: {reason}") from error


def _is_writable(file: Path) -> bool:
    """Whether the file can be written, or made together with its folder."""
    for place in (file, file.parent):
        if _exists(place):
            return os.access(place, os.W_OK)
    return os.access(file.parent.parent, os.W_OK)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return True  # there is something that this user must not see


def _user_folder(environment: Mapping[str, str]) -> Path:
    state = environment.get("XDG_STATE_HOME", "")
    # The specification says that a relative path is to be ignored.
    base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return base / "percale"
