# SPDX-License-Identifier: Apache-2.0
"""Which datastore a command works on: flags, a configuration file, or the environment (spec/cli.md section 2)."""

from __future__ import annotations

import os
from collections.abc import Mapping

from percale.cli.command import CONFIG, Arguments, CommandFailed
from percale.client.datastore_config import (
    EMBEDDED,
    ETCD,
    KUBERNETES,
    VARIABLES,
    DatastoreConfig,
    environment_settings,
    named_datastore,
)
from percale.datastore.location import ENVIRONMENT

__all__ = ["DatastoreConfig", "datastore_config"]

_DEFAULT_FILE = "/etc/calico/calicoctl.cfg"
_API_VERSION, _KIND = "projectcalico.org/v3", "CalicoAPIConfig"

_INLINE = {"etcdKey", "etcdCert", "etcdCACert"}
_FILE_ONLY = {*_INLINE, "kubeconfigInline"}
_MEMBERS = {"apiVersion", "kind", "metadata", "spec"}


def datastore_config(arguments: Arguments, environment: Mapping[str, str] = os.environ) -> DatastoreConfig:
    """Return which datastore the flags, the file or the environment choose; nothing chosen is the embedded store.

    Raises CommandFailed in calicoctl's words.
    """
    if arguments.given("datastore"):
        return named_datastore(arguments.text("datastore"), environment)
    if arguments.given(CONFIG.name):
        settings = _file_settings(arguments.text(CONFIG.name))
    elif place := environment.get(ENVIRONMENT):
        return named_datastore(place, environment)
    elif os.path.exists(_DEFAULT_FILE):
        settings = _file_settings(_DEFAULT_FILE)
    else:
        settings = environment_settings(environment)
    if not settings:
        return DatastoreConfig(EMBEDDED)
    if context := arguments.text("context"):
        settings["k8sCurrentContext"] = context
    chosen = settings.get("datastoreType") or (ETCD if settings.get("etcdEndpoints") else KUBERNETES)
    if chosen not in (EMBEDDED, ETCD, KUBERNETES):
        raise _refused(f"unknown datastore type: {chosen}")
    if chosen == ETCD:
        _check_etcd(settings)
    return DatastoreConfig(chosen, settings=settings)


def _file_settings(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError):
        raise CommandFailed(f"Error reading config file: {path}", on_stdout=True) from None
    return _read_file(path, text)


def _read_file(path: str, text: str) -> dict[str, str]:
    from percale.resources.nodes import plain
    from percale.resources.yaml_nodes import NodeParser

    parser = NodeParser(text)
    root = parser.parse()
    if parser.problems:
        raise _unreadable(path, parser.problems[0].calico_reason or str(parser.problems[0]))
    document = plain(root) if root else {}
    if not isinstance(document, dict):
        raise _unreadable(path, "error unmarshaling JSON: while decoding JSON: json: expected an object")
    spec = document.get("spec") or {}
    for name in [
        *(set(document) - {"apiVersion", "kind", "metadata", "spec"}),
        *(set(spec) - set(VARIABLES) - _FILE_ONLY),
    ]:
        raise _unreadable(path, f'error unmarshaling JSON: while decoding JSON: json: unknown field "{name}"')
    if document.get("apiVersion", "") != _API_VERSION:
        raise _invalid(path, f"unknown APIVersion '{document.get('apiVersion', '')}'")
    if document.get("kind", "") != _KIND:
        raise _invalid(path, f"expected kind '{_KIND}', got '{document.get('kind', '')}'")
    return {name: _text(value) for name, value in spec.items() if value is not None}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_etcd(settings: Mapping[str, str]) -> None:
    if settings.get("etcdEndpoints") and settings.get("etcdDiscoverySrv"):
        raise _refused(
            'multiple discovery or bootstrap options specified, use either "etcdEndpoints" or "etcdDiscoverySrv"'
        )
    if not settings.get("etcdEndpoints") and not settings.get("etcdDiscoverySrv"):
        raise _refused("no etcd endpoints specified")
    for inline in sorted(_INLINE & set(settings)):
        if settings.get(f"{inline}File"):
            raise _refused(f"{inline} and {inline}File cannot both be given")
    key, cert = settings.get("etcdKeyFile", ""), settings.get("etcdCertFile", "")
    if bool(key) != bool(cert):
        raise _refused(
            f"could not initialize etcdv3 client: KeyFile and CertFile must both be present[key: {key}, cert: {cert}]"
        )


def _unreadable(path: str, reason: str) -> CommandFailed:
    return _refused(f"syntax error in {path}: failed to parse config as YAML/JSON: {reason}")


def _invalid(path: str, reason: str) -> CommandFailed:
    return _refused(f"syntax error in {path}: invalid config file: {reason}")


def _refused(reason: str) -> CommandFailed:
    return CommandFailed(f"Failed to create Calico API client: {reason}", on_stdout=True)
