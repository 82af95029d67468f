# SPDX-License-Identifier: Apache-2.0
"""Who writes: the text that a datastore keeps beside a change, where it can."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

__all__ = ["ENVIRONMENT", "identity"]

ENVIRONMENT = "PERCALE_WRITER"
"""The variable with words of the user's own before it: a pipeline's name, a ticket's number."""
_LONGEST = 200


def identity(program: str = "", environment: Mapping[str, str] = os.environ) -> str:
    """Return ``user@host (program)``, behind what PERCALE_WRITER says, on one line of at most 200 characters.

    The program is by default the one that runs. Where sudo was used, the user is the one behind it. It is information,
    not evidence: whoever may write the datastore can write it differently.
    """
    process = _line(f"{_user(environment)}@{os.uname().nodename} ({program or _program()})")[:_LONGEST]
    words = _line(environment.get(ENVIRONMENT, ""))[: max(0, _LONGEST - len(process) - 2)]
    return f"{words}, {process}" if words else process


def _line(text: str) -> str:
    """Return a text of the system, which may hold any bytes, as one line of Unicode."""
    return " ".join(text.encode("utf-8", "replace").decode().split())


def _user(environment: Mapping[str, str]) -> str:
    number = os.geteuid()
    behind = environment.get("SUDO_USER", "") if number == 0 else ""
    return f"{behind} as root" if behind and behind != "root" else _name(number)


def _name(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _program() -> str:
    return os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] not in ("", "-c") else "python"
