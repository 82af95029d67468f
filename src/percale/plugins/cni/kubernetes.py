# SPDX-License-Identifier: Apache-2.0
"""Reading single objects of the Kubernetes API: all that the plugin may do there, and all that it needs."""

from __future__ import annotations

import base64
import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import msgspec

from percale.plugins.cni.errors import CniError, Code
from percale.plugins.cni.network import Network

if TYPE_CHECKING:
    import ssl

__all__ = ["KubernetesApi", "api_of", "api_of_kubeconfig", "pod_networks"]

_TIMEOUT_S = 10.0
_OK = 200


@dataclass(frozen=True)
class KubernetesApi:
    """One API server: its root URL, and how we prove who we are."""

    root: str
    token: str = ""
    context: ssl.SSLContext | None = None

    def namespace(self, name: str) -> dict[str, Any]:
        """Return a Namespace; raises CniError."""
        return self._get(f"/api/v1/namespaces/{quote(name, safe='')}")

    def pod(self, namespace: str, name: str) -> dict[str, Any]:
        """Return a Pod; raises CniError."""
        return self._get(f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(name, safe='')}")

    def node(self, name: str) -> dict[str, Any]:
        """Return a Node; raises CniError."""
        return self._get(f"/api/v1/nodes/{quote(name, safe='')}")

    def services(self) -> list[dict[str, Any]]:
        """Return the Services of all namespaces; raises CniError."""
        found: list[dict[str, Any]] = self._get("/api/v1/services").get("items") or []
        return found

    def _get(self, path: str) -> dict[str, Any]:
        from http.client import HTTPConnection, HTTPException, HTTPSConnection  # only Kubernetes pays for it

        parts = urlsplit(self.root)
        host, port = parts.hostname or "", parts.port
        connection = (
            HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=self.context)
            if parts.scheme == "https"
            else HTTPConnection(host, port, timeout=_TIMEOUT_S)
        )
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        try:
            with contextlib.closing(connection):
                connection.request("GET", parts.path.rstrip("/") + path, headers=headers)
                response = connection.getresponse()
                status, text = response.status, response.read()
            document = msgspec.json.decode(text) if status == _OK else {}
        except (OSError, HTTPException, msgspec.DecodeError) as error:
            raise CniError(Code.INTERNAL, f"the Kubernetes API does not answer for {path}", str(error)) from error
        if status != _OK or not isinstance(document, dict):
            raise CniError(Code.INTERNAL, f"the Kubernetes API has no {path}", f"status {status}")
        return document


def api_of(network: Network) -> KubernetesApi | None:
    """Return the API that a configuration names, None if it names none; raises CniError if its files can't be read."""
    policy = network.policy
    try:
        if network.kubernetes.kubeconfig:
            return _from_kubeconfig(Path(network.kubernetes.kubeconfig))
        root = (network.kubernetes.k8s_api_root or policy.k8s_api_root).partition("/api/")[0]
        if not root:
            return None
        files = policy.k8s_certificate_authority, policy.k8s_client_certificate, policy.k8s_client_key
        return KubernetesApi(root, policy.k8s_auth_token, _context(root, *files))
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise CniError(Code.INTERNAL, "the access to the Kubernetes API cannot be set up", str(error)) from error


def api_of_kubeconfig(path: str) -> KubernetesApi:
    """Return the API that a kubeconfig's current context names; raises CniError if it cannot be read."""
    try:
        return _from_kubeconfig(Path(path))
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise CniError(Code.INTERNAL, "the access to the Kubernetes API cannot be set up", str(error)) from error


def _from_kubeconfig(path: Path) -> KubernetesApi:
    import yaml  # only Kubernetes pays for it

    try:
        config = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    context = _named(config["contexts"], config["current-context"])["context"]
    cluster = _named(config["clusters"], context["cluster"])["cluster"]
    user = _named(config.get("users") or (), context.get("user", "")).get("user") or {}
    token = user.get("token") or (Path(user["tokenFile"]).read_text().strip() if user.get("tokenFile") else "")
    with (
        _file(cluster, "certificate-authority", path) as authority,
        _file(user, "client-certificate", path) as certificate,
        _file(user, "client-key", path) as key,
    ):
        check = not cluster.get("insecure-skip-tls-verify", False)
        return KubernetesApi(
            cluster["server"], token, _context(cluster["server"], authority, certificate, key, check=check)
        )


def _named(items: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next((item for item in items if item.get("name") == name), {})
    return found


@contextlib.contextmanager
def _file(members: dict[str, Any], name: str, beside: Path) -> Iterator[str]:
    """Give the path of a file that a kubeconfig names, or holds itself; the ssl module reads files only."""
    inline = members.get(f"{name}-data")
    if not inline:
        yield str(beside.parent / members[name]) if members.get(name) else ""
        return
    with tempfile.NamedTemporaryFile() as file:  # mode 0600, gone again after it was read
        file.write(base64.b64decode(inline))
        file.flush()
        yield file.name


def _context(root: str, authority: str, certificate: str, key: str, *, check: bool = True) -> ssl.SSLContext | None:
    if not root.startswith("https:"):
        return None
    import ssl  # only Kubernetes pays for it

    context = ssl.create_default_context(cafile=authority or None)
    if not check:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key or None)
    return context


def pod_networks(api: KubernetesApi, node: str) -> tuple[str, ...]:
    """Return the pod CIDRs of a node, IPv4 and IPv6 as they come; raises CniError."""
    spec = api.node(node).get("spec") or {}
    return tuple(spec.get("podCIDRs") or filter(None, [spec.get("podCIDR")]))
