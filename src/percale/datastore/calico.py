# SPDX-License-Identifier: Apache-2.0
"""Whole resources in Calico's layout over any store of keys and values (spec/storage-etcd.md sections 2 and 3)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from percale.datastore.calico_watch import CalicoWatch, decoded_entry
from percale.datastore.keys import RESOURCES, BlockKey, KeyRange, block_range, parse, resource_path, resource_range
from percale.datastore.keyvalue import KeyValue, TxnResult
from percale.datastore.operations import ETCD_OPERATIONS
from percale.datastore.revision import NumberRevision, Revision
from percale.datastore.seams import (
    Capabilities,
    Datastore,
    Entry,
    OperationName,
    Page,
    Write,
    WriteOutcome,
)
from percale.datastore.values import from_value
from percale.datastore.writes import batches, outcome, revision_number, to_txn
from percale.errors import AlreadyExists, NotFound, NotSupported, PercaleError, Problem, ValidationError
from percale.resources import DEFAULT_ALLOW_PROFILE, KINDS, Key, Profile, ProfileSpec, Resource, Rule

__all__ = ["CalicoDatastore", "default_allow_profile"]

_DEFAULT_ALLOW = Key("Profile", "", DEFAULT_ALLOW_PROFILE)
_WRITES_PER_REQUEST = 500


def default_allow_profile() -> Profile:
    """Return the virtual profile that every datastore shows and none stores."""
    allow = (Rule(action="Allow"),)
    profile = Profile(spec=ProfileSpec(ingress=allow, egress=allow))
    return profile.with_metadata(name=DEFAULT_ALLOW_PROFILE, resource_version="1")


class CalicoDatastore(Datastore):
    """Resources over etcd or the embedded store, byte for byte as Calico keeps them.

    ``keyvalue`` is closed together with it. ``clock`` (seconds since 1970) and ``new_uid`` serve new resources.
    """

    def __init__(
        self,
        keyvalue: KeyValue,
        *,
        clock: Callable[[], float] = time.time,
        new_uid: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self.keyvalue = keyvalue
        self._clock = clock
        self._new_uid = new_uid

    @property
    def capabilities(self) -> Capabilities:
        """Everything; whether times and writers of revisions are known depends on the store."""
        return Capabilities(
            history=True,
            multi_object_transactions=True,
            ordered_across_kinds=True,
            ttl=True,
            revision_times=self.keyvalue.keeps_times,
            revision_writers=self.keyvalue.keeps_writers,
        )

    def supports(self, operation: OperationName, kind: str) -> bool:
        """Whether the operation exists; IPAM's internal records are no resources here."""
        return operation in ETCD_OPERATIONS.get(kind, ())

    def get(self, key: Key, *, revision: str = "") -> Resource:
        """Return one resource, newest or at a revision."""
        self._check("get", key)
        number = revision_number(revision)
        if key == _DEFAULT_ALLOW:
            return default_allow_profile()
        item = self.keyvalue.get(resource_path(key), revision=number)
        resource = from_value(key, item.value, item.mod_revision) if item is not None else None
        if resource is None or (key.kind == "BlockAffinity" and resource.spec.deleted):
            raise NotFound(key.kind, key.name, key.namespace)
        return resource

    def scan(
        self,
        kinds: Sequence[str],
        *,
        namespace: str = "",
        name: str = "",
        prefix: bool = False,
        revision: str = "",
        page: int = 10_000,
    ) -> Iterator[Page]:
        """Yield the resources of the kinds in pages, all of one moment."""
        at = revision_number(revision)
        reached = 0
        for kind in kinds:
            self._check_kind("list", kind)
            where = resource_range(kind, namespace=namespace, name=name, prefix=prefix)
            for items in self.keyvalue.pages(where.start, where.end, revision=at, limit=page):
                reached = reached or items.revision
                at = at or reached
                entries = [entry for item in items.items if (entry := decoded_entry(item)) is not None]
                if name:
                    entries = [entry for entry in entries if _has_name(entry.key, name, prefix=prefix)]
                yield Page(NumberRevision(reached), entries)
            if kind == "Profile" and (not name or (name == DEFAULT_ALLOW_PROFILE and not prefix)):
                yield Page(NumberRevision(reached), [Entry(_DEFAULT_ALLOW, default_allow_profile())])

    def create(self, resource: Resource, *, ttl_s: int = 0) -> Resource:
        """Store a new resource; it gets a UID and a time of creation unless it brings them."""
        return self._write(Write("create", resource.key, resource), ttl_s)

    def update(self, resource: Resource, *, ttl_s: int = 0) -> Resource:
        """Replace a resource if its version is still the stored one."""
        return self._write(Write("update", resource.key, resource), ttl_s)

    def apply(self, resource: Resource, *, ttl_s: int = 0) -> Resource:
        """Store a resource without a condition."""
        unconditional = resource.with_metadata(resource_version="")
        self._check("update", resource.key)
        txn = to_txn(Write("update", resource.key, unconditional), lease=self._lease(ttl_s))
        revision = self.keyvalue.txn(txn.compares, txn.then).revision
        return resource.with_metadata(resource_version=str(revision))

    def delete(self, key: Key, *, resource_version: str = "", uid: str = "") -> Resource:
        """Delete a resource; a ``uid`` is no condition here, as in Calico."""
        return self._write(Write("delete", key, resource_version=resource_version), 0)

    def write_many(self, writes: Sequence[Write]) -> Sequence[WriteOutcome]:
        """Do independent writes, hundreds per transaction, each with its own outcome."""
        outcomes: dict[int, WriteOutcome] = {}
        possible = []
        for position, write in enumerate(writes):
            try:
                possible.append((position, self._checked(write)))
            except PercaleError as error:
                outcomes[position] = WriteOutcome(write.key, error=error)
        checked = [write for _, write in possible]
        transactions = [to_txn(write) for write in checked]
        # The transactions around each write count against etcd's limit too.
        most = min(_WRITES_PER_REQUEST, self.keyvalue.max_operations - 8)
        for batch in batches(checked, transactions, most):
            result = self.keyvalue.txn((), [transactions[index] for index in batch])
            for index, nested in zip(batch, result.responses, strict=True):
                assert isinstance(nested, TxnResult)
                outcomes[possible[index][0]] = outcome(checked[index], nested)
        return [outcomes[position] for position in range(len(writes))]

    def watch(
        self,
        kinds: Sequence[str],
        *,
        namespace: str = "",
        name: str = "",
        prefix: bool = False,
        after: Revision | None = None,
        previous: bool = False,
    ) -> CalicoWatch:
        """Watch the kinds in one order; several kinds share one watch of the store."""
        for kind in kinds:
            self._check_kind("watch", kind)
        where = KeyRange.prefix(RESOURCES)
        if len(kinds) == 1:
            where = resource_range(kinds[0], namespace=namespace, name=name, prefix=prefix)
        since = self.keyvalue.revision if after is None else _number(after)
        watch = self.keyvalue.watch(where.start, where.end, start_revision=since + 1, previous=previous)

        def wanted(key: Key) -> bool:
            return (
                key.kind in kinds
                and (not namespace or key.namespace in (namespace, ""))
                and _has_name(key, name, prefix=prefix)
            )

        return CalicoWatch(watch, wanted, NumberRevision(since), previous=previous)

    def revision_at(self, time_s: float) -> NumberRevision:
        """Return the newest revision at a time."""
        return NumberRevision(self.keyvalue.revision_at(time_s))

    def revision_time(self, revision: Revision) -> float:
        """Return when a revision was written."""
        return self.keyvalue.revision_time(_number(revision))

    def revision_writer(self, revision: Revision) -> str:
        """Return who wrote a revision."""
        return self.keyvalue.revision_writer(_number(revision))

    def ipam_blocks(self) -> Sequence[str]:
        """Return the CIDRs of all IPAM blocks."""
        where = block_range()
        parsed = (parse(item.key) for item in self.keyvalue.range(where.start, where.end, keys_only=True).items)
        return [key.cidr for key in parsed if isinstance(key, BlockKey)]

    def initialise(self, *, version: str = "", cluster_type: str = "") -> None:
        """Make an empty datastore ready."""
        from percale.datastore.initialisation import initialise

        initialise(self, version=version, cluster_type=cluster_type)

    def parse_revision(self, text: str) -> NumberRevision:
        """Return the revision that was printed so."""
        return NumberRevision(revision_number(text))

    def close(self) -> None:
        """Close the store."""
        self.keyvalue.close()

    def _write(self, write: Write, ttl_s: int) -> Resource:
        write = self._checked(write)
        txn = to_txn(write, lease=self._lease(ttl_s))
        done = outcome(write, self.keyvalue.txn(txn.compares, txn.then, txn.orelse))
        if done.error is not None:
            raise done.error
        assert done.resource is not None
        return done.resource

    def _checked(self, write: Write) -> Write:
        """Return the write, ready to be stored, or raise what forbids it."""
        self._check(write.operation, write.key)
        if write.key == _DEFAULT_ALLOW:
            identity = write.key.kind, write.key.name
            if write.operation == "create":
                raise AlreadyExists(*identity, current=default_allow_profile())
            raise NotSupported(write.operation.capitalize(), *identity)
        if write.operation == "delete":
            revision_number(write.resource_version)
            return write
        assert write.resource is not None
        if write.operation == "create":
            return Write("create", write.key, self._new(write.resource))
        version = write.resource.metadata.resource_version
        if not version:
            raise _refused("metadata.resourceVersion", "is required to update a resource")
        revision_number(version)
        return write

    def _new(self, resource: Resource) -> Resource:
        metadata = resource.metadata
        created = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return resource.with_metadata(
            uid=metadata.uid or self._new_uid(), creation_timestamp=metadata.creation_timestamp or created
        )

    def _check(self, operation: OperationName, key: Key) -> None:
        self._check_kind(operation, key.kind)
        if KINDS[key.kind].namespaced and not key.namespace:
            raise _refused("metadata.namespace", f"is required for a {key.kind}")
        if not key.name:
            raise _refused("metadata.name", "is required")

    def _check_kind(self, operation: OperationName, kind: str) -> None:
        if not self.supports(operation, kind):
            raise NotSupported(operation.capitalize(), kind)

    def _lease(self, ttl_s: int) -> int:
        return self.keyvalue.lease_grant(ttl_s) if ttl_s else 0


def _number(revision: Revision) -> int:
    if not isinstance(revision, NumberRevision):
        raise TypeError(f"{revision!r} is not a revision of this datastore")
    return revision.number


def _has_name(key: Key, name: str, *, prefix: bool) -> bool:
    return not name or (key.name.startswith(name) if prefix else key.name == name)


def _refused(path: str, message: str) -> ValidationError:
    calico_name = {
        "metadata.namespace": "Metadata.Namespace",
        "metadata.name": "Metadata.Name",
        "metadata.resourceVersion": "Metadata.ResourceVersion",
    }[path]
    return ValidationError([Problem(path=path, message=message, rule="required", calico_name=calico_name)])
