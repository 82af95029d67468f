# SPDX-License-Identifier: Apache-2.0
"""Which datastore is meant, as a value, by the names that Calico's settings have (spec/cli.md section 2)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import msgspec

from percale.datastore.location import ENVIRONMENT
from percale.errors import Refused

__all__ = [
    "EMBEDDED",
    "ETCD",
    "KUBERNETES",
    "VARIABLES",
    "DatastoreConfig",
    "environment_settings",
    "named_datastore",
    "variables_of",
]

EMBEDDED, ETCD, KUBERNETES = "sqlite", "etcdv3", "kubernetes"

VARIABLES = {
    "datastoreType": "DATASTORE_TYPE",
    "etcdEndpoints": "ETCD_ENDPOINTS",
    "etcdDiscoverySrv": "ETCD_DISCOVERY_SRV",
    "etcdUsername": "ETCD_USERNAME",
    "etcdPassword": "ETCD_PASSWORD",
    "etcdKeyFile": "ETCD_KEY_FILE",
    "etcdCertFile": "ETCD_CERT_FILE",
    "etcdCACertFile": "ETCD_CA_CERT_FILE",
    "kubeconfig": "KUBECONFIG",
    "k8sAPIEndpoint": "K8S_API_ENDPOINT",
    "k8sKeyFile": "K8S_KEY_FILE",
    "k8sCertFile": "K8S_CERT_FILE",
    "k8sCAFile": "K8S_CA_FILE",
    "k8sAPIToken": "K8SAPITOKEN",
    "k8sInsecureSkipTLSVerify": "K8S_INSECURE_SKIP_TLS_VERIFY",
    "k8sDisableNodePoll": "K8S_DISABLE_NODE_POLL",
    "usePodCIDR": "USE_POD_CIDR",
    "k8sClientQPS": "K8S_CLIENT_QPS",
    "k8sClientBurst": "K8S_CLIENT_BURST",
    "k8sCurrentContext": "K8S_CURRENT_CONTEXT",
    "calicoAPIGroup": "CALICO_API_GROUP",
}
"""Calico's settings of a datastore, each with the environment variable that makes it."""
_SERVER = re.compile(r"[\w.-]+:[0-9]+")
_PREFIX = "CALICO_"
_ONLY_PREFIXED = {"k8sAPIToken"}


class DatastoreConfig(msgspec.Struct, frozen=True):
    """The datastore's type (``sqlite``, ``etcdv3`` or ``kubernetes``), and what reaching it needs by Calico's names.

    ``path`` is the file of the embedded store, empty for the usual place. ``writer`` is the program that writes, for
    datastores that keep it. For who is only ``reading``, a file that is not there stays absent, and a new
    store in memory stands in for it; one that this user may not write is opened all the same.
    """

    type: str = EMBEDDED
    path: str = ""
    settings: Mapping[str, str] = {}
    writer: str = ""
    reading: bool = False

    def setting(self, name: str) -> str:
        """Return one setting, empty where it is not made."""
        return self.settings.get(name, "")


def named_datastore(text: str, environment: Mapping[str, str]) -> DatastoreConfig:
    """Return the datastore that a path, or the URLs of etcd with commas between them, name.

    How to reach etcd otherwise (user, certificates), the environment says. Raises Refused for a server without a
    scheme, which would be the name of a file.
    """
    if _SERVER.fullmatch(text) and not os.path.exists(text):
        raise Refused(
            f"is {text!r} a server or a file? Write http://{text} or https://{text} for etcd, ./{text} for a file"
        )
    if "://" not in text:
        return DatastoreConfig(EMBEDDED, text)
    settings = environment_settings(environment)
    settings.pop("etcdDiscoverySrv", None)
    return DatastoreConfig(ETCD, settings=settings | {"datastoreType": ETCD, "etcdEndpoints": text})


def environment_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the variables say about a datastore, by Calico's names."""
    found = {}
    for name, variable in VARIABLES.items():
        value = environment.get(_PREFIX + variable)
        if value is None and name not in _ONLY_PREFIXED:
            value = environment.get(variable)
        if value:
            found[name] = value
    return found


def variables_of(config: DatastoreConfig) -> dict[str, str]:
    """Return the environment by which ``percale.connect()`` of another process opens the same datastore.

    Raises Refused for what no variable can say: keys and certificates that are given as texts.
    """
    if config.type == EMBEDDED:
        return {ENVIRONMENT: os.path.abspath(config.path)} if config.path else {}
    unsaid = sorted(name for name, value in config.settings.items() if value and name not in VARIABLES)
    if unsaid:
        raise Refused(f"{', '.join(unsaid)} cannot be handed on to another program: name files instead")
    settings = {VARIABLES[name]: value for name, value in config.settings.items() if value}
    return settings | ({ENVIRONMENT: config.setting("etcdEndpoints")} if config.type == ETCD else {})
