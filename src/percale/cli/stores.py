# SPDX-License-Identifier: Apache-2.0
"""Datastores as stores of keys and values, for the commands that look below resources."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from percale.cli.config import DatastoreConfig, datastore_config
from percale.cli.session import opened
from percale.client.datastore_config import EMBEDDED
from percale.errors import Refused

if TYPE_CHECKING:
    from percale.cli.command import Arguments
    from percale.client import Client
    from percale.datastore.keyvalue import KeyValue

__all__ = ["embedded_path", "keyvalue_of", "open_keyvalue"]


def keyvalue_of(client: Client) -> KeyValue:
    """Return the keys and values behind a client; raises Refused where there are none (Kubernetes)."""
    from percale.datastore.calico import CalicoDatastore

    if not isinstance(client.datastore, CalicoDatastore):
        raise Refused("this datastore has no keys and values of its own; use etcd or the embedded datastore")
    return client.datastore.keyvalue


def open_keyvalue(config: DatastoreConfig, *, read_only: bool = False) -> KeyValue:
    """Open a datastore as it is, without making it ready; raises PercaleError."""
    if config.type != EMBEDDED:
        return keyvalue_of(opened(config))
    from percale.datastore.identity import identity
    from percale.datastore.sqlite import SQLiteKeyValue

    return SQLiteKeyValue(_path(config), read_only=read_only, writer=partial(identity, config.writer))


def embedded_path(arguments: Arguments) -> Path:
    """Return the file of the embedded datastore that the arguments choose; raises Refused for any other datastore."""
    config = datastore_config(arguments)
    if config.type != EMBEDDED:
        raise Refused("this command is about the file of the embedded datastore; etcd has etcdctl snapshot and defrag")
    return _path(config)


def _path(config: DatastoreConfig) -> Path:
    from percale.datastore.location import locate

    return locate(config.path or None).path
