# SPDX-License-Identifier: Apache-2.0
"""Who a call is about: the container or pod, its names in the datastore and on the host (spec/cni.md section 3)."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from percale.plugins.cni.errors import CniError, Code
from percale.plugins.cni.invocation import Invocation
from percale.plugins.cni.network import Network
from percale.resources import EntityRule, ObjectMeta, Profile, ProfileSpec, Rule, WorkloadEndpoint, WorkloadEndpointSpec
from percale.resources.wep_names import EndpointIdentifiers, veth_name

__all__ = ["NODENAME_FILE", "Workload", "node_name", "profile_of"]

NODENAME_FILE = "/var/lib/calico/nodename"
_NAMESPACE_LABEL, _ORCHESTRATOR_LABEL = "projectcalico.org/namespace", "projectcalico.org/orchestrator"
_PREFIX_VARIABLE, _DEFAULT_PREFIX = "FELIX_INTERFACEPREFIX", "cali"
_CONTAINER_ID_IN_NAME = 11

_NOT_IN_LABEL = re.compile(r"[^-_.a-zA-Z0-9]+")
_DOTTED = re.compile(r"[-.]*\.[-.]*")


def node_name(network: Network, own: str = "") -> str:
    """Return the name of this node: the configuration's, the file's, ``own``, the host's.

    Raises CniError if the file must exist and does not.
    """
    path = Path(network.nodename_file or NODENAME_FILE)
    try:
        written = path.read_text(encoding="utf-8")
    except OSError as error:
        if network.needs_nodename_file:
            raise CniError(
                Code.INTERNAL, f"{path} cannot be read: is the agent running?", f"{error.strerror} (nodename_file)"
            ) from error
        written = ""
    return network.nodename or written or network.hostname or own or socket.gethostname().lower().strip()


@dataclass(frozen=True, slots=True)
class Workload:
    """A container, or a pod's sandbox; ``pod`` is empty for a plain one."""

    node: str
    namespace: str
    container_id: str
    interface: str
    pod: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    prefix: str = _DEFAULT_PREFIX

    @classmethod
    def of(cls, invocation: Invocation, network: Network, node: str) -> Workload:
        """Return the workload that a call names; Kubernetes' if pod and namespace are given, else a plain one."""
        prefix = invocation.environment.get(_PREFIX_VARIABLE, "").partition(",")[0] or _DEFAULT_PREFIX
        if invocation.pod:
            namespace, labels = invocation.pod_namespace, {}
        else:
            mesos = network.mesos_labels
            namespace = invocation.arguments.get("CNI_TEST_NAMESPACE") or mesos.pop(_NAMESPACE_LABEL, "") or "default"
            labels = {_label_text(key): _label_text(value) for key, value in mesos.items()}
        return cls(
            node=node,
            namespace=namespace,
            container_id=invocation.container_id,
            interface=invocation.interface,
            pod=invocation.pod,
            labels=labels,
            prefix=prefix,
        )

    @property
    def orchestrator(self) -> str:
        """The orchestrator as written into the endpoint."""
        return "k8s" if self.pod else "cni"

    @property
    def identifiers(self) -> EndpointIdentifiers:
        """What the endpoint's name is made of."""
        return EndpointIdentifiers(
            node=self.node,
            orchestrator=self.orchestrator,
            endpoint=self.interface,
            pod=self.pod,
            container_id="" if self.pod else self.container_id,
        )

    @property
    def any_interface(self) -> EndpointIdentifiers:
        """The same without the interface: a workload has one endpoint whatever its interface is called."""
        return self.identifiers._replace(endpoint="")

    @property
    def host_interface(self) -> str:
        """The name of the host's end."""
        if self.pod:
            return veth_name(self.namespace, self.pod, self.prefix)
        return self.prefix + self.container_id[:_CONTAINER_ID_IN_NAME]

    def handles(self, network: str) -> tuple[str, ...]:
        """The handles that may hold the workload's addresses: ours, then that of Calico's second version."""
        old = f"{self.namespace}.{self.pod}" if self.pod else self.container_id
        return f"{network}.{self.container_id}", old

    def attributes(self, timestamp: str) -> dict[str, str]:
        """What IPAM notes about the owner of an address."""
        owner = {"pod": self.pod, "namespace": self.namespace} if self.pod else {}
        return {"node": self.node, "timestamp": timestamp, **owner}

    def endpoint(self, addresses: Sequence[str], network: str, mac: str) -> WorkloadEndpoint:
        """Return the workload's endpoint; raises ValidationError if its name cannot be made."""
        labels = {**self.labels, _NAMESPACE_LABEL: self.namespace, _ORCHESTRATOR_LABEL: self.orchestrator}
        return WorkloadEndpoint(
            metadata=ObjectMeta(name=self.identifiers.name(), namespace=self.namespace, labels=labels),
            spec=WorkloadEndpointSpec(
                orchestrator=self.orchestrator,
                node=self.node,
                container_id=self.container_id,
                pod=self.pod,
                endpoint=self.interface,
                ip_networks=tuple(addresses),
                profiles=(network,),
                interface_name=self.host_interface,
                mac=mac,
            ),
        )


def profile_of(network: str, *, open_to_all: bool) -> Profile:
    """Return the profile of a network: everything out, in from the network's own endpoints, or from anywhere."""
    source = EntityRule() if open_to_all else EntityRule(selector=f"has({network})")
    return Profile(
        metadata=ObjectMeta(name=network),
        spec=ProfileSpec(
            ingress=(Rule(action="Allow", source=source),),
            egress=(Rule(action="Allow"),),
            labels_to_apply={network: ""},
        ),
    )


def _label_text(text: str) -> str:
    """Bring a text of Mesos into the form of a label, as Calico does."""
    text = _NOT_IN_LABEL.sub("-", text.replace("/", "."))
    return _DOTTED.sub(".", text).strip(".-")
