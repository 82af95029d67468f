# SPDX-License-Identifier: Apache-2.0
"""Calico's own OpenStack code and percale at work on one etcd: each reads, follows and respects the other's writes."""

from __future__ import annotations

import json
import os

import pytest

from percale.datastore.keys import resource_path
from percale.datastore.seams import InSync, SyncerUpdate
from percale.datastore.sqlite import SQLiteKeyValue
from percale.datastore.syncer import DatastoreSyncer
from percale.errors import Conflict
from percale.resources import Key, NetworkPolicy, NetworkPolicySpec, ObjectMeta

NAME = "rack--1-openstack-vm--7-port--1"
ENDPOINT = Key("WorkloadEndpoint", "openstack", NAME)
ENDPOINTS = "/calico/resources/v3/projectcalico.org/workloadendpoints/"
ELECTION = "/calico/openstack/v2/no-region/neutron_election"
TIMES = 200
PATIENCE_S = 60

PORT = {
    "id": "port-1",
    "device_id": "vm-7",
    "device_owner": "compute:nova",
    "binding:host_id": "rack-1",
    "interface_name": "tapport-1",
    "mac_address": "02:00:00:00:00:07",
    "fixed_ips": [
        {"ip_address": "192.0.2.7", "gateway": "192.0.2.1"},
        {"ip_address": "2001:db8::7", "gateway": "2001:db8::1"},
    ],
    "allowed_address_pairs": [{"ip_address": "192.0.2.77"}],
    "floating_ips": [{"int_ip": "192.0.2.7", "ext_ip": "198.51.100.7"}],
    "security_groups": ["admins"],
    "network_id": "net-1",
    "project_id": "shop",
}


def rule(direction, **more):
    """A security group's rule: from or to anywhere over IPv4, unless said otherwise."""
    nothing = dict.fromkeys(("protocol", "port_range_min", "port_range_max", "remote_group_id", "remote_ip_prefix"))
    return {**nothing, "security_group_id": "admins", "ethertype": "IPv4", "direction": direction, **more}


RULES = [
    rule("ingress", protocol="tcp", port_range_min=22, port_range_max=22, remote_ip_prefix="198.51.100.0/24"),
    rule("egress"),
]


def follow(syncer, holds):
    """Step a syncer until what it told holds, and return that."""
    events = []
    for _ in range(10 * PATIENCE_S):
        events += syncer.step(0.1)
        if holds(events):
            return events
    raise AssertionError(f"the syncer told only {events}")


def counter(client):
    """Make a policy whose order is counted up, and return its name."""
    made = client.create(
        NetworkPolicy(metadata=ObjectMeta(name="counter", namespace="openstack"), spec=NetworkPolicySpec(order=0))
    )
    return made.metadata.name


