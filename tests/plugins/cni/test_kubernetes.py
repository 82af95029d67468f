# SPDX-License-Identifier: Apache-2.0
"""Pods whose facts come from a Kubernetes API, and how that is reached."""

import base64
import json
import shutil
import ssl
import subprocess

import pytest
import yaml
from tests.plugins.cni.api import FakeApi
from tests.plugins.cni.host import CONF, inside

from percale.netlink.rtnetlink.connection import RouteSocket
from percale.plugins.cni.errors import CniError
from percale.plugins.cni.kubernetes import api_of
from percale.plugins.cni.network import Network

ARGS = "K8S_POD_NAMESPACE=ns1;K8S_POD_NAME=web-0"
NAMESPACE, POD, NODE = "/api/v1/namespaces/ns1", "/api/v1/namespaces/ns1/pods/web-0", "/api/v1/nodes/node-a"


@pytest.fixture
def api(netns):
    """An API with one namespace and one pod."""
    objects = {NAMESPACE: {"metadata": {"name": "ns1"}}, POD: {"metadata": {"name": "web-0", "namespace": "ns1"}}}
    made = FakeApi(objects)
    yield made
    made.close()


def annotate(api, **annotations):
    values = {f"cni.projectcalico.org/{name}": json.dumps(value) for name, value in annotations.items()}
    api.objects[POD]["metadata"]["annotations"] = values


def conf_of(api, **more):
    return CONF | {"policy": {"type": "k8s"}, "kubernetes": {"k8s_api_root": f"{api.url}/api/v1/"}} | more


def network_of(**members):
    return Network.decode(json.dumps(CONF | members).encode(), "ADD")


@pytest.mark.kernel
def test_a_pods_own_mac(host, api, netns):
    """The container's interface gets the MAC that the pod asks for."""
    container = netns.other()
    api.objects[POD]["metadata"]["annotations"] = {"cni.projectcalico.org/hwAddr": "02:00:00:00:00:0A"}
    _, answer = host.call("ADD", container_ns=container, args=ARGS, conf=conf_of(api))
    assert answer["interfaces"][1]["mac"] == "02:00:00:00:00:0a"

    def mac():
        with RouteSocket() as routes:
            return routes.link("eth0").mac

    assert inside(container, mac) == "02:00:00:00:00:0a"
    assert host.endpoints()[0].spec.mac == "02:00:00:00:00:0a"


@pytest.mark.kernel
def test_a_fixed_address_moves_to_the_new_sandbox(host, api, netns):
    """A pod that asks for an address gets it again for its next sandbox, which the old one's late DEL does not undo."""
    annotate(api, ipAddrs=["10.50.0.9"])
    for sandbox in ("old", "new"):
        status, _ = host.call("ADD", container=sandbox, container_ns=netns.other(), args=ARGS, conf=conf_of(api))
        assert status == 0
    assert host.call("DEL", container="old", args=ARGS, conf=conf_of(api))[0] == 0
    assert host.held() == {"net1.new": ["10.50.0.9"]}


@pytest.mark.kernel
def test_a_fixed_address_of_another_pod_is_refused(host, api, netns):
    """An address that somebody else has is not taken away."""
    annotate(api, ipAddrs=["10.50.0.9"])
    other = ARGS.replace("web-0", "web-1")
    api.objects[POD.replace("web-0", "web-1")] = api.objects[POD]
    host.call("ADD", container="one", container_ns=netns.other(), args=other, conf=conf_of(api))
    status, _ = host.call("ADD", container="two", container_ns=netns.other(), args=ARGS, conf=conf_of(api))
    assert (status, host.held()) == (1, {"net1.one": ["10.50.0.9"]})


@pytest.mark.kernel
def test_addresses_past_ipam(host, api, netns):
    """With the operator's consent a pod brings its addresses along; nobody keeps them."""
    annotate(api, ipAddrsNoIpam=["192.0.2.9"])
    conf = conf_of(api, feature_control={"ip_addrs_no_ipam": True})
    _, answer = host.call("ADD", container_ns=netns.other(), args=ARGS, conf=conf)
    assert (answer["ips"][0]["address"], host.held()) == ("192.0.2.9/32", {})
    assert host.endpoints()[0].spec.ip_networks == ("192.0.2.9/32",)


@pytest.mark.kernel
def test_changed_labels_replace_the_old_ones(host, api, netns):
    """A label that the pod has lost does not stay on its endpoint."""
    for sandbox, labels in (("old", {"a": "1"}), ("new", {"b": "2"})):
        api.objects[POD]["metadata"]["labels"] = labels
        host.call("ADD", container=sandbox, container_ns=netns.other(), args=ARGS, conf=conf_of(api))
    (endpoint,) = host.endpoints()
    assert ("a" in endpoint.labels, endpoint.labels["b"]) == (False, "2")


@pytest.mark.kernel
def test_garbage_of_pods_is_found_by_its_addresses(host, api, netns):
    """An endpoint that names no network by its profiles belongs to that of its address."""
    host.call("ADD", container_ns=netns.other(), args=ARGS, conf=conf_of(api))
    assert host.call("GC", conf=CONF | {"cniVersion": "1.1.0"}) == (0, None)
    assert (host.endpoints(), host.held()) == ([], {})


