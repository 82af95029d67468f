# SPDX-License-Identifier: Apache-2.0
"""CNI sessions as Calico's executables had them, through our stub, socket and the kernel (topic cni-results)."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from tests.plugins.cni.api import FakeApi
from tests.plugins.cni.host import Host, path_of

from percale.netlink import namespace
from percale.netlink.rtnetlink.connection import RouteSocket
from percale.netlink.rtnetlink.links import Veth, add_veth
from percale.plugins.cni import workload
from percale.plugins.cni.network import VERSIONS

CALICO = "/var/lib/calico"
OTHER_PLUGINS = "/opt/cni/bin:/usr/lib/cni"
RESOURCES = "/calico/resources/v3/projectcalico.org/"
IPAM = "/calico/ipam/v2/"


def _load():
    folder = os.environ.get("PERCALE_VECTORS")
    if not folder:
        return []
    with (Path(folder) / "cni-results.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _needs_other_plugin(case):
    """Whether the case calls another address plugin that is not on this machine."""
    return "host-local" in case["tags"] and shutil.which("host-local", path=OTHER_PLUGINS) is None


def _is_advisory(case):
    """Whether the recording says that it is not to be compared."""
    return "advisory" in case["tags"]


LASTING = ("workloadEndpoints", "handles")
LEFT_OUT = (_needs_other_plugin, _is_advisory)


def _cases():
    cases = _load()
    if not cases:
        return [pytest.param(None, marks=pytest.mark.skip("PERCALE_VECTORS is not set"))]
    kept = [case for case in cases if not any(reason(case) for reason in LEFT_OUT)]
    return [pytest.param(case, id=case["id"]) for case in kept]


def test_what_is_left_out(capsys):
    """The number of cases that need what is not there is printed."""
    cases = _load()
    if not cases:
        pytest.skip("PERCALE_VECTORS is not set")
    with capsys.disabled():
        for reason in LEFT_OUT:
            print(f"\ncni-results: {sum(map(reason, cases))} of {len(cases)} left out: {reason.__doc__}", end="")


class Session:
    """A fresh host as a case describes it, and its container's namespace."""

    def __init__(self, case, folder, netns):
        self.host = Host(folder, node=case["nodes"][0], names=("calico", "calico-ipam"))
        self.container = netns.other()
        self._state = folder / "calico"
        for node in case["nodes"][1:]:
            self.host.put("Node", "nodes", node, {})
        for name, spec in case["pools"].items():
            self.host.put("IPPool", "ippools", name, spec)
        self._set_ready(case)
        for path, text in case["files"].items():
            self._path(path).parent.mkdir(parents=True, exist_ok=True)
            self._path(path).write_text(text)
        for what in case["pre"]:
            self._prepare(what)
        self._api = FakeApi(case["api"]) if case["api"] else None
        self.host.start_agent()

    def _path(self, path):
        return Path(path.replace(CALICO, str(self._state)))

    def _set_ready(self, case):
        key = f"{RESOURCES}clusterinformations/default"
        if not case["clusterInformation"]:
            self.host.store.delete(key)
        elif not case["datastoreReady"]:
            self.host.put("ClusterInformation", "clusterinformations", "default", {"datastoreReady": False})

    def _prepare(self, what):
        with RouteSocket() as routes:
            if what == "ctr-eth0":
                routes.perform(add_veth(Veth("other0", "eth0", peer_namespace=self.container)))
            elif what == "host-veth":
                routes.perform(add_veth(Veth("calicid01234567", "stale0")))
            elif what.startswith("profile-"):
                name = what.removeprefix("profile-")
                self.host.put("Profile", "profiles", name, {"ingress": [{"action": "Deny"}]})
            else:
                self._existing_endpoint(what.removeprefix("wep-"))

    def _existing_endpoint(self, pod):
        name = f"node--a-k8s-{pod.replace('-', '--')}-eth0"
        spec = {
            "orchestrator": "k8s",
            "node": "node-a",
            "containerID": "oldsandbox",
            "pod": pod,
            "endpoint": "eth0",
            "ipNetworks": ["10.50.0.7/32"],
            "profiles": ["net1"],
            "interfaceName": workload.veth_name("ns1", pod),
        }
        labels = {"projectcalico.org/namespace": "ns1", "projectcalico.org/orchestrator": "k8s"}
        metadata = {"name": name, "namespace": "ns1", "labels": labels}
        value = {"kind": "WorkloadEndpoint", "apiVersion": "projectcalico.org/v3", "metadata": metadata, "spec": spec}
        self.host.store.put(f"{RESOURCES}workloadendpoints/ns1/{name}", json.dumps(value).encode())

    def run(self, step):
        netns = step["netns"].replace("<netns>", path_of(self.container))
        environment = self.host.environment(
            step["command"], step["containerID"], step["ifname"], netns, step.get("args", "")
        )
        environment["CNI_PATH"] += f":{OTHER_PLUGINS}"
        for name, value in (step.get("env") or {}).items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value
        text = step["raw"] if "raw" in step else json.dumps(step["conf"])
        text = text.replace(CALICO, str(self._state)).replace("<k8s-api>", self._api.url if self._api else "")
        return self.host.execute(environment, text.encode(), plugin=step["plugin"])

    # What can be compared

    def shown(self, output):
        """An answer with the placeholders of the recording."""
        answer = json.loads(output.replace(path_of(self.container), "<netns>")) if output.strip() else ""
        for interface in answer.get("interfaces", ()) if answer else ():
            if "mac" in interface:
                interface["mac"] = "<mac>"
        return answer

    def stored(self):
        items = {item.key: item.value for item in self.host.store.range("/calico/", "/calico0").items}
        state = {"workloadEndpoints": {}, "profiles": {}, "blocks": {}, "affinities": {}, "handles": {}}
        for key, value in items.items():
            if key.startswith(f"{RESOURCES}workloadendpoints/"):
                state["workloadEndpoints"]["/".join(key.split("/")[-2:])] = _resource(value)
            elif key.startswith(f"{RESOURCES}profiles/"):
                state["profiles"][key.rpartition("/")[2]] = _resource(value)
            elif key.startswith(f"{IPAM}assignment/"):
                block = json.loads(value)
                used = {str(n): index for n, index in enumerate(block["allocations"]) if index is not None}
                shown = {n: _attribute(block["attributes"][index]) for n, index in used.items()}
                state["blocks"][block["cidr"]] = {"affinity": block["affinity"], "used": shown}
            elif key.startswith(f"{IPAM}host/"):
                state["affinities"][key.removeprefix(f"{IPAM}host/")] = json.loads(value)["state"]
            elif key.startswith(f"{IPAM}handle/"):
                state["handles"][key.removeprefix(f"{IPAM}handle/")] = json.loads(value)["block"]
        return state | {"ipamConfigStored": f"{IPAM}config" in items}

    def network(self):
        names = [name for name in self.host.links() if name.startswith("cali")]
        sysctls = {name: _sysctls(HOST_SYSCTLS, name) for name in names}
        container = namespace.in_namespace(self.container, lambda: _network(own_link_local=False))
        container["sysctl"] = namespace.in_namespace(self.container, lambda: _sysctls(CONTAINER_SYSCTLS, ""))
        return {"host": _network(own_link_local=True) | {"sysctl": sysctls}, "container": container}

    def close(self):
        self.host.close()
        if self._api is not None:
            self._api.close()


