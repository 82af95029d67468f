# SPDX-License-Identifier: Apache-2.0
"""Calico's own OpenStack code as a process: it reads a request per line and prints an answer per line, both in JSON.

Run by the interpreter of an environment of its own (``openstack.py``), so it imports nothing of ours. What that code
does to etcd needs nothing of Neutron, whose packages it only names; empty modules stand in for those.

usage: python openstack_peer.py PORT-OF-ETCD
"""

from __future__ import annotations

import base64
import importlib
import importlib.abc
import importlib.machinery
import json
import os
import sys

ABSENT = {"neutron", "neutron_lib", "oslo_db", "oslo_concurrency"}
MECHANISM = "networking_calico.plugins.ml2.drivers.calico"


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Modules in which every name is an empty class."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ABSENT:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def exec_module(self, module):
        module.__getattr__ = lambda name: type(name, (), {})


class Peer:
    """What the tests may ask for; each public method is a request."""

    def __init__(self, host, port):
        configuration = self._import("compat").cfg.CONF
        self._import("common.config").register_options(configuration)
        configuration.set_override("etcd_host", host, "calico")
        configuration.set_override("etcd_port", port, "calico")
        self._seen = []
        self._elector = None

    def call(self, module, function, *arguments, **options):
        """Call any function of the package by its name."""
        return getattr(self._import(module), function)(*arguments, **options)

    def write_port(self, port, mod_revision=None):
        """Write the endpoint of a Neutron port, as its driver does; return its name and whether it was written."""
        endpoints = importlib.import_module(f"{MECHANISM}.endpoints")
        syncer = endpoints.WorkloadEndpointSyncer(None, None, None, None)
        name = endpoints.endpoint_name(port)
        labels = endpoints.endpoint_labels(port, syncer.namespace)
        data = endpoints.endpoint_spec(port), labels, endpoints.endpoint_annotations(port)
        return name, syncer.update_in_etcd(name, data, mod_revision)

    def endpoints(self):
        """Return name, (spec, labels, annotations) and revision of each endpoint."""
        return (
            importlib.import_module(f"{MECHANISM}.endpoints")
            .WorkloadEndpointSyncer(None, None, None, None)
            .get_all_from_etcd()
        )

    def write_group(self, group, rules):
        """Write the policy of a Neutron security group."""
        policy = importlib.import_module(f"{MECHANISM}.policy")
        syncer = policy.PolicySyncer(None, None)
        name = policy.SG_NAME_PREFIX + group
        return name, syncer.update_in_etcd(name, policy.policy_spec(group, rules))

    def write_subnet(self, subnet):
        """Write a subnet for the DHCP agent; return whether it was written."""
        return importlib.import_module(f"{MECHANISM}.subnets").SubnetSyncer(None, None).subnet_created(subnet, None)

    def raise_order(self, name, times):
        """Add one to a policy's order so often, by compare-and-swap; return how often that had to be tried."""
        tried = done = 0
        while done < times:
            policies = self.call("datamodel_v3", "get_all", "NetworkPolicy", "openstack")
            spec, revision = next((spec, revision) for found, spec, revision in policies if found == name)
            spec["order"] += 1
            put = self._import("datamodel_v3").put
            done += put("NetworkPolicy", "openstack", name, spec, mod_revision=revision)
            tried += 1
        return tried

    def follow(self, prefix, path):
        """Begin to note what changes under a prefix."""
        watcher = self._import("etcdutils").EtcdWatcher(prefix)

        def note(response, **_):
            self._seen.append((response.action, response.key, int(response.mod_revision)))

        watcher.register_path(path, on_set=note, on_del=note)
        eventlet.spawn(watcher.start)

    def seen(self, number):
        """Return what was noted as this number, counted from 1, when it has been."""
        while len(self._seen) < number:
            eventlet.sleep(0.01)
        return self._seen[number - 1]

    def stand(self, key):
        """Stand for an election that is repeated each second, with a lease of two."""
        election = importlib.import_module(f"{MECHANISM}.election")
        self._elector = election.Elector("openstack", key, interval=1, ttl=2)

    def leads(self, expected):
        """Return when it leads, or does not."""
        while bool(self._elector.master()) is not expected:
            eventlet.sleep(0.01)

    def retire(self):
        """Leave the election."""
        self._elector.stop()

    def _import(self, name):
        return importlib.import_module(f"networking_calico.{name}")


def keys_as_text():
    """Let the package read str from etcd, as it did on the Python 2 that it was written for."""
    for name in ("client", "watch"):
        module = importlib.import_module(f"etcd3gw.{name}")
        module._decode = lambda data: base64.b64decode(data).decode()


def main():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever the package prints is no answer
    peer = Peer("127.0.0.1", int(sys.argv[1]))
    while line := eventlet.tpool.execute(sys.stdin.readline):
        name, arguments, options = json.loads(line)
        try:
            answer = {"answer": getattr(peer, name)(*arguments, **options)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    import eventlet
    import eventlet.tpool

    eventlet.monkey_patch()
    sys.meta_path.insert(0, StandIns())
    keys_as_text()
    main()