class TestPercaleReads:
    def test_endpoint(self, client, openstack):
        """The endpoint of a port is a WorkloadEndpoint with all that the port has."""
        assert openstack("write_port", PORT) == [NAME, True]
        endpoint = client.get("WorkloadEndpoint", NAME, "openstack")
        assert endpoint.spec.ip_networks == ("192.0.2.7/32", "2001:db8::7/128", "192.0.2.77/32")
        assert (endpoint.spec.node, endpoint.spec.workload, endpoint.spec.endpoint) == ("rack-1", "vm-7", "port-1")
        assert (endpoint.spec.mac, endpoint.spec.interface_name) == ("02:00:00:00:00:07", "tapport-1")
        assert [(nat.internal_ip, nat.external_ip) for nat in endpoint.spec.ip_nats] == [("192.0.2.7", "198.51.100.7")]
        assert endpoint.metadata.labels["sg.projectcalico.org/openstack-admins"] == ""
        assert endpoint.metadata.annotations == {"openstack.projectcalico.org/network-id": "net-1"}

    @pytest.mark.parametrize(("source", "verdict"), [("198.51.100.255", "ALLOW"), ("198.51.101.0", "DENY")])
    def test_verdict(self, percale, openstack, source, verdict):
        """explain judges by a security group: inside its network the port is open, one address further it is not."""
        openstack("write_port", PORT)
        openstack("write_group", "admins", RULES)
        told = percale("explain", "tcp", source, "to", "openstack/vm-7:22")
        assert told.out.split()[0] == verdict, told

    def test_history(self, percale, openstack):
        """history shows what the other side has changed."""
        openstack("write_port", PORT)
        openstack("write_port", PORT | {"mac_address": "02:00:00:00:00:08"})
        told = percale("history", "wep", NAME, "-n", "openstack").out
        assert '-  mac: "02:00:00:00:00:07"' in told
        assert '+  mac: "02:00:00:00:00:08"' in told

    def test_syncer(self, client, openstack):
        """What the other side creates, changes and deletes comes once each, in order, after the snapshot."""
        openstack("write_port", PORT)
        with DatastoreSyncer(client.datastore, ["WorkloadEndpoint", "NetworkPolicy"]) as syncer:
            follow(syncer, lambda events: events and isinstance(events[-1], InSync))
            openstack("write_port", PORT | {"mac_address": "02:00:00:00:00:08"})
            openstack("write_group", "admins", RULES)
            openstack("call", "datamodel_v3", "delete", "WorkloadEndpoint", "openstack", NAME)
            events = follow(syncer, lambda events: len(events) >= 3)
        told = [(event.key.kind, event.resource is not None, event.problem) for event in events]
        expected = [("WorkloadEndpoint", True, None), ("NetworkPolicy", True, None), ("WorkloadEndpoint", False, None)]
        assert told == expected

    def test_compaction(self, client, openstack):
        """The other side may compact all history while percale follows: nothing is missed."""
        with DatastoreSyncer(client.datastore, ["WorkloadEndpoint"]) as syncer:
            follow(syncer, lambda events: events and isinstance(events[-1], InSync))
            seen = []
            for number in range(10):
                openstack("write_port", PORT | {"mac_address": f"02:00:00:00:00:{number:02}"})
                if number:  # the watch is open
                    openstack("call", "etcdv3", "request_compaction", openstack("call", "etcdv3", "get_status")[1])
                seen += follow(syncer, lambda events: events)
        assert [type(event) for event in seen] == [SyncerUpdate] * 10
        assert [event.resource.spec.mac[-2:] for event in seen] == [f"{number:02}" for number in range(10)]

    def test_copy_takes_what_is_no_resource(self, keyvalue, client, percale, openstack, tmp_path):
        """Subnets for the DHCP agent, which are Calico's keys but no resources, are copied byte for byte."""
        subnet = {"id": "s", "network_id": "net-1", "cidr": "192.0.2.0/24", "host_routes": [], "gateway_ip": None}
        openstack("write_subnet", subnet | {"dns_nameservers": ["192.0.2.53"]})
        key = "/calico/dhcp/v2/no-region/subnet/s"
        done = percale("datastore", "copy", "--from", os.environ["ETCD_ENDPOINTS"], "--to", str(tmp_path / "copy.db"))
        assert done.status == 0, done
        with SQLiteKeyValue(tmp_path / "copy.db") as copy:
            assert copy.get(key).value == keyvalue.get(key).value


class TestOpenStackReads:
    def test_update(self, client, openstack):
        """What percale changed comes to the other side's watch and to its reading, with the revision it had."""
        openstack("follow", ENDPOINTS, f"{ENDPOINTS}<namespace>/<name>")
        openstack("write_port", PORT)
        assert openstack("seen", 1)[0] == "set"
        endpoint = client.get("WorkloadEndpoint", NAME, "openstack")
        updated = client.update(endpoint.with_metadata(labels={**endpoint.metadata.labels, "role": "shop"}))
        revision = int(updated.metadata.resource_version)
        assert openstack("seen", 2) == ["set", resource_path(ENDPOINT), revision]
        [[_, [_, labels, _], read]] = openstack("endpoints")
        assert (labels["role"], int(read)) == ("shop", revision)
        client.delete("WorkloadEndpoint", NAME, "openstack")
        assert openstack("seen", 3) == ["delete", resource_path(ENDPOINT), revision + 1]

    def test_same_content(self, keyvalue, client, openstack):
        """An endpoint that percale rewrites holds the same JSON, without what the v3 API does not define.

        The bytes differ: Calico's Python code puts blanks between the parts and orders them otherwise than its Go code.
        """
        openstack("write_port", PORT)
        before = keyvalue.get(resource_path(ENDPOINT)).value
        client.update(client.get("WorkloadEndpoint", NAME, "openstack"))
        after = keyvalue.get(resource_path(ENDPOINT)).value
        expected = json.loads(before)
        assert expected["spec"].pop("allowedIps") == ["192.0.2.77/32"]
        assert json.loads(after) == expected
        assert (b'": "' in before, b'": "' in after) == (True, False)
        [[name, [spec, labels, annotations], _]] = openstack("endpoints")
        assert (name, spec) == (NAME, expected["spec"])
        assert (labels, annotations) == (expected["metadata"]["labels"], expected["metadata"]["annotations"])

    def test_written_by_percale(self, client, openstack):
        """The other side writes over what percale created and keeps its UID and the time of its creation."""
        openstack("write_port", PORT)
        endpoint = client.delete("WorkloadEndpoint", NAME, "openstack")
        created = client.create(endpoint.with_metadata(resource_version="", uid="", creation_timestamp=""))
        openstack("write_port", PORT | {"mac_address": "02:00:00:00:00:08"})
        after = client.get("WorkloadEndpoint", NAME, "openstack")
        assert after.spec.mac == "02:00:00:00:00:08"
        assert (after.metadata.uid, after.metadata.creation_timestamp) == (
            created.metadata.uid,
            created.metadata.creation_timestamp,
        )