@pytest.mark.kernel
def test_pod_networks_for_another_plugin(host, api, netns):
    """``usePodCidr`` becomes the node's pod network on ADD, and needs no API on DEL; routes are those asked for."""
    api.objects[NODE] = {"spec": {"podCIDRs": ["198.51.100.0/24", "2001:db8:1::/64"]}}
    host.plugins.mkdir()
    plugin, seen = host.plugins / "host-local", host.folder / "seen"
    answer = {"ips": [{"address": "198.51.100.2/24"}]}
    plugin.write_text(
        f"#!/bin/sh\ncat >> {seen}\necho >> {seen}\n[ $CNI_COMMAND = DEL ] || echo '{json.dumps(answer)}'\n"
    )
    plugin.chmod(0o755)
    ipam = {
        "type": "host-local",
        "subnet": "usePodCidr",
        "ranges": [[{"subnet": "usePodCidrIPv6"}]],
        "routes": [{"dst": "203.0.113.0/24"}],
    }
    conf = CONF | {"ipam": ipam, "kubernetes": {"k8s_api_root": api.url}}
    container = netns.other()
    assert host.call("ADD", container_ns=container, args=ARGS, conf=conf)[0] == 0

    def routes():
        with RouteSocket() as socket:
            return {route.destination for route in socket.routes()}

    assert inside(container, routes) == {"169.254.1.1/32", "203.0.113.0/24"}
    api.objects.clear()
    assert host.call("DEL", container_ns=container, args=ARGS, conf=conf)[0] == 0
    added, deleted = (json.loads(line)["ipam"] for line in seen.read_text().splitlines())
    assert (added["subnet"], added["ranges"]) == ("198.51.100.0/24", [[{"subnet": "2001:db8:1::/64"}]])
    assert (deleted["subnet"], deleted["ranges"]) == ("0.0.0.0/0", [[{"subnet": "::/0"}]])


@pytest.mark.parametrize("answer", [None, b"", b"[]", b"{"])
def test_what_is_no_answer(api, answer):
    """An object that is absent or unreadable is an error that names it."""
    api.objects = {POD: answer} if answer is not None else {}
    with pytest.raises(CniError, match="web-0"):
        api_of(network_of(kubernetes={"k8s_api_root": api.url})).pod("ns1", "web-0")


def test_names_cannot_lead_elsewhere(api):
    """A name from the runtime stays one segment of the path."""
    api.objects["/api/v1/secret"] = {}
    with pytest.raises(CniError):
        api_of(network_of(kubernetes={"k8s_api_root": api.url})).namespace("../secret")


def test_no_api():
    """A configuration that names none has none."""
    assert api_of(network_of()) is None


class TestKubeconfig:
    @pytest.fixture
    def certificate(self, tmp_path):
        """A certificate of the loopback address and its key."""
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed")
        names = "-subj /CN=api -addext subjectAltName=IP:127.0.0.1"
        command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 {names} -keyout key.pem -out cert.pem"
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
        return tmp_path / "cert.pem"

    @pytest.fixture
    def secure(self, netns, certificate):
        """An API that speaks TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_name("key.pem"))
        made = FakeApi({NAMESPACE: {"metadata": {"name": "ns1"}}}, context)
        yield made
        made.close()

    def _written(self, folder, server, **cluster):
        config = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": {"server": server} | cluster}],
            "users": [{"name": "u", "user": {"token": "secret"}}],
        }
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return network_of(kubernetes={"kubeconfig": str(path)})

    @pytest.mark.parametrize("form", ["inline", "beside", "unchecked"])
    def test_who_the_server_is_and_who_we_are(self, secure, certificate, tmp_path, form):
        """The authority may be in the file or beside it; the token goes with each request."""
        authority = {
            "inline": {"certificate-authority-data": base64.b64encode(certificate.read_bytes()).decode()},
            "beside": {"certificate-authority": certificate.name},
            "unchecked": {"insecure-skip-tls-verify": True},
        }[form]
        api = api_of(self._written(tmp_path, secure.url, **authority))
        assert api.namespace("ns1") == {"metadata": {"name": "ns1"}}
        assert secure.tokens == ["Bearer secret"]

    def test_a_server_that_cannot_be_trusted(self, secure, tmp_path):
        """A certificate that no known authority signed is refused before anything is said."""
        with pytest.raises(CniError, match="does not answer"):
            api_of(self._written(tmp_path, secure.url)).namespace("ns1")
        assert secure.tokens == []

    @pytest.mark.parametrize("text", ["", "[", "contexts: []\ncurrent-context: c\n"])
    def test_a_file_that_is_none(self, tmp_path, text):
        """What is no kubeconfig is refused as such."""
        (tmp_path / "kubeconfig").write_text(text)
        with pytest.raises(CniError, match="cannot be set up"):
            api_of(network_of(kubernetes={"kubeconfig": str(tmp_path / "kubeconfig")}))
