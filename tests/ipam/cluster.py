# SPDX-License-Identifier: Apache-2.0
"""A small cluster on an embedded store: nodes n1 and n2, one pool of each family."""

from __future__ import annotations

import json

from percale.ipam import Ipam

SECOND = 1_000_000_000


class Clock:
    """Nanoseconds since 1970 that only move when told."""

    def __init__(self):
        self.ns = 1_800_000_000 * SECOND

    def __call__(self):
        return self.ns

    def advance(self, seconds):
        self.ns += seconds * SECOND


class Cluster:
    """One store with an allocator on it."""

    def __init__(self, store):
        self.clock = Clock()
        self.store = store
        self.ipam = Ipam(self.store, clock_ns=self.clock)
        for node in ("n1", "n2"):
            self.put("Node", "nodes", node, {})
        self.put("IPPool", "ippools", "v4", {"cidr": "10.0.0.0/28", "blockSize": 30})
        self.put("IPPool", "ippools", "v6", {"cidr": "fd00::/120", "blockSize": 122})

    def put(self, kind, plural, name, spec, **metadata):
        value = {"kind": kind, "apiVersion": "projectcalico.org/v3", "metadata": {"name": name} | metadata}
        key = f"/calico/resources/v3/projectcalico.org/{plural}/{name}"
        self.store.put(key, json.dumps(value | {"spec": spec}).encode())

    def keys(self, part):
        """The keys below IPAM's root that contain a text."""
        items = self.store.range("/calico/ipam/v2/", "/calico/ipam/v20").items
        return [item.key for item in items if part in item.key]