HOST_SYSCTLS = (
    *("ipv4/conf/*/proxy_arp", "ipv4/conf/*/route_localnet", "ipv4/conf/*/forwarding", "ipv4/neigh/*/proxy_delay"),
    *("ipv6/conf/*/proxy_ndp", "ipv6/conf/*/accept_ra", "ipv6/conf/*/forwarding"),
    *("ipv6/conf/*/accept_dad", "ipv6/conf/*/disable_ipv6"),
)
CONTAINER_SYSCTLS = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")


def _sysctls(names, interface):
    return {name: Path("/proc/sys/net", name.replace("*", interface)).read_text().strip() for name in names}


def _network(*, own_link_local):
    with RouteSocket() as routes:
        links = {link.index: link for link in routes.links() if link.kind == "veth" and link.name != "stale0"}
        shown = {
            link.index: {"name": link.name, "mtu": link.mtu, "mac": link.mac, "up": link.up, "kind": link.kind}
            for link in links.values()
        }
        for index, link in shown.items():
            addresses = [item.address for item in routes.addresses(index)]
            fixed = "fe80::ecee:eeff:feee:eeee/64"
            keep = [item for item in addresses if not item.startswith("fe80:") or (own_link_local and item == fixed)]
            link["addrs"] = sorted(keep)
            if not own_link_local:
                link["mac"] = "<mac>"
        found = [*routes.routes(), *routes.routes(ipv6=True)]
    return {
        "links": sorted(shown.values(), key=lambda link: link["name"]),
        "routes": _ordered(
            _route(route, links) for route in found if route.interface in links and not _is_kernels_own(route)
        ),
    }


def _is_kernels_own(route):
    return route.destination.startswith(("fe80::", "ff00::")) or route.type != "unicast"


def _route(route, links):
    destination = "default" if route.destination.endswith("/0") else route.destination
    shown = {"dst": destination.removesuffix("/32").removesuffix("/128"), "dev": links[route.interface].name}
    if route.gateway:
        shown["gateway"] = route.gateway
    return shown | ({"scope": "link"} if route.scope == 253 else {})


def _ordered(routes):
    return sorted(routes, key=lambda route: sorted(route.items()))


