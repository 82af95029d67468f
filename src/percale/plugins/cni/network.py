# SPDX-License-Identifier: Apache-2.0
"""The network configuration that the runtime writes to stdin (spec/cni.md section 2)."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from percale.plugins.cni.errors import CniError, Code
from percale.plugins.cni.invocation import Command

__all__ = ["VERSIONS", "IpamSettings", "Network"]

VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
"""The versions of the specification that are spoken, ascending."""

_FIRST_VERSION = {"CHECK": "0.4.0", "GC": "1.1.0", "STATUS": "1.1.0"}
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.\-]*")
_OWN_TYPE = "percale"


class _Route(msgspec.Struct, frozen=True):
    dst: str = ""


class IpamSettings(msgspec.Struct, frozen=True):
    """Which plugin gives the addresses, of which families, from which pools; only the exact texts switch a family.

    ``routes`` are another plugin's, for the workload.
    """

    type: str = ""
    assign_ipv4: str | None = None
    assign_ipv6: str | None = None
    ipv4_pools: tuple[str, ...] = ()
    ipv6_pools: tuple[str, ...] = ()
    routes: tuple[_Route, ...] = ()

    @property
    def wants_ipv4(self) -> bool:
        """Whether IPv4 addresses are given; they are unless switched off."""
        return self.assign_ipv4 != "false"

    @property
    def wants_ipv6(self) -> bool:
        """Whether IPv6 addresses are given; they are not unless switched on."""
        return self.assign_ipv6 == "true"


class PolicySettings(msgspec.Struct, frozen=True):
    """Where labels and profiles come from: the API for ``k8s``, else this configuration."""

    type: str = ""
    k8s_api_root: str = ""
    k8s_auth_token: str = ""
    k8s_client_certificate: str = ""
    k8s_client_key: str = ""
    k8s_certificate_authority: str = ""


class KubernetesSettings(msgspec.Struct, frozen=True):
    """How the API is reached, and which of its nodes this is."""

    kubeconfig: str = ""
    k8s_api_root: str = ""
    node_name: str = ""


class FeatureControl(msgspec.Struct, frozen=True):
    """Gates of features that annotations ask for."""

    ip_addrs_no_ipam: bool = False
    floating_ips: bool = False


class ContainerSettings(msgspec.Struct, frozen=True):
    """What the workload may do."""

    allow_ip_forwarding: bool = False


class _MesosLabel(msgspec.Struct, frozen=True):
    key: str = ""
    value: str = ""


class _MesosLabels(msgspec.Struct, frozen=True):
    labels: tuple[_MesosLabel, ...] = ()


class _MesosNetwork(msgspec.Struct, frozen=True):
    labels: _MesosLabels = _MesosLabels()


class _Mesos(msgspec.Struct, frozen=True):
    network_info: _MesosNetwork = _MesosNetwork()


class _Arguments(msgspec.Struct, frozen=True):
    mesos: _Mesos = msgspec.field(default=_Mesos(), name="org.apache.mesos")


class Attachment(msgspec.Struct, frozen=True):
    """One interface of one container that the runtime knows of."""

    container_id: str = msgspec.field(default="", name="containerID")
    interface: str = msgspec.field(default="", name="ifname")


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """One network of the runtime's, checked for what every command needs of it."""

    cni_version: str = msgspec.field(default="", name="cniVersion")
    name: str = ""
    type: str = ""
    ipam: IpamSettings = IpamSettings()
    mtu: int = 0
    num_queues: int = 1
    device_type: str = ""
    nodename: str = ""
    nodename_file: str = ""
    nodename_file_optional: bool | None = None
    hostname: str = ""
    policy: PolicySettings = PolicySettings()
    kubernetes: KubernetesSettings = KubernetesSettings()
    feature_control: FeatureControl = FeatureControl()
    container_settings: ContainerSettings = ContainerSettings()
    include_default_routes: bool = False
    policy_setup_timeout_seconds: int = 0
    require_mtu_file: bool = False
    arguments: _Arguments = msgspec.field(default=_Arguments(), name="args")
    previous: dict[str, Any] | None = msgspec.field(default=None, name="prevResult")
    valid_attachments: tuple[Attachment, ...] = msgspec.field(default=(), name="cni.dev/valid-attachments")

    @classmethod
    def decode(cls, text: bytes, command: Command) -> Network:
        """Return the configuration; raises CniError if it is no JSON object, has no name, or is of another version."""
        try:
            network = msgspec.convert(_without_nulls(msgspec.json.decode(text)), cls)
        except msgspec.ValidationError as error:
            raise CniError(
                Code.DECODING, "the network configuration has a member of a wrong type", str(error)
            ) from None
        except msgspec.DecodeError as error:
            raise CniError(Code.DECODING, "the network configuration is not JSON", str(error)) from None
        if not _NAME.fullmatch(network.name):
            what = "missing network name" if not network.name else "invalid characters in network name"
            raise CniError(Code.INVALID_CONFIGURATION, what, network.name)
        network._check_version(command)
        return network

    def _check_version(self, command: Command) -> None:
        version = self.cni_version or VERSIONS[0]
        if version not in VERSIONS:
            raise CniError(
                Code.INCOMPATIBLE_VERSION, "incompatible CNI versions", f"{version!r} is none of {', '.join(VERSIONS)}"
            )
        if VERSIONS.index(version) < VERSIONS.index(_FIRST_VERSION.get(command, VERSIONS[0])):
            raise CniError(Code.INCOMPATIBLE_VERSION, f"config version does not allow {command}", version)

    @property
    def version(self) -> str:
        """The version of the result: that of the configuration, or the oldest that Calico answers with."""
        return self.cni_version or "0.2.0"

    @property
    def needs_nodename_file(self) -> bool:
        """Whether the file with the node's name must exist; under the name of Calico's plugin it must by default."""
        if self.nodename_file_optional is not None:
            return not self.nodename_file_optional
        return self.type != _OWN_TYPE

    @property
    def mesos_labels(self) -> dict[str, str]:
        """The labels that Mesos put into the configuration, as given."""
        return {label.key: label.value for label in self.arguments.mesos.network_info.labels.labels}


def _without_nulls(value: Any) -> Any:
    """Leave out members that are null: for Go they are absent."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value
