# SPDX-License-Identifier: Apache-2.0
"""A valid resource of each kind as JSON, and the problems of a changed one."""

import copy
import json

from percale.resources import KINDS, check, defaulted
from percale.resources.reader import read_json

SPECS = {
    "WorkloadEndpoint": {
        "node": "n1",
        "orchestrator": "k8s",
        "pod": "p",
        "endpoint": "eth0",
        "interfaceName": "cali1",
        "ipNetworks": ["192.0.2.1/32"],
    },
    "HostEndpoint": {"node": "n1", "interfaceName": "eth0"},
    "IPPool": {"cidr": "192.0.2.0/24"},
    "IPReservation": {"reservedCIDRs": ["192.0.2.0/28"]},
    "IPAMConfiguration": {"strictAffinity": False, "autoAllocateBlocks": True},
    "BlockAffinity": {"state": "confirmed", "node": "n1", "type": "host", "cidr": "192.0.2.0/26", "deleted": False},
    "CalicoNodeStatus": {"node": "n1", "classes": ["BGP"], "updatePeriodSeconds": 10},
    "BGPPeer": {"peerIP": "192.0.2.1", "asNumber": 64512},
    "BGPFilter": {"exportV4": [{"action": "Accept"}]},
    "KubeControllersConfiguration": {"controllers": {}},
    "StagedKubernetesNetworkPolicy": {"podSelector": {}},
}
NAMES = {"WorkloadEndpoint": "n1-k8s-p-eth0"}


def resource(kind, spec=None, *, name=None, labels=None, annotations=None):
    """A valid resource of a kind with some members of its spec changed; dotted names reach inside."""
    document = {"metadata": {"name": NAMES.get(kind, "default") if name is None else name}}
    if KINDS[kind].namespaced:
        document["metadata"]["namespace"] = "shop"
    document["metadata"] |= {"labels": labels or {}, "annotations": annotations or {}}
    document["spec"] = copy.deepcopy(SPECS.get(kind, {})) | (spec or {})
    return defaulted(read_json(json.dumps(document), KINDS[kind].type))


def problems(kind, spec=None, **metadata):
    """What is wrong with it, as people read it."""
    return [f"{problem.path}: {problem.message}" for problem in found(kind, spec, **metadata) if problem.shown]


def cited(kind, spec=None, **metadata):
    """The names that Calico cites for it."""
    return {problem.calico_name for problem in found(kind, spec, **metadata) if problem.cited}


def found(kind, spec=None, **metadata):
    return check(resource(kind, spec, **metadata))
