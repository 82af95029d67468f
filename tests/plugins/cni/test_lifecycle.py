# SPDX-License-Identifier: Apache-2.0
"""ADD, DEL, CHECK, GC and STATUS against the kernel, as a runtime sees them."""

import json
import os
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.plugins.cni.host import CONF, inside

from percale.datastore.revision import NumberRevision
from percale.netlink.rtnetlink.addresses import Address, add_address, delete_address
from percale.netlink.rtnetlink.connection import RouteSocket
from percale.netlink.rtnetlink.links import Veth, add_veth, delete_link, set_link
from percale.netlink.rtnetlink.routes import Route, add_route
from percale.plugins.protocol import Request

pytestmark = pytest.mark.kernel

DUAL = CONF | {"ipam": {"type": "calico-ipam", "assign_ipv6": "true"}}
GC = CONF | {"cniVersion": "1.1.0"}


def addresses(answer):
    return [item["address"].partition("/")[0] for item in answer["ips"]]


def interfaces_of(container):
    """The names of a container's interfaces besides its loopback."""

    def look():
        with RouteSocket() as routes:
            return [link.name for link in routes.links() if link.name != "lo"]

    return inside(container, look)


def nothing_left(host, container):
    """Whether no trace of a container is on the host, in it, or in the datastore."""
    names = [name for name in host.links() if name.startswith("cali")]
    return (names, interfaces_of(container), host.endpoints(), host.held()) == ([], [], [], {})


def said(container, address):
    """What a server at an address says to a client inside a container."""

    def connect():
        with socket.create_connection((address, 4000), timeout=5) as client:
            return client.recv(10)

    return inside(container, connect)


