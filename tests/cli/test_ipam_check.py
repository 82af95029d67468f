# SPDX-License-Identifier: Apache-2.0
"""``ipam check`` finds leaks and tells them, ``ipam release --from-report`` takes them back."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from percale.client import connect
from percale.ipam import AutoRequest, Ipam

CLUSTER = """\
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: p}
spec: {cidr: 192.0.2.0/24, allowedUses: [Workload, Tunnel]}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n1}
---
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {namespace: shop}
spec: {node: n1, orchestrator: k8s, pod: web, endpoint: eth0, interfaceName: cali1, ipNetworks: [ADDRESS/32],
  profiles: [projectcalico-default-allow]}
"""


@pytest.fixture
def ipam(percale, tmp_path):
    """A pool with three addresses of n1, of which an endpoint uses the first; as the command line sees it."""
    (tmp_path / "c.yaml").write_text(CLUSTER.partition("---\napiVersion: projectcalico.org/v3\nkind: Workload")[0])
    assert percale("apply", "-f", "c.yaml").status == 0
    with connect() as client:
        allocator = Ipam.of(client.datastore)
        for name in ("web", "db", "old"):
            notes = {"node": "n1", "namespace": "shop", "pod": name}
            got = allocator.auto_assign(AutoRequest("n1", num4=1, handle=f"h-{name}", attributes=notes))
            if name == "web":
                address = str(got.v4.addresses[0].address)
        (tmp_path / "w.yaml").write_text(CLUSTER.replace("ADDRESS", address))
        assert percale("apply", "-f", "w.yaml").status == 0
        yield allocator


def handles(ipam):
    return sorted(attribute.handle for block in ipam.blocks() for attribute in block.attributes)


def test_leaks_are_told(percale, ipam):
    """Addresses of pods without an endpoint are leaks; what is used is shown on request."""
    status, out, err = percale("ipam", "check", "--show-problem-ips")
    assert (status, err) == (0, "")
    assert "allocated, and used by nobody: 2\n" in out
    assert "pod db, node n1)" in out
    assert "pod web" not in out
    assert out.endswith("Check complete; found 2 problems.\n")
    assert "used by workload shop/n1-k8s-web-eth0" in percale("ipam", "check", "--show-all-ips").out


def test_a_report_releases_leaks(percale, ipam):
    """Locked, checked, released: what is used stays, leaked addresses and handles without addresses go."""
    with connect() as client:
        client.datastore.keyvalue.put("/calico/ipam/v2/handle/empty", b'{"block":{},"deleted":false}')
    assert percale("datastore", "migrate", "lock").status == 0
    assert percale("ipam", "check", "-o", "r.json").out.endswith("found 3 problems.\n")
    assert percale("ipam", "release", "--from-report=r.json") == (
        0,
        "Released 2 of 2 addresses that all reports found unused\n"
        "Deleted 1 of 1 handles that all reports found without addresses\n"
        "You may now unlock the data store.\n",
        "",
    )
    assert handles(ipam) == ["h-web"]
    assert percale("ipam", "check").out.endswith("found 0 problems.\n")


def test_what_one_report_found_in_use_stays(percale, ipam, tmp_path):
    """Several reports release only what none of them found in use."""
    percale("datastore", "migrate", "lock")
    percale("ipam", "check", "-o", "one.json")
    report = json.loads((tmp_path / "one.json").read_text())
    for found in report["allocations"].values():
        found[0]["inUse"] |= found[0]["pod"] == "db"
    (tmp_path / "two.json").write_text(json.dumps(report))
    status, out, _ = percale("ipam", "release", "--from-report=one.json", "--from-report", "two.json")
    assert status == 0
    assert out.startswith("Released 1 of 1 addresses")
    assert handles(ipam) == ["h-db", "h-web"]


def test_an_address_given_out_again_stays(percale, ipam):
    """An allocation that is another one by now is not released."""
    percale("datastore", "migrate", "lock")
    percale("ipam", "check", "-o", "r.json")
    (address,) = ipam.release_by_handle("h-old")
    ipam.assign(address, "n1", "h-new", {"node": "n1"})
    status, out, err = percale("ipam", "release", "--from-report=r.json")
    assert status == 1
    assert out.startswith("Released 1 of 2 addresses")
    assert str(address) in err
    assert handles(ipam) == ["h-new", "h-web"]


@pytest.mark.parametrize(
    ("change", "force", "complaint"),
    [
        ({"clusterGUID": "x"}, True, "mismatched cluster GUID. Refusing to release"),
        ({"version": "v3.1.0"}, False, "was made by version v3.1.0"),
        ({"clusterInformationRevision": "1"}, True, "none of the reports was made since"),
        ({}, False, "the datastore is not locked"),
    ],
)
def test_unfit_reports_release_nothing(percale, ipam, tmp_path, change, force, complaint):
    """A report of another cluster, version or time, or an unlocked datastore, releases nothing."""
    percale("ipam", "check", "-o", "r.json")
    report = json.loads((tmp_path / "r.json").read_text()) | change
    (tmp_path / "r.json").write_text(json.dumps(report))
    status, _, err = percale("ipam", "release", "--from-report=r.json", *(["--force"] if force else []))
    assert status == 1
    assert complaint in err
    assert handles(ipam) == ["h-db", "h-old", "h-web"]


def test_force_passes_over_version_and_lock(percale, ipam, tmp_path):
    """Forced, a report of another version releases from a datastore that is not locked."""
    percale("ipam", "check", "-o", "r.json")
    (tmp_path / "r.json").write_text((tmp_path / "r.json").read_text().replace("v3.", "v2."))
    assert percale("ipam", "release", "--from-report=r.json", "--force").status == 0
    assert handles(ipam) == ["h-web"]


@pytest.mark.parametrize("text", ["", "[]", '{"allocations": {"x": [{"ip": "x"}]}}', "\x00"])
def test_what_is_no_report(percale, ipam, tmp_path, text):
    """A file that is no report is refused with its name or its fault."""
    (tmp_path / "r.json").write_text(text)
    status, _, err = percale("ipam", "release", "--from-report=r.json", "--force")
    assert status == 1
    assert "r.json" in err


class _Services(BaseHTTPRequestHandler):
    def do_GET(self):
        assert self.path == "/api/v1/services"
        body = json.dumps({"items": self.server.services}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


@pytest.fixture
def kubeconfig(tmp_path):
    """A Kubernetes API with two load balancers, of which one is Calico's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Services)
    server.services = [
        {
            "metadata": {"namespace": "shop", "name": name},
            "spec": {"type": "LoadBalancer", "loadBalancerClass": balancer},
            "status": {"loadBalancer": {"ingress": [{"ip": ip}]}},
        }
        for name, balancer, ip in (("ours", "calico", "192.0.2.200"), ("theirs", "metal", "198.51.100.1"))
    ]
    thread = Thread(target=server.serve_forever)
    thread.start()
    path = tmp_path / "kube.conf"
    path.write_text(
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "k"}}],
                "clusters": [{"name": "k", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            }
        )
    )
    yield str(path)
    server.shutdown()
    server.server_close()
    thread.join()


