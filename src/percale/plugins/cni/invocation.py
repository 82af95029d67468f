# SPDX-License-Identifier: Apache-2.0
"""What the runtime says in the environment: the command, the container, its namespace and interface (spec/cni.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from percale.plugins.cni.errors import CniError, Code

__all__ = ["Command", "Invocation"]

Command = str

_CONTAINER_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.\-]*")
_INTERFACE_MAXIMUM = 15
_NOT_IN_INTERFACE = re.compile(r"[/:\s]")

# Which variables each command needs, in the order in which missing ones are reported.
_NEEDED: Mapping[Command, tuple[str, ...]] = {
    "ADD": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"),
    "DEL": ("CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"),
    "CHECK": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"),
    "GC": ("CNI_PATH",),
    "STATUS": ("CNI_PATH",),
    "VERSION": (),
}


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of the runtime, checked.

    ``netns`` is the path that the runtime gave, for the answer only; ``namespace`` is the open file behind it, None
    if there was none. ``environment`` has all variables, for plugins that this one calls.
    """

    command: Command
    container_id: str = ""
    interface: str = ""
    netns: str = ""
    path: tuple[str, ...] = ()
    arguments: Mapping[str, str] = field(default_factory=dict)
    namespace: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, environment: Mapping[str, str], namespace: int | None = None) -> Invocation:
        """Return the call that these variables describe; raises CniError naming all that is missing or wrong."""
        command = environment.get("CNI_COMMAND", "")
        if command not in _NEEDED:
            raise CniError(Code.ENVIRONMENT, f"unknown CNI_COMMAND: {command!r}")
        missing = [name for name in _NEEDED[command] if not environment.get(name)]
        if missing:
            raise CniError(Code.ENVIRONMENT, "required env variables missing", ", ".join(missing))
        container_id, interface = environment.get("CNI_CONTAINERID", ""), environment.get("CNI_IFNAME", "")
        if "CNI_CONTAINERID" in _NEEDED[command]:
            _check_container_id(container_id)
            _check_interface(interface)
        return cls(
            command=command,
            container_id=container_id,
            interface=interface,
            netns=environment.get("CNI_NETNS", ""),
            path=tuple(filter(None, environment.get("CNI_PATH", "").split(":"))),
            arguments=_arguments(environment.get("CNI_ARGS", "")),
            namespace=namespace,
            environment=environment,
        )

    @property
    def pod(self) -> str:
        """The pod's name, empty unless the runtime names both the pod and its namespace."""
        return self.arguments.get("K8S_POD_NAME", "") if self.arguments.get("K8S_POD_NAMESPACE") else ""

    @property
    def pod_namespace(self) -> str:
        """The pod's namespace, empty unless the runtime names both."""
        return self.arguments.get("K8S_POD_NAMESPACE", "") if self.pod else ""


def _check_container_id(container_id: str) -> None:
    if not _CONTAINER_ID.fullmatch(container_id):
        raise CniError(Code.ENVIRONMENT, "invalid characters in containerID", container_id)


def _check_interface(name: str) -> None:
    if len(name) > _INTERFACE_MAXIMUM:
        raise CniError(Code.ENVIRONMENT, f"interface name is longer than {_INTERFACE_MAXIMUM} characters", name)
    if name in (".", "..") or _NOT_IN_INTERFACE.search(name):
        raise CniError(Code.ENVIRONMENT, "interface name must not be '.' or '..' or hold '/', ':' or blanks", name)


def _arguments(text: str) -> dict[str, str]:
    pairs = {}
    for item in filter(None, text.split(";")):
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise CniError(Code.ENVIRONMENT, f"CNI_ARGS: {item!r} is not of the form NAME=VALUE")
        pairs[name] = value
    return pairs