def server(container, address):
    """Let a server in a container greet the first who calls."""

    def listen():
        listener = socket.create_server((address, 4000), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        listener.settimeout(10)
        return listener

    listener = inside(container, listen)

    def greet():
        with listener, listener.accept()[0] as client:
            client.sendall(b"hello")

    return greet


def test_workloads_reach_each_other(host, netns):
    """Two workloads talk over IPv4 and IPv6 through a host that has an address, but no default route."""
    netns.run("ip", "link", "set", "lo", "up")
    netns.run("ip", "address", "add", "192.0.2.254/32", "dev", "lo")
    Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")  # the agent's part, once for the host
    first, second = netns.other(), netns.other()
    _, one = host.call("ADD", container="one00000000x", container_ns=first, conf=DUAL)
    _, two = host.call("ADD", container="two00000000x", container_ns=second, conf=DUAL)
    assert set(addresses(one)).isdisjoint(addresses(two))
    for address in addresses(two):
        with ThreadPoolExecutor(1) as pool:
            greeted = pool.submit(server(second, address))
            assert said(first, address) == b"hello"
            greeted.result()


def test_the_first_packet_waits_for_no_neighbor_discovery(host, netns):
    """When ADD returns the host knows where the IPv6 address is: an answer to its question could be a second late."""
    _, answer = host.call("ADD", container_ns=netns.other(), conf=DUAL)
    (mac,) = [interface["mac"] for interface in answer["interfaces"] if "mac" in interface]
    with RouteSocket() as routes:
        known = {one.address: one.mac for one in routes.neighbors() if one.state != "failed"}
    assert known[addresses(answer)[1]] == mac


def test_add_waits_until_the_endpoint_is_enforced(make_host, netns):
    """ADD asks whether the revision of its endpoint is programmed, and returns after the answer."""
    asked = []
    host = make_host(wait=lambda revision, deadline: asked.append((revision, len(host.endpoints()))) or True)
    status, _ = host.call("ADD", container_ns=netns.other())
    (endpoint,) = host.endpoints()
    assert (status, asked) == (0, [(NumberRevision(int(endpoint.metadata.resource_version)), 1)])


def test_add_undoes_everything_if_the_policy_does_not_come_into_force(make_host, netns):
    """An endpoint that is not enforced in time is taken back, and the runtime may try again."""
    host, container = make_host(wait=lambda revision, deadline: False), netns.other()
    status, answer = host.call("ADD", container_ns=container)
    assert (status, answer["code"]) == (1, 11)
    assert nothing_left(host, container)


def test_add_undoes_everything_if_the_kernel_refuses(host, netns):
    """A route of somebody else to the new address fails the ADD, names the route and leaves nothing behind."""
    container = netns.other()
    with RouteSocket() as routes:
        routes.perform(add_veth(Veth("other0", "other1", up=True)))
        index = routes.link("other0").index
        for number in range(256):
            routes.perform(add_route(Route(f"10.50.0.{number}/32", interface=index, scope=253, metric=1024)))
    status, answer = host.call("ADD", container_ns=container)
    assert (status, answer["code"]) == (1, 999)
    assert "another route" in answer["msg"]
    assert nothing_left(host, container)


def test_add_refuses_an_interface_that_exists(host, netns):
    """A container that has an interface of that name already keeps it, and no address is lost."""
    container = netns.other()
    with RouteSocket() as routes:
        routes.perform(add_veth(Veth("other0", "eth0", peer_namespace=container)))
    status, answer = host.call("ADD", container_ns=container)
    assert (status, answer["code"]) == (1, 999)
    assert (interfaces_of(container), host.held(), host.endpoints()) == (["eth0"], {}, [])


def test_repeated_add_changes_nothing(host, netns):
    """The same ADD again gives the same answer but for the routes, and the same endpoint."""
    container = netns.other()
    _, first = host.call("ADD", container_ns=container)
    before = host.endpoints()
    _, again = host.call("ADD", container_ns=container)
    assert (again["ips"], again["interfaces"], host.endpoints()) == (first["ips"], first["interfaces"], before)


def test_add_after_a_death_in_the_middle_gives_the_same_address(host, netns):
    """A container whose address was assigned, but no endpoint written, gets this address."""
    container = netns.other()
    _, first = host.call("ADD", container_ns=container)
    (endpoint,) = host.endpoints()
    host.datastore.delete(endpoint.key)
    inside(container, lambda: _perform(delete_link("eth0")))
    _, again = host.call("ADD", container_ns=container)
    assert addresses(again) == addresses(first)


def test_add_of_a_container_that_came_back(host, netns):
    """A container whose id had an endpoint in an earlier life, never removed, is connected anew."""
    _, first = host.call("ADD", container_ns=netns.other())
    container = netns.other()
    status, again = host.call("ADD", container_ns=container)
    assert (status, addresses(again), interfaces_of(container)) == (0, addresses(first), ["eth0"])
    (endpoint,) = host.endpoints()
    assert endpoint.spec.mac == again["interfaces"][1]["mac"] != first["interfaces"][1]["mac"]


def _perform(request):
    with RouteSocket() as routes:
        routes.perform(request)


def test_a_live_neighbor_of_the_same_name_is_not_destroyed(host, netns):
    """Containers whose ids begin alike would share the host's interface: the second is refused, the first works on."""
    first, second = netns.other(), netns.other()
    host.call("ADD", container="default-app1", container_ns=first)
    status, answer = host.call("ADD", container="default-app2", container_ns=second)
    assert (status, "belongs to another workload" in answer["msg"]) == (1, True)
    assert (interfaces_of(first), len(host.endpoints()), len(host.held())) == (["eth0"], 1, 1)


def test_del_does_not_touch_a_neighbor_of_the_same_name(host, netns):
    """DEL of a container without endpoint leaves the host's interface of the other one alone."""
    first = netns.other()
    host.call("ADD", container="default-app1", container_ns=first)
    assert host.call("DEL", container="default-app2")[0] == 0
    assert interfaces_of(first) == ["eth0"]


def test_del_takes_everything_and_can_be_repeated(host, netns):
    """After DEL nothing remains but the profile; a second DEL succeeds."""
    container = netns.other()
    host.call("ADD", container_ns=container, conf=DUAL)
    assert host.call("DEL", container_ns=container, conf=DUAL) == (0, None)
    assert nothing_left(host, container)
    assert host.call("DEL", container_ns=container, conf=DUAL) == (0, None)
    assert "net1" in [profile.name for profile in host.datastore.list("Profile").items]


def test_del_without_a_namespace(host, netns):
    """A runtime that has lost the namespace can still remove the container."""
    container = netns.other()
    host.call("ADD", container_ns=container)
    assert host.call("DEL") == (0, None)
    assert nothing_left(host, container)


def test_del_never_takes_the_hosts_own_interface(host, netns):
    """A namespace that is the host's own is not a container's: its interface of that name stays."""
    with RouteSocket() as routes:
        routes.perform(add_veth(Veth("eth0", "peer0")))
    assert host.call("DEL", container_ns=netns.descriptor) == (0, None)
    assert "eth0" in host.links()


def test_add_refuses_what_is_no_container(host, netns, tmp_path):
    """The host's own namespace, an ordinary file and nothing at all are refused before anything is done."""
    with open(tmp_path / "file", "w") as file:
        for descriptor in (netns.descriptor, file.fileno()):
            status, answer = host.call("ADD", container_ns=descriptor)
            assert (status, answer["code"]) == (1, 8)
    request = Request("cni", host.environment("ADD", netns="/gone"), json.dumps(CONF).encode())
    assert json.loads(host.service.handle(request).payload)["code"] == 8
    assert (host.held(), host.endpoints()) == ({}, [])


def test_a_pods_old_sandbox_does_not_take_the_new_one_away(host, netns):
    """DEL of an old sandbox, late and without namespace, leaves the pod's new sandbox working."""
    args = "K8S_POD_NAMESPACE=ns1;K8S_POD_NAME=web-0"
    old, new = netns.other(), netns.other()
    host.call("ADD", container="old", container_ns=old, args=args)
    _, answer = host.call("ADD", container="new", container_ns=new, args=args)
    assert host.call("DEL", container="old", args=args) == (0, None)
    assert (interfaces_of(new), host.held()) == (["eth0"], {"net1.new": addresses(answer)})
    (endpoint,) = host.endpoints()
    assert endpoint.spec.container_id == "new"


def test_many_containers_at_once(host, netns):
    """Containers that come at the same time get different addresses and all of them work."""
    containers = [netns.other() for _ in range(8)]

    def add(number):
        return host.call("ADD", container=f"c{number}xxxxxxxxxxx", container_ns=containers[number])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: inside(netns.descriptor, lambda: add(number)), range(8)))
    assert [status for status, _ in answers] == [0] * 8
    assert len({addresses(answer)[0] for _, answer in answers}) == 8
    assert len([name for name in host.links() if name.startswith("calic")]) == 8