def test_services_of_kubernetes(percale, ipam, kubeconfig):
    """With a kubeconfig the addresses of Calico's own load balancers are compared too."""
    _, out, _ = percale("ipam", "check", "--kubeconfig", kubeconfig, "--show-problem-ips")
    assert "used in an active pool, and not allocated: 1\n  192.0.2.200 by service shop/ours\n" in out
    assert "198.51.100.1" not in out


def test_a_kubeconfig_that_is_not_there(percale, ipam):
    """A kubeconfig that was named must be there."""
    assert percale("ipam", "check", "--kubeconfig=none.conf") == (1, "", "stat none.conf: no such file or directory\n")


def test_tunnels_of_nodes_use_addresses(percale, ipam):
    """The address of a tunnel is in use, in both families, and is told with its node."""
    percale(
        "patch", "node", "n1", "-p", '{"spec": {"ipv4VXLANTunnelAddr": "192.0.2.9", "ipv6VXLANTunnelAddr": "fd00::9"}}'
    )
    _, out, _ = percale("ipam", "check", "--show-problem-ips")
    assert "used, and outside of active pools: 1\n  fd00::9 by node n1 (VXLAN v6 tunnel)\n" in out
    assert "used in an active pool, and not allocated: 1\n  192.0.2.9 by node n1 (VXLAN tunnel)\n" in out
