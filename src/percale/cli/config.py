# SPDX-License-Identifier: Apache-2.0
"""Which datastore a command works on: flags, a configuration file, or the environment (spec/cli.md section 2)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

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

__all__ = ["DatastoreConfig", "UnknownDatastore", "datastore_config", "datastore_flags"]

_DEFAULT_FILE = "/etc/calico/calicoctl.cfg"
_API_VERSION, _KIND = "projectcalico.org/v3", "CalicoAPIConfig"

_INLINE = {"etcdKey", "etcdCert", "etcdCACert"}
_FILE_ONLY = {*_INLINE, "kubeconfigInline"}
_TYPES = {
    **dict.fromkeys(("k8sInsecureSkipTLSVerify", "k8sDisableNodePoll", "usePodCIDR"), "bool"),
    "k8sClientQPS": "float32",
    "k8sClientBurst": "int",
}
"""The settings that are no texts."""

_MEMBERS = {"apiVersion", "kind", "metadata", "spec"}


class UnknownDatastore(CommandFailed):
    """There is no datastore of the type that was named."""


def datastore_config(arguments: Arguments, environment: Mapping[str, str] = os.environ) -> DatastoreConfig:
    """Return which datastore the flags, the file or the environment choose; nothing chosen is the embedded store.

    The command writes in its own name. Raises CommandFailed in calicoctl's words.
    """
    return replace(_chosen(arguments, environment), writer=arguments.command)


def _chosen(arguments: Arguments, environment: Mapping[str, str]) -> DatastoreConfig:
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
        raise _refused(f"unknown datastore type: {chosen}", UnknownDatastore)
    if chosen == ETCD:
        _check_etcd(settings)
    return DatastoreConfig(chosen, settings=settings)


def datastore_flags(arguments: Arguments) -> list[str]:
    """Return the flags by which another call of the program reaches the datastore that the arguments choose."""
    names = (CONFIG.name, "datastore", "context")
    return [f"--{name}={arguments.text(name)}" for name in names if arguments.given(name)]


def _file_settings(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError):
        raise CommandFailed(f"Error reading config file: {path}", on_stdout=True) from None
    return _read_file(path, text)


def _read_file(path: str, text: str) -> dict[str, str]:
    from percale.resources.nodes import plain
    from percale.resources.scalars import text_of
    from percale.resources.yaml_nodes import NodeParser

    parser = NodeParser(text)
    root = parser.parse()
    if parser.problems:
        raise _unreadable(path, parser.problems[0].calico_reason or str(parser.problems[0]))
    try:
        document = _members(plain(root) if root else {}, dict.fromkeys(_MEMBERS, ""), "CalicoAPIConfig", "")
        known = {name: _TYPES.get(name, "string") for name in (*VARIABLES, *_FILE_ONLY)}
        settings = _members(document.get("spec"), known, "CalicoAPIConfigSpec", "spec.")
    except ValueError as error:
        raise _unreadable(path, f"error unmarshaling JSON: while decoding JSON: json: {error}") from error
    version, kind = (text_of(document.get(name)) for name in ("apiVersion", "kind"))
    if version != _API_VERSION:
        raise _invalid(path, f"unknown APIVersion '{version}'")
    if kind != _KIND:
        raise _invalid(path, f"expected kind '{_KIND}', got '{kind}'")
    return {name: text_of(value) for name, value in settings.items() if value is not None}


def _members(value: Any, known: Mapping[str, str], structure: str, path: str) -> dict[str, Any]:
    """The members of an object under their own names, which may be written in any case; "" is a type of any sort.

    Raises ValueError in the words of Go's decoder, which reads members in order of their names.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        place = f"Go struct field CalicoAPIConfig.{path[:-1]} of" if path else "Go value of"
        raise ValueError(f"cannot unmarshal {_sort(value)} into {place} type apiconfig.{structure}")
    own_names = {name.lower(): name for name in known}
    found = {}
    for name in sorted(value):
        own = own_names.get(name.lower())
        if own is None:
            raise ValueError(f'unknown field "{name}"')
        found[own] = value[name]
        if known[own] and not _fits(value[name], known[own]):
            sort = _sort(value[name])
            raise ValueError(
                f"cannot unmarshal {sort} into Go struct field {structure}.{path}{own} of type {known[own]}"
            )
    return found


def _sort(value: Any) -> str:
    """What JSON calls a value."""
    return {dict: "object", list: "array", bool: "bool", str: "string"}.get(type(value), "number")


def _fits(value: Any, wanted: str) -> bool:
    """Reports whether a scalar may stand in a member; any scalar becomes the text that a string wants."""
    match wanted:
        case "string":
            return not isinstance(value, dict | list)
        case "bool":
            return value is None or isinstance(value, bool)
        case "int":
            return value is None or (isinstance(value, int) and not isinstance(value, bool))
        case _:
            return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


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


def _refused(reason: str, failure: type[CommandFailed] = CommandFailed) -> CommandFailed:
    return failure(f"Failed to create Calico API client: {reason}", on_stdout=True)