class TestCheck:
    def test_as_it_was_left(self, host, netns):
        """A container that is as ADD left it passes, also with the earlier result in the configuration."""
        container = netns.other()
        _, answer = host.call("ADD", container_ns=container)
        assert host.call("CHECK", container_ns=container) == (0, None)
        assert host.call("CHECK", container_ns=container, conf=CONF | {"prevResult": answer}) == (0, None)

    @pytest.mark.parametrize("what", ["down", "address", "interface", "endpoint", "reservation", "result", "host"])
    def test_what_is_missing_is_found(self, host, netns, what):
        """Whatever is taken away makes CHECK fail."""
        container, conf = netns.other(), dict(CONF)
        _, answer = host.call("ADD", container_ns=container)
        (address,) = addresses(answer)

        def change(request):
            with RouteSocket() as routes:
                routes.perform(request(routes.link("eth0").index))

        if what == "down":
            inside(container, lambda: change(lambda index: set_link(index, up=False)))
        elif what == "address":
            inside(container, lambda: change(lambda index: delete_address(Address(index, f"{address}/32"))))
            inside(container, lambda: change(lambda index: add_address(Address(index, "192.0.2.1/32"))))
        elif what == "interface":
            inside(container, lambda: change(delete_link))
        elif what == "endpoint":
            host.datastore.delete(host.endpoints()[0].key)
        elif what == "reservation":
            host.ipam.release_addresses([address])
        elif what == "host":
            with RouteSocket() as routes:
                routes.perform(set_link(routes.link("calicid01234567").index, up=False))
        else:
            conf["prevResult"] = answer | {"ips": [{"address": "192.0.2.1/32"}]}
        status, refusal = host.call("CHECK", container_ns=container, conf=conf)
        assert (status, refusal["code"]) == (1, 999)


class TestGarbageCollection:
    def test_what_the_runtime_does_not_know_is_removed(self, host, netns):
        """Attachments of this network that are not listed go, with their addresses; all others stay."""
        for name, conf in (("kept", CONF), ("lost", CONF), ("other", CONF | {"name": "net2"})):
            host.call("ADD", container=name, container_ns=netns.other(), conf=conf)
        host.call("ADD", container="address", container_ns=netns.other(), plugin="percale-ipam")
        valid = [{"containerID": "kept", "ifname": "eth0"}]
        assert host.call("GC", conf=GC | {"cni.dev/valid-attachments": valid}) == (0, None)
        assert sorted(host.held()) == ["net1.kept", "net2.other"]
        assert sorted(endpoint.spec.container_id for endpoint in host.endpoints()) == ["kept", "other"]
        assert sorted(name for name in host.links() if name.startswith("cali")) == ["calikept", "caliother"]

    def test_other_nodes_are_left_alone(self, host, netns):
        """Endpoints and addresses of another node are none of this host's business."""
        host.put("Node", "nodes", "node-b", {})
        host.call("ADD", container_ns=netns.other(), conf=CONF | {"nodename": "node-b"})
        assert host.call("GC", conf=GC) == (0, None)
        assert (len(host.endpoints()), len(host.held())) == (1, 1)


