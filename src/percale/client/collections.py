# SPDX-License-Identifier: Apache-2.0
"""The resources of one kind, typed: ``client.network_sets.get("offices", "default")``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, TypeVar, cast, overload

from percale.datastore.seams import ResourceWatch
from percale.resources import Resource

if TYPE_CHECKING:
    from percale.client.client import Client
    from percale.client.informer import Informer

__all__ = ["Collection", "CollectionOf"]

R = TypeVar("R", bound=Resource)


class Collection(Generic[R]):
    """The operations of a client on one kind; errors are those of the client's methods of the same name."""

    def __init__(self, client: Client, kind: str) -> None:
        self._client = client
        self.kind = kind

    def create(self, resource: R, *, ttl_s: int = 0) -> R:
        """Store a new resource."""
        return self._client.create(resource, ttl_s=ttl_s)

    def update(self, resource: R, *, ttl_s: int = 0) -> R:
        """Replace the version that was read."""
        return self._client.update(resource, ttl_s=ttl_s)

    def apply(self, resource: R) -> R:
        """Create the resource, or replace what is there."""
        return self._client.apply(resource)

    def get(self, name: str, namespace: str = "", *, revision: str = "") -> R:
        """Return one resource."""
        return cast("R", self._client.get(self.kind, name, namespace, revision=revision))

    def list(self, namespace: str = "", *, revision: str = "") -> Sequence[R]:
        """Return all resources, or those of one namespace."""
        return cast("Sequence[R]", self._client.list(self.kind, namespace, revision=revision).items)

    def delete(self, name: str, namespace: str = "", *, resource_version: str = "") -> R:
        """Delete one resource and return what it was."""
        return cast("R", self._client.delete(self.kind, name, namespace, resource_version=resource_version))

    def watch(self, namespace: str = "", *, revision: str = "") -> ResourceWatch:
        """Watch the kind, beginning with what is there unless a revision is given."""
        return self._client.watch(self.kind, namespace, revision=revision)

    def informer(self, namespace: str = "", *, name: str = "", prefix: bool = False) -> Informer[R]:
        """Keep the kind in a local cache that follows the datastore until it is closed."""
        informer = self._client.informer(self.kind, namespace, name=name, prefix=prefix)
        return cast("Informer[R]", informer)


class CollectionOf(Generic[R]):
    """A member of the client that is the collection of one kind."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.__doc__ = f"All resources of the kind {kind}."

    @overload
    def __get__(self, client: None, owner: type) -> CollectionOf[R]: ...
    @overload
    def __get__(self, client: Client, owner: type) -> Collection[R]: ...
    def __get__(self, client: Client | None, owner: type) -> CollectionOf[R] | Collection[R]:
        return self if client is None else Collection(client, self._kind)
