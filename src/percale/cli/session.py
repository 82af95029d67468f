# SPDX-License-Identifier: Apache-2.0
"""A command's way to its datastore: opened when first needed, closed at the end (spec/cli.md sections 2, 3 and 6)."""

from __future__ import annotations

import os
import sys
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from percale.cli import announced
from percale.cli.columns import DEFAULT_AS_NUMBER
from percale.cli.command import Arguments
from percale.cli.config import datastore_config
from percale.cli.lean import import_grpc
from percale.client.connecting import OPENERS
from percale.client.datastore_config import ETCD
from percale.errors import NotFound, PercaleError
from percale.resources import ClusterInformation

if TYPE_CHECKING:
    from percale.client import Client, DatastoreConfig

__all__ = ["OPENERS", "Session", "opened"]


def opened(config: DatastoreConfig) -> Client:
    """Open a datastore as a client; raises PercaleError where that fails."""
    if config.type == ETCD:
        import_grpc()
    return OPENERS[config.type](config)


class Session:
    """The client of one command; one that is only ``reading`` makes no file where none is."""

    def __init__(self, arguments: Arguments, *, reading: bool = False) -> None:
        self._arguments = arguments
        self._opened: Client | None = None
        self._noticed = False
        # Said at once, before anything is read, as calicoctl does.
        self._config = replace(datastore_config(arguments, os.environ), reading=reading)

    @property
    def client(self) -> Client:
        """The client, opened at the first use; raises PercaleError where that fails.

        What is to be noticed of the datastore is told when the command itself asks for it, behind its own faults.
        """
        client = self._open()
        if client.notice and not self._noticed:
            self._noticed = True
            print(client.notice, file=sys.stderr)
        return client

    def _open(self) -> Client:
        if self._opened is None:
            self._opened = opened(self._config)
        return self._opened

    def cluster_information(self) -> ClusterInformation:
        """Return what the cluster says of itself; raises NotFound for one that was never initialised."""
        return self.client.get(ClusterInformation, "default")

    def check_version(self) -> None:
        """Warn where the cluster is of another version than the one this program speaks for.

        Calico's tools refuse to work then (docs/differences.md).
        """
        if self._arguments.switch("allow-version-mismatch"):
            return
        try:
            version = self._open().get(ClusterInformation, "default").spec.calico_version
        except NotFound:
            return
        if version and not announced.same_version(version, announced.VERSION):
            print(
                f"warning: the cluster's version is {version}, percale speaks for {announced.VERSION}"
                " (--allow-version-mismatch silences this)",
                file=sys.stderr,
            )

    def initialise(self) -> None:
        """Make an empty datastore ready; what fails here fails again, and is told, at the first write."""
        try:
            self.client.initialise()
        except PercaleError as error:
            print(f"warning: the datastore could not be initialised: {error}", file=sys.stderr)

    @cached_property
    def as_number(self) -> int:
        """The cluster's AS number."""
        from percale.resources import BGPConfiguration

        try:
            number = self.client.get(BGPConfiguration, "default").spec.as_number
        except NotFound:
            return DEFAULT_AS_NUMBER
        return DEFAULT_AS_NUMBER if number is None else int(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            self._opened.close()
