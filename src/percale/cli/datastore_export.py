# SPDX-License-Identifier: Apache-2.0
"""``datastore migrate export``: everything as text, as calicoctl writes it (spec/cli.md section 11)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from percale.cli.command import CONFIG, Call, Command, CommandFailed, is_calicos
from percale.cli.get import tier_order
from percale.cli.session import Session
from percale.cli.stores import keyvalue_of
from percale.datastore.keyvalue import KeyValue, prefix_end
from percale.resources import Resource

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Print all resources and the data of address management; the datastore must be locked.",
    usage="[flags]",
    flags=(CONFIG,),
    example="datastore migrate export",
)

_KINDS = [
    "IPPool",
    "BGPPeer",
    "Tier",
    "GlobalNetworkPolicy",
    "StagedGlobalNetworkPolicy",
    "GlobalNetworkSet",
    "HostEndpoint",
    "KubeControllersConfiguration",
    "NetworkPolicy",
    "StagedNetworkPolicy",
    "StagedKubernetesNetworkPolicy",
    "NetworkSet",
    "Node",
    "BGPConfiguration",
    "FelixConfiguration",
    "IPReservation",
    "BGPFilter",
]
_IPAM = {
    "block_affinities": "/calico/ipam/v2/host/",
    "blocks": "/calico/ipam/v2/assignment/",
    "handles": "/calico/ipam/v2/handle/",
    "config": "/calico/ipam/v2/config",
}
_KUBERNETES_PREFIX = "knp.default."
_OF_A_NODE = "node."
_TUNNELS = (
    "ipip-tunnel-addr-",
    "vxlan-tunnel-addr-",
    "vxlan-v6-tunnel-addr-",
    "wireguard-tunnel-addr-",
    "wireguard-v6-tunnel-addr-",
)


def run(call: Call) -> int:
    """Print the export; raises CommandFailed where the datastore is not locked or a node has no Kubernetes name."""
    called = "calicoctl" if is_calicos(call.program) else call.program
    with Session(call.arguments, reading=True) as session:
        session.check_version()
        cluster = session.cluster_information()
        if cluster.spec.datastore_ready is not False:
            raise CommandFailed(
                "datastore is not locked. "
                f"Run the `{called} datastore migrate lock` command in order to begin migration"
            )
        renamed: dict[str, str] = {}
        for kind in _KINDS:
            _print_kind(session, kind, renamed)
        from percale.cli.output import Surroundings, printer

        around = Surroundings(False, lambda: session.as_number)
        print("===")
        print("".join(printer("json", call.program)([cluster], around)))
        print("===")
        print(json.dumps(_ipam(keyvalue_of(session.client), renamed), indent=2))
    return 0


def _print_kind(session: Session, kind: str, renamed: dict[str, str]) -> None:
    from percale.resources.yaml_text import yaml_list

    listed = session.client.list(kind)
    items = [item for item in listed.items if not item.name.startswith(_KUBERNETES_PREFIX)]
    if kind == "Tier":
        items.sort(key=tier_order)
    exported = [_exported(item, renamed) for item in items]
    sys.stdout.writelines(yaml_list(kind, exported, resource_version=str(listed.revision)))
    print("---")


def _exported(resource: Resource, renamed: dict[str, str]) -> Resource:
    name = resource.name
    if resource.kind == "Node":
        renamed[resource.name] = name = _kubernetes_name(resource)
    elif resource.kind in ("BGPConfiguration", "FelixConfiguration") and name.startswith(_OF_A_NODE):
        node = name.removeprefix(_OF_A_NODE)
        name = _OF_A_NODE + renamed.get(node, node)
    return resource.with_metadata(name=name, uid="", resource_version="", creation_timestamp="")


def _kubernetes_name(node: Resource) -> str:
    for reference in node.spec.orch_refs or ():
        if reference.orchestrator == "k8s":
            return str(reference.node_name)
    sys.stdout.flush()
    raise CommandFailed(
        "unable to process metadata for export for Node resource: "
        f"node {node.name} missing a 'k8s' orchestrator reference. "
        "Unable to export data unless every node has a 'k8s' orchestrator reference"
    )


def _ipam(store: KeyValue, renamed: dict[str, str]) -> dict[str, Any]:
    """Return the records of address management, nodes under their new names; groups without any are left out."""
    found = {}
    for group, start in _IPAM.items():
        end = "" if group == "config" else prefix_end(start)
        records = list(_records(store, start, end, renamed))
        if records:
            found[group] = records
    return found


def _records(store: KeyValue, start: str, end: str, renamed: dict[str, str]) -> Iterator[dict[str, Any]]:
    for item in store.range(start, end).items:
        segments = item.key.split("/")
        if segments[4] == "host" and len(segments) < 9:
            continue  # the mark of a host, no affinity
        if segments[4] == "host":
            segments[5] = renamed.get(segments[5], segments[5])
        elif segments[4] == "handle":
            segments[5] = _handle(segments[5], renamed)
        value = json.loads(item.value)
        owner = str(value.get("affinity") or "")
        if owner.startswith("host:"):
            value["affinity"] = "host:" + renamed.get(owner[5:], owner[5:])
        for attributes in value.get("attributes") or ():
            if attributes.get("handle_id"):
                attributes["handle_id"] = _handle(attributes["handle_id"], renamed)
        yield {"Key": "/".join(segments), "Value": value, "TTL": 0}


def _handle(handle: str, renamed: dict[str, str]) -> str:
    for prefix in _TUNNELS:
        node = handle.removeprefix(prefix)
        if node in renamed and node != handle:
            return prefix + renamed[node]
    return handle