def test_status(host):
    """STATUS succeeds while containers can be connected, else it says that none can."""
    conf = CONF | {"cniVersion": "1.1.0"}
    assert host.call("STATUS", conf=conf) == (0, None)
    host.put("ClusterInformation", "clusterinformations", "default", {"datastoreReady": False})
    status, answer = host.call("STATUS", conf=conf)
    assert (status, answer["code"]) == (1, 50)


def test_a_lost_datastore_means_try_again(host, netns):
    """A datastore that is away is no fault of the runtime's."""
    host.store.close()
    status, answer = host.call("ADD", container_ns=netns.other())
    assert (status, answer["code"]) == (1, 11)


class TestDelegate:
    """Another plugin gives the addresses."""

    CONF = CONF | {"ipam": {"type": "fixed"}}

    @pytest.fixture
    def fixed(self, host):
        """Install a plugin that answers as told and writes down its calls."""

        def install(answer, status=0):
            host.plugins.mkdir(exist_ok=True)
            path = host.plugins / "fixed"
            log = host.folder / "calls"
            path.write_text(
                f"#!/bin/sh\necho $CNI_COMMAND $CNI_CONTAINERID >> {log}\ncat > /dev/null\n"
                f"[ $CNI_COMMAND = ADD ] || exit 0\ncat <<'END'\n{json.dumps(answer)}\nEND\nexit {status}\n"
            )
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
            return lambda: log.read_text().split()[::2]

        return install

    def test_its_addresses_are_used(self, host, netns, fixed):
        """The workload gets the plugin's addresses as single ones; routes are passed on."""
        calls = fixed({"ips": [{"address": "192.0.2.7/24"}], "routes": [{"dst": "0.0.0.0/0"}]})
        container = netns.other()
        _, answer = host.call("ADD", container_ns=container, conf=self.CONF)
        assert (answer["ips"], answer["routes"]) == (
            [{"address": "192.0.2.7/32", "interface": 1}],
            [{"dst": "0.0.0.0/0"}],
        )
        assert host.call("CHECK", container_ns=container, conf=self.CONF) == (0, None)
        assert host.call("DEL", container_ns=container, conf=self.CONF) == (0, None)
        assert calls() == ["ADD", "CHECK", "DEL"]

    def test_it_is_asked_to_take_back_what_could_not_be_used(self, host, netns, fixed):
        """A later failure ends in a DEL of the plugin."""
        calls = fixed({"ip4": {"ip": "192.0.2.7/24"}})
        container = netns.other()
        with RouteSocket() as routes:
            routes.perform(add_veth(Veth("other0", "eth0", peer_namespace=container)))
        assert host.call("ADD", container_ns=container, conf=self.CONF)[0] == 1
        assert calls() == ["ADD", "DEL"]

    @pytest.mark.parametrize(
        ("answer", "status", "message"),
        [
            ({"code": 100, "msg": "no more", "details": "sorry"}, 1, "no more"),
            ({"ips": []}, 0, "gave no address"),
            ([], 0, "no JSON object"),
        ],
    )
    def test_its_refusals_are_passed_on(self, host, netns, fixed, answer, status, message):
        """What the plugin says is what the runtime hears."""
        fixed(answer, status)
        _, refusal = host.call("ADD", container_ns=netns.other(), conf=self.CONF)
        assert message in refusal["msg"]

    @pytest.mark.parametrize("type_", ["nowhere", "../../bin/sh"])
    def test_it_must_be_there(self, host, netns, type_):
        """A plugin is looked for by its plain name in the runtime's folders only."""
        status, _ = host.call("ADD", container_ns=netns.other(), conf=CONF | {"ipam": {"type": type_}})
        assert status == 1


def test_nothing_stays_open(host, netns):
    """A hundred calls leave no file descriptor behind."""
    container = netns.other()
    host.call("ADD", container_ns=container)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        host.call("DEL", container_ns=container)
        host.call("ADD", container_ns=container)
        host.call("CHECK", container_ns=container)
    assert len(os.listdir("/proc/self/fd")) <= before
