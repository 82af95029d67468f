# SPDX-License-Identifier: Apache-2.0
"""A small network to ask questions of: endpoints, policies and profiles in one line each."""

from __future__ import annotations

import json

import pytest

from percale.calc.cluster import Cluster
from percale.policy.cluster_view import ClusterHosts
from percale.policy.explain import Explainer
from percale.policy.host_settings import HostSettings
from percale.resources import decode_json
from percale.resources.defaults import defaulted

ALLOW_ALL = {"ingress": [{"action": "Allow"}], "egress": [{"action": "Allow"}]}


class Net:
    """A cluster under construction.

    Namespaces are ``default`` unless said; endpoints are called ``n1-k8s-NAME-eth0``, get addresses 10.0.0.1,
    10.0.0.2, … and fd00::1, fd00::2, …, and the profile ``open``, which allows everything.
    """

    def __init__(self):
        self.cluster = Cluster()
        self.settings = HostSettings()
        self.addresses = {}
        self._endpoints = 0
        self.add("Profile", "open", ALLOW_ALL)
        self.tier("default")

    def add(self, kind, name, spec, *, namespace="", labels=None):
        document = {"metadata": {"name": name, "namespace": namespace, "labels": labels or {}}, "spec": spec}
        resource = defaulted(decode_json(json.dumps(document), kind))
        self.cluster.update(resource.key, resource)
        assert not self.cluster.refusals
        self._explainer = None
        return resource.key

    def remove(self, key):
        self.cluster.update(key, None)
        self._explainer = None

    def endpoint(self, name, *, ns="default", node="n1", profiles=("open",), ips=None, ports=(), iface=None, **labels):
        self._endpoints += 1
        spec = {
            "node": node,
            "orchestrator": "k8s",
            "pod": name,
            "endpoint": "eth0",
            "interfaceName": iface or f"cali{name}",
            "ipNetworks": ips or [f"10.0.0.{self._endpoints}/32", f"fd00::{self._endpoints:x}/128"],
            "profiles": list(profiles),
            "ports": [dict(zip(("name", "protocol", "port"), port, strict=True)) for port in ports],
        }
        full = f"{node}-k8s-{name.replace('-', '--')}-eth0"
        return self.add("WorkloadEndpoint", full, spec, namespace=ns, labels=labels)

    def host_endpoint(self, name, *, node="n1", iface="eth0", ips=(), profiles=(), **labels):
        spec = {"node": node, "interfaceName": iface, "expectedIPs": list(ips), "profiles": list(profiles)}
        return self.add("HostEndpoint", name, spec, labels=labels)

    def tier(self, name, *, order=1000000, default_action="Deny"):
        return self.add("Tier", name, {"order": order, "defaultAction": default_action})

    def profile(self, name, *, ingress=(), egress=(), **labels):
        return self.add("Profile", name, {"ingress": list(ingress), "egress": list(egress), "labelsToApply": labels})

    def policy(self, name, selector="all()", *, ns="default", **spec):
        return self._policy("NetworkPolicy", name, selector, ns, spec)

    def global_policy(self, name, selector="all()", **spec):
        return self._policy("GlobalNetworkPolicy", name, selector, "", spec)

    def _policy(self, kind, name, selector, ns, spec):
        return self.add(kind, name, {"selector": selector, "tier": "default", **spec}, namespace=ns)

    def configure(self, **settings):
        self.settings = HostSettings(**settings)
        self._explainer = None

    def address_on(self, node, interface, address):
        self.addresses.setdefault(node, {}).setdefault(interface, set()).add(address)
        self._explainer = None

    def explain(self, question):
        if self._explainer is None:
            hosts = ClusterHosts(self.cluster, self.settings)
            for node, addresses in self.addresses.items():
                hosts.host(node, addresses)
            self._explainer = Explainer(hosts)
        return self._explainer.explain(question)

    def verdict(self, question):
        found = self.explain(question)
        judgement = found.decider and found.decider.judgement
        return outcome(found.verdict, judgement)


def outcome(verdict, judgement):
    """The verdict with what decided it: (policy or profile, rule), or a reason, or nothing."""
    if judgement is None:
        return (str(verdict),)
    if judgement.reason is not None:
        return tuple(filter(None, (str(verdict), str(judgement.reason), judgement.tier)))
    owner = judgement.policy.name if judgement.policy else judgement.profile
    return str(verdict), owner, judgement.rule


@pytest.fixture
def net():
    return Net()
