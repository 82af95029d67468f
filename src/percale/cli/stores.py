# SPDX-License-Identifier: Apache-2.0
"""Datastores as stores of keys and values, for the commands that look below resources."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
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

__all__ = [
    "check_there",
    "embedded_path",
    "keyvalue_of",
    "new_keyvalue",
    "open_keyvalue",
    "refuse_url",
    "target_keyvalue",
]


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


def target_keyvalue(config: DatastoreConfig) -> contextlib.AbstractContextManager[KeyValue]:
    """Open a datastore to be filled, a file that is not there yet as `new_keyvalue`; raises PercaleError."""
    if config.type != EMBEDDED or os.path.lexists(_path(config)):
        return open_keyvalue(config)
    return new_keyvalue(_path(config), config.writer)


@contextlib.contextmanager
def new_keyvalue(path: Path, writer: str) -> Iterator[KeyValue]:
    """Give a new file to be filled by a copy, which is there when the block ends well; raises PercaleError."""
    from percale.datastore.copying import BrokenOff
    from percale.datastore.identity import identity
    from percale.datastore.sqlite.backup import new_store

    with new_store(path, writer=partial(identity, writer)) as store:
        try:
            yield store
        except BrokenOff as broken:
            raise broken.fault from None  # what was copied goes with the file


def check_there(config: DatastoreConfig) -> None:
    """Raise Refused where a file would have to be made first."""
    from percale.datastore.location import locate

    if config.type == EMBEDDED and (place := locate(config.path or None)).is_vacant:
        raise Refused(f"there is no datastore at {place.path}")


def embedded_path(arguments: Arguments) -> Path:
    """Return the file of the embedded datastore that the arguments choose; raises Refused for any other datastore."""
    config = datastore_config(arguments)
    if config.type != EMBEDDED:
        raise Refused("this command is about the file of the embedded datastore; etcd has etcdctl snapshot and defrag")
    return _path(config)


def refuse_url(file: str, advice: str) -> None:
    """Raise Refused where the name of a file is that of a server."""
    if "://" in file:
        raise Refused(f"a backup is a file, and {file} is none; {advice}")


def _path(config: DatastoreConfig) -> Path:
    from percale.datastore.location import locate

    return locate(config.path or None).path