def _resource(value):
    resource = json.loads(value)
    for name in ("uid", "creationTimestamp"):
        resource["metadata"].pop(name, None)
    if resource["kind"] == "WorkloadEndpoint" and "mac" in resource["spec"]:
        resource["spec"]["mac"] = "<mac>"
    for rule in (*resource["spec"].get("ingress", ()), *resource["spec"].get("egress", ())):
        for side in ("source", "destination"):
            if rule.get(side) == {}:
                del rule[side]
    return resource


def _attribute(attribute):
    secondary = attribute.get("secondary", {})
    return attribute | {"secondary": secondary | ({"timestamp": "<time>"} if "timestamp" in secondary else {})}


def _expected(case, index):
    """The recorded outcome of a step, or ours where we do better on purpose (spec/cni.md section 1.4)."""
    step = case["steps"][index]
    expect, version = step["expect"], step.get("conf", {}).get("cniVersion")
    if step["command"] == "VERSION":
        return expect | {"stdout": {"cniVersion": VERSIONS[-1], "supportedVersions": list(VERSIONS)}}
    if step["command"] == "ADD" and version == "1.1.0" and expect["exit"]:
        return {"exit": 0}
    if step["command"] in ("GC", "STATUS") and version == "1.1.0":
        return {"exit": 0, "stdout": ""}
    if step["command"] == "CHECK" and step["plugin"] == "calico" and not expect["exit"]:
        added = [before["command"] for before in case["steps"][:index] if before["containerID"] == step["containerID"]]
        attached = [command for command in added if command in ("ADD", "DEL")][-1:] == ["ADD"]
        return {"exit": 0, "stdout": ""} if attached else {"exit": 1, "error": {"code": 999}}
    return expect


def _is_refusal(step, expect):
    """Whether an ADD fails: ours then leaves no endpoint and no address (spec/cni.md section 4.4), and looks first.

    Whether a block was claimed in vain is of no account.
    """
    return step["command"] == "ADD" and expect["exit"] != 0


def _as_after_refusal(store, case, index):
    """The store without what a failed ADD may have left, and without empty blocks."""
    attached = {
        step["containerID"] for step in case["steps"][:index] if step["command"] == "ADD" and not step["expect"]["exit"]
    } | {"oldsandbox"}
    handles = {name: count for name, count in store["handles"].items() if name.partition(".")[2] in attached}
    used = {
        cidr: {n: item for n, item in block["used"].items() if item.get("handle_id") in handles}
        for cidr, block in store["blocks"].items()
    }
    endpoints = {
        name: item for name, item in store["workloadEndpoints"].items() if item["spec"]["containerID"] in attached
    }
    blocks = {cidr: block | {"used": used[cidr]} for cidr, block in store["blocks"].items() if used[cidr]}
    affinities = {
        name: state
        for name, state in store["affinities"].items()
        if name.rpartition("/")[2] in [cidr.replace("/", "-") for cidr in blocks]
    }
    return store | {"workloadEndpoints": endpoints, "blocks": blocks, "affinities": affinities, "handles": handles}


@pytest.mark.kernel
@pytest.mark.parametrize("case", _cases())
def test_session_goes_as_recorded(case, netns, tmp_path, monkeypatch):
    """Each step's exit status, answer, stored objects and interfaces are as recorded."""
    monkeypatch.setattr(workload, "NODENAME_FILE", str(tmp_path / "calico" / "nodename"))
    session = Session(case, tmp_path, netns)
    (tmp_path / "mtu").write_text(case["files"][f"{CALICO}/mtu"]) if f"{CALICO}/mtu" in case["files"] else None
    try:
        for index, step in enumerate(case["steps"]):
            expect = _expected(case, index)
            done = session.run(step)
            assert done.returncode == expect["exit"], done.stdout + done.stderr
            answer = session.shown(done.stdout.decode())
            if "error" in expect:
                assert answer["code"] == expect["error"]["code"], answer
            elif "stdout" in expect:
                assert answer == expect["stdout"]
            if "store" in expect:
                stored, recorded = session.stored(), expect["store"]
                if _is_refusal(step, expect):
                    kept = _as_after_refusal(stored, case, index)
                    assert [kept[name] for name in LASTING] == [stored[name] for name in LASTING]
                    stored, recorded = (_as_after_refusal(store, case, index) for store in (stored, recorded))
                assert stored == recorded
            if "net" in expect and not expect["exit"]:
                _assert_becomes(session.network, _as_ours(expect["net"]))
    finally:
        session.close()


def _assert_becomes(look, expected):
    """Compare again for a while: the kernel makes a link-local address some time after the link is up."""
    deadline = time.monotonic() + 5
    while look() != expected and time.monotonic() < deadline:
        time.sleep(0.01)
    assert look() == expected


def _as_ours(network):
    for side in network.values():
        side["links"] = sorted(
            (link | {"addrs": sorted(link["addrs"])} for link in side["links"]), key=lambda link: link["name"]
        )
        side["routes"] = _ordered(side["routes"])
    return network
