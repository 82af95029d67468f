# SPDX-License-Identifier: Apache-2.0
"""The CNI executable as a runtime calls it, on a host with and without its agent (spec/cni.md sections 1, 4 and 5)."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.scenarios.language import allow, both, passing, policy

from percale.ipam import Ipam
from percale.lab.site import Site, endpoint_name
from percale.resources import WorkloadEndpoint

pytestmark = pytest.mark.kernel

MANY = 30


def traces_of(site: Site, *names: str) -> dict[str, list[str]]:
    """What is left of workloads: endpoints in the store, addresses taken, interfaces on the host."""
    links = json.loads(site.world.host.run(["ip", "-json", "link"]).stdout)
    blocks = Ipam.of(site.client.datastore).blocks()
    return {
        "endpoints": [one.metadata.name for one in site.client.list("wep").items],
        "handles": [item.handle for block in blocks for item in block.attributes],
        "interfaces": [link["ifname"] for link in links if link["ifname"].startswith("cali")],
        "inside": [name for name in names if _has_interface(site, name)],
    }


NOTHING = {"endpoints": [], "handles": [], "interfaces": [], "inside": []}


def _has_interface(site: Site, name: str) -> bool:
    try:
        return bool(site.world.workloads[name].link_index("eth0"))
    except OSError:
        return False


def test_thirty_workloads_at_once(site, capsys):
    """Thirty ADDs at the same time each get their own addresses and are reachable; thirty DELs leave nothing."""
    names = [f"w{number}" for number in range(MANY)]
    site.start_agent()
    spaces = {name: site.world.add_workload(name) for name in names}

    def all_at_once(command: str) -> list:
        began = time.monotonic()
        with ThreadPoolExecutor(MANY) as pool:
            done = list(pool.map(lambda name: site.call_plugin(command, name, spaces[name].path), names))
        with capsys.disabled():
            print(f"\n{MANY} CNI {command}s at once: {1000 * (time.monotonic() - began):.0f} ms")
        assert [one.stdout for one in done if one.returncode] == []
        return done

    results = [json.loads(one.stdout) for one in all_at_once("ADD")]
    for name, result in zip(names, results, strict=True):
        site.addresses[name] = {
            6 if ":" in item["address"] else 4: item["address"].partition("/")[0] for item in result["ips"]
        }
    assert len({address for found in site.addresses.values() for address in found.values()}) == 2 * MANY
    flows = [f"{one} → {other} udp 53" for one, other in zip(names, names[1:] + names[:1], strict=True)]
    assert passing(site, flows) == both(*flows)
    all_at_once("DEL")
    assert traces_of(site, *names) == NOTHING


def test_policy_is_in_force_when_add_returns(site):
    """The first packet after ADD is judged already: nothing denied slips through, nothing allowed is lost."""
    site.start_agent()
    site.client.create(policy("server", "role == 'server'", allow("UDP", 53)))
    site.connect("client", {"role": "client"})
    for number in range(10):
        name = f"server{number}"
        site.connect(name, {"role": "server"})
        flows = [f"client → {name} udp 53", f"client → {name} udp 54"]
        assert passing(site, flows, deadline_s=0.1) == both(flows[0])


@pytest.mark.parametrize("version", ["0.4.0", "1.0.0", "1.1.0"])
def test_the_result_has_the_form_of_the_version_asked_for(site, version):
    """ADD answers in the configuration's version: 0.4.0 names each address's version, later ones do not."""
    site.start_agent()
    space = site.world.add_workload("w")
    result = json.loads(site.call_plugin("ADD", "w", space.path, version=version).stdout)
    assert result["cniVersion"] == version
    assert [(one["name"], one.get("sandbox")) for one in result["interfaces"]] == [
        ("caliw", None),
        ("eth0", space.path),
    ]
    assert [one.get("version") for one in result["ips"]] == (["4", "6"] if version == "0.4.0" else [None, None])
    assert [one["interface"] for one in result["ips"]] == [1, 1]
    check = site.call_plugin("CHECK", "w", space.path, version=version)
    assert (check.returncode, check.stdout) == (0, "")
    assert site.call_plugin("DEL", "w", space.path, version=version).returncode == 0
    assert site.call_plugin("CHECK", "w", space.path, version=version).returncode == 1


@pytest.mark.parametrize("agent", ["running", "stopped", "killed"])
@pytest.mark.parametrize("netns", ["there", "empty", "dangling"])
def test_a_workload_can_always_be_removed(site, agent, netns):
    """DEL succeeds, leaves nothing and may be repeated, whatever became of the agent and of the namespace."""
    site.start_agent()
    space = site.connect("w", {})
    if agent != "running":
        site.stop_agent(suddenly=agent == "killed")
    path = {"there": space.path, "empty": "", "dangling": "/proc/1/fd/999999"}[netns]
    for _ in range(2):
        done = site.call_plugin("DEL", "w", path)
        assert (done.returncode, done.stdout) == (0, "")
        assert traces_of(site, "w") == NOTHING


def test_add_without_an_agent_asks_to_try_again(site):
    """ADD without an agent is CNI error 11, and nothing is begun; with the agent back it succeeds."""
    space = site.world.add_workload("w")
    done = site.call_plugin("ADD", "w", space.path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["code"] == 11
    assert traces_of(site, "w") == NOTHING
    site.start_agent()
    site.connect("w", {})
    assert passing(site, ["w → outside udp 53"]) == both("w → outside udp 53")


def test_add_is_undone_when_its_namespace_is_gone(site):
    """ADD for a namespace that does not exist fails, and no address stays taken."""
    site.start_agent()
    done = site.call_plugin("ADD", "w", "/proc/1/fd/999999")
    assert done.returncode == 1
    site.world.add_workload("w")
    assert traces_of(site, "w") == NOTHING


@pytest.mark.parametrize("suddenly", [False, True])
def test_the_agent_may_restart_between_add_and_del(site, suddenly):
    """A workload connected through one agent is policed, checked and removed by the next."""
    site.start_agent()
    space = site.connect("w", {})
    site.stop_agent(suddenly=suddenly)
    site.start_agent()
    assert site.call_plugin("CHECK", "w", space.path).returncode == 0
    assert passing(site, ["w → outside udp 53", "w → host udp 53"]) == both("w → outside udp 53")
    site.disconnect("w")
    assert traces_of(site, "w") == NOTHING


def test_adds_while_the_agent_is_killed_can_be_repeated_and_removed(site):
    """Whatever an ADD had done when the agent died, the runtime's DEL removes it and a new ADD succeeds."""
    names = [f"w{number}" for number in range(8)]
    site.start_agent()
    spaces = {name: site.world.add_workload(name) for name in names}
    with ThreadPoolExecutor(len(names)) as pool:
        begun = [pool.submit(site.call_plugin, "ADD", name, spaces[name].path) for name in names]
        while not site.client.list(WorkloadEndpoint).items:
            time.sleep(0.001)
        site.stop_agent(suddenly=True)
        failed = [name for name, one in zip(names, begun, strict=True) if one.result().returncode]
    for name in failed:
        assert site.call_plugin("DEL", name, spaces[name].path).returncode == 0
    assert {endpoint_name(name) for name in names if name not in failed} == set(traces_of(site)["endpoints"])
    site.start_agent()
    for name in failed:
        site.connect(name, {})
    for name in names:
        assert site.call_plugin("DEL", name, spaces[name].path).returncode == 0
    assert traces_of(site, *names) == NOTHING
