# SPDX-License-Identifier: Apache-2.0
"""Opening a datastore of any type as a client."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

from percale.client.client import Client
from percale.client.datastore_config import EMBEDDED, ETCD, KUBERNETES, DatastoreConfig, named_datastore
from percale.datastore.location import ENVIRONMENT
from percale.datastore.seams import KeyValue
from percale.errors import Refused

if TYPE_CHECKING:
    from percale.client.cascade import Addresses
    from percale.datastore.etcd import EtcdSettings

__all__ = ["OPENERS", "connect", "open_client"]

_KEYS_OF_AN_EMPTY_STORE = 4  # ClusterInformation and three tiers


def connect(
    place: str | os.PathLike[str] | None = None,
    *,
    durability: Literal["NORMAL", "FULL"] = "NORMAL",
    writer: str = "",
    addresses: Addresses | None = None,
) -> Client:
    """Open a datastore as a client: a file, made ready if it is empty, or etcd by its URLs (``https://…``).

    Without a place it is what PERCALE_DATASTORE names, else the machine's file if it can be written, else the user's
    own. Several URLs have commas between them; certificates and the like are taken from Calico's variables
    (``ETCD_CA_CERT_FILE``). ``durability`` is for files, and so is ``writer``: the program that history names, by
    default the one that runs. Raises StoreUnavailable, Refused.
    """
    chosen = named_datastore(os.fspath(place) if place else os.environ.get(ENVIRONMENT, ""), os.environ)
    if chosen.type == EMBEDDED:
        return _embedded(chosen.path, writer, durability=durability, addresses=addresses)
    return OPENERS[chosen.type](chosen)


def open_client(keyvalue: KeyValue, *, addresses: Addresses | None = None, notice: str = "") -> Client:
    """Return a client of Calico's layout in a store of keys and values."""
    from percale.datastore.calico import CalicoDatastore

    return Client(CalicoDatastore(keyvalue), addresses=addresses, notice=notice)


def _embedded(
    path: str,
    writer: str,
    *,
    reading: bool = False,
    durability: Literal["NORMAL", "FULL"] = "NORMAL",
    addresses: Addresses | None = None,
) -> Client:
    from percale.datastore.identity import identity
    from percale.datastore.location import locate, make_folder
    from percale.datastore.sqlite import SQLiteKeyValue

    place = locate(path or None)
    if reading and place.is_vacant:
        return _initialised(open_client(SQLiteKeyValue(None), addresses=addresses, notice=place.vacancy_notice))
    if reading and not os.access(place.path, os.W_OK):
        return open_client(SQLiteKeyValue(place.path, read_only=True), addresses=addresses)
    make_folder(place)
    keyvalue = SQLiteKeyValue(place.path, durability=durability, writer=partial(identity, writer))
    notice = place.notice if place.hidden and _is_empty(keyvalue) else ""
    return _initialised(open_client(keyvalue, addresses=addresses, notice=notice))


def _initialised(client: Client) -> Client:
    try:
        client.initialise()
    except BaseException:
        client.close()
        raise
    return client


def _is_empty(keyvalue: KeyValue) -> bool:
    found = keyvalue.range("/", "\0", limit=_KEYS_OF_AN_EMPTY_STORE + 1, keys_only=True)
    return len(found.items) <= _KEYS_OF_AN_EMPTY_STORE


def _etcd(config: DatastoreConfig) -> Client:
    try:
        from percale.datastore.etcd import EtcdKeyValue
    except ImportError as error:
        raise Refused(f"etcd needs more packages, install percale[etcd]: {error}") from error
    return open_client(EtcdKeyValue(_etcd_settings(config)))


def _etcd_settings(config: DatastoreConfig) -> EtcdSettings:
    from msgspec.structs import replace

    from percale.datastore.etcd import EtcdSettings

    if config.setting("etcdDiscoverySrv"):
        raise Refused("percale does not look up etcd's DNS SRV records: name the servers in etcdEndpoints")
    settings = EtcdSettings.of(
        config.setting("etcdEndpoints"),
        username=config.setting("etcdUsername"),
        password=config.setting("etcdPassword"),
        key_file=config.setting("etcdKeyFile"),
        certificate_file=config.setting("etcdCertFile"),
        ca_certificate_file=config.setting("etcdCACertFile"),
    )
    return replace(
        settings,
        key=config.setting("etcdKey").encode() or settings.key,
        certificate=config.setting("etcdCert").encode() or settings.certificate,
        ca_certificate=config.setting("etcdCACert").encode() or settings.ca_certificate,
    )


def _kubernetes(config: DatastoreConfig) -> Client:
    raise Refused(f"this version of percale cannot work on {config.type}: use etcd or the embedded datastore")


OPENERS: Mapping[str, Callable[[DatastoreConfig], Client]] = {
    EMBEDDED: lambda config: _embedded(config.path, config.writer, reading=config.reading),
    ETCD: _etcd,
    KUBERNETES: _kubernetes,
}
"""How a datastore of each type is opened; a file is made ready, a cluster is left as it is. All raise PercaleError."""