class TestCompareAndSwap:
    def test_of_openstack(self, client, openstack):
        """A write of the other side against a revision that percale has passed does not happen; the newest does."""
        openstack("write_port", PORT)
        endpoint = client.get("WorkloadEndpoint", NAME, "openstack")
        updated = client.update(endpoint)
        old, new = endpoint.metadata.resource_version, updated.metadata.resource_version
        assert openstack("write_port", PORT, mod_revision=old) == [NAME, False]
        assert openstack("write_port", PORT, mod_revision=new) == [NAME, True]

    def test_of_percale(self, client, openstack):
        """An update of percale against a revision that the other side has passed is a conflict."""
        openstack("write_port", PORT)
        endpoint = client.get("WorkloadEndpoint", NAME, "openstack")
        openstack("write_port", PORT)
        with pytest.raises(Conflict):
            client.update(endpoint)

    def test_of_both_at_once(self, client, openstack):
        """Both count one number up at the same time; no step is lost."""
        name = counter(client)
        with client.datastore.watch(["NetworkPolicy"]) as watch:
            openstack.ask("raise_order", name, TIMES)
            assert watch.poll(PATIENCE_S)  # they have begun
        done = tried = 0
        while done < TIMES:
            policy = client.get("NetworkPolicy", name, "openstack")
            tried += 1
            try:
                client.update(policy.replace(spec=policy.spec.replace(order=policy.spec.order + 1)))
            except Conflict:
                continue
            done += 1
        theirs = openstack.answer()
        print(f"{tried - TIMES} of our writes had to be repeated, {theirs - TIMES} of theirs")
        assert client.get("NetworkPolicy", name, "openstack").spec.order == 2 * TIMES


class TestElection:
    def test_lead_is_taken_over(self, keyvalue, openstack):
        """A key that percale holds with a lease keeps the other side from leading, until the lease ends."""
        lease = keyvalue.lease_grant(PATIENCE_S)
        keyvalue.put(ELECTION, b"percale:1", lease=lease)
        openstack("stand", ELECTION)
        openstack("leads", False)
        assert keyvalue.get(ELECTION).value == b"percale:1"
        keyvalue.lease_revoke(lease)
        openstack("leads", True)
        assert keyvalue.get(ELECTION).value.startswith(b"openstack:")

    def test_leases_are_apart(self, keyvalue, openstack):
        """The other side goes on leading while percale's own leases begin, are renewed and end, and percale sees it."""
        openstack("stand", ELECTION)
        openstack("leads", True)
        with keyvalue.watch(ELECTION) as watch:
            for _ in range(3):
                lease = keyvalue.lease_grant(PATIENCE_S)
                keyvalue.put("/calico/ours", b"", lease=lease)
                keyvalue.lease_keepalive(lease)
                keyvalue.lease_revoke(lease)
                [renewal] = watch.poll(PATIENCE_S).events
                assert not renewal.deleted
            openstack("leads", True)
            openstack("retire")
            while not (last := watch.poll(PATIENCE_S).events[-1]).deleted:
                pass
        assert last.item.key == ELECTION
