# SPDX-License-Identifier: Apache-2.0
"""The contracts of the datastore: keys and values, whole resources, and the stream that feeds an agent.

Every implementation of a contract passes the same suite (tests/datastore). All calls block; a watch is an iterator that
``close()`` ends from any thread. Errors are those of :mod:`percale.errors`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from percale.datastore.keyvalue import (
    EVERYTHING,
    Closable,
    Compare,
    Delete,
    Deleted,
    Get,
    Item,
    KeyEvent,
    KeyValue,
    Operation,
    Put,
    Range,
    Response,
    StoreStatistics,
    Txn,
    TxnResult,
    Watch,
    WatchBatch,
    prefix_end,
)
from percale.datastore.revision import NumberRevision, Revision, VectorRevision
from percale.errors import NotSupported, PercaleError, Problem

if TYPE_CHECKING:
    from percale.resources import Key, Resource

__all__ = [
    "EVERYTHING",
    "Capabilities",
    "Closable",
    "Compare",
    "Datastore",
    "Delete",
    "Deleted",
    "Entry",
    "Get",
    "InSync",
    "Interrupted",
    "Item",
    "KeyEvent",
    "KeyValue",
    "NumberRevision",
    "Operation",
    "OperationName",
    "Page",
    "Put",
    "Range",
    "ResourceEvent",
    "ResourceList",
    "ResourceWatch",
    "Response",
    "Resync",
    "Revision",
    "StoreStatistics",
    "Syncer",
    "SyncerEvent",
    "SyncerUpdate",
    "Txn",
    "TxnResult",
    "VectorRevision",
    "Watch",
    "WatchBatch",
    "Write",
    "WriteOutcome",
    "prefix_end",
]

OperationName = Literal["create", "update", "delete", "get", "list", "watch"]


class Capabilities(msgspec.Struct, frozen=True):
    """What a datastore can do beyond the contract; callers ask before they rely on it."""

    history: bool = False
    """Reads at an older revision."""
    multi_object_transactions: bool = False
    ordered_across_kinds: bool = False
    """One revision for all kinds: a scan or a watch of several kinds is consistent and totally ordered."""
    ttl: bool = False
    revision_times: bool = False
    """The time of a revision is known."""
    revision_writers: bool = False
    """Who wrote a revision is known."""


class Entry(NamedTuple):
    """One stored object as read: the resource, or the problem that makes it unreadable."""

    key: Key
    resource: Resource | None
    problem: Problem | None = None


class Page(NamedTuple):
    """A part of a scan, in order of keys; ``revision`` is that of the whole scan."""

    revision: Revision
    entries: Sequence[Entry]


class ResourceList(msgspec.Struct, frozen=True):
    """The readable resources of one kind in order of keys, and what could not be read; ``revision`` is the newest."""

    kind: str
    revision: Revision
    items: Sequence[Resource]
    problems: Sequence[Problem] = ()


class ResourceEvent(NamedTuple):
    """One change of a resource.

    DELETED carries no ``resource``. ``previous`` is there only if the watch asked for it and history still has it.
    ERROR means that the value can't be read (``problem`` says why); the watch goes on.
    """

    type: Literal["ADDED", "MODIFIED", "DELETED", "ERROR"]
    key: Key
    revision: Revision
    resource: Resource | None = None
    previous: Resource | None = None
    problem: Problem | None = None


class ResourceWatch(Closable):
    """Changes of resources after a revision, once and in order; raises Compacted when the caller must list again."""

    @abstractmethod
    def poll(self, timeout_s: float | None = None) -> Sequence[ResourceEvent] | None:
        """Return the next events (none: progress only), or None when the time is over or the watch is closed."""

    @property
    @abstractmethod
    def revision(self) -> Revision:
        """Every event up to here has been returned."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether ``close()`` was called."""

    def __iter__(self) -> Iterator[ResourceEvent]:
        while not self.closed:
            yield from self.poll() or ()


class Write(msgspec.Struct, frozen=True):
    """One write of a batch: ``create`` and ``update`` need the resource, a conditional ``delete`` the version."""

    operation: Literal["create", "update", "delete"]
    key: Key
    resource: Resource | None = None
    resource_version: str = ""


class WriteOutcome(msgspec.Struct, frozen=True):
    """What became of one write: the stored (or deleted) resource, or the error."""

    key: Key
    resource: Resource | None = None
    error: PercaleError | None = None


class Datastore(Closable):
    """Whole resources on any backend.

    Nothing is defaulted or validated here; that is the client's part. ``ValidationError`` is raised only for what the
    backend itself needs: a namespace, a readable resource version (spec/validation.md section 5.1).
    """

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this datastore can do beyond the contract."""

    @abstractmethod
    def supports(self, operation: OperationName, kind: str) -> bool:
        """Whether the operation exists for the kind on this datastore."""

    @abstractmethod
    def get(self, key: Key, *, revision: str = "") -> Resource:
        """Return one resource, newest or as it was at ``revision``; raises NotFound, Unreadable, Compacted."""

    @abstractmethod
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
        """Yield the resources of the kinds in pages, at least one; ``prefix`` makes ``name`` a prefix of the name."""

    @abstractmethod
    def create(self, resource: Resource, *, ttl_s: int = 0) -> Resource:
        """Store a new resource and return it with its version; raises AlreadyExists with the ``current`` one."""

    @abstractmethod
    def update(self, resource: Resource, *, ttl_s: int = 0) -> Resource:
        """Replace the resource of the same version; raises NotFound, or Conflict with the ``current`` one."""

    @abstractmethod
    def apply(self, resource: Resource, *, ttl_s: int = 0) -> Resource:
        """Store without any condition; for an owner that is alone in writing this key."""

    @abstractmethod
    def delete(self, key: Key, *, resource_version: str = "", uid: str = "") -> Resource:
        """Delete and return the resource as it was last; raises NotFound, or Conflict with the ``current`` one."""

    @abstractmethod
    def watch(
        self,
        kinds: Sequence[str],
        *,
        namespace: str = "",
        name: str = "",
        prefix: bool = False,
        after: Revision | None = None,
        previous: bool = False,
    ) -> ResourceWatch:
        """Watch what changes after a revision (None: from now on); several kinds only where one order exists."""

    @abstractmethod
    def initialise(self, *, version: str = "", cluster_type: str = "") -> None:
        """Make an empty datastore ready: ClusterInformation and the built-in tiers; idempotent."""

    @abstractmethod
    def parse_revision(self, text: str) -> Revision:
        """Return the revision that ``str(revision)`` printed; raises ValidationError for anything else."""

    def list(
        self, kind: str, *, namespace: str = "", name: str = "", prefix: bool = False, revision: str = ""
    ) -> ResourceList:
        """Return all resources of one kind, or of one namespace, or by name; what can't be read is in ``problems``."""
        items: list[Resource] = []
        problems: list[Problem] = []
        for page in self.scan([kind], namespace=namespace, name=name, prefix=prefix, revision=revision):
            items += [entry.resource for entry in page.entries if entry.resource is not None]
            problems += [entry.problem for entry in page.entries if entry.problem is not None]
        return ResourceList(kind, page.revision, items, problems)

    def revision_at(self, time_s: float) -> Revision:
        """Return the newest revision at a time, in seconds since 1970; raises NotSupported, Compacted."""
        raise NotSupported("revision-at", "datastore", reason="it does not keep the times of revisions")

    def revision_time(self, revision: Revision) -> float:
        """Return when a revision was written; raises NotSupported, Compacted, FutureRevision."""
        raise NotSupported("revision-time", "datastore", reason="it does not keep the times of revisions")

    def revision_writer(self, revision: Revision) -> str:
        """Return who wrote a revision, empty where it is not known; raises as ``revision_time``."""
        raise NotSupported("revision-writer", "datastore", reason="it does not keep who wrote a revision")

    def ipam_blocks(self) -> Sequence[str]:
        """Return the CIDRs of all blocks that address management has given out; none where that is not known."""
        return ()

    def write_many(self, writes: Sequence[Write]) -> Sequence[WriteOutcome]:
        """Do independent writes, with few transactions where the backend can; each has its own outcome."""
        return [self._write_one(write) for write in writes]

    def _write_one(self, write: Write) -> WriteOutcome:
        try:
            if write.operation == "delete":
                return WriteOutcome(write.key, self.delete(write.key, resource_version=write.resource_version))
            assert write.resource is not None
            perform = self.create if write.operation == "create" else self.update
            return WriteOutcome(write.key, perform(write.resource))
        except PercaleError as error:
            return WriteOutcome(write.key, error=error)


# The agent's input


class SyncerUpdate(NamedTuple):
    """A resource is now so, or absent (None); with a ``problem`` it is stored but invalid, and counts as absent."""

    key: Key
    resource: Resource | None
    revision: Revision
    problem: Problem | None = None


class InSync(NamedTuple):
    """The snapshot of all kinds is complete, as of ``revision``; it comes again after a Resync or an Interrupted."""

    revision: Revision


class Resync(NamedTuple):
    """These kinds are being listed again; differences follow as ordinary updates, then InSync again."""

    kinds: tuple[str, ...]
    reason: str


class Interrupted(NamedTuple):
    """These kinds cannot be followed at the moment; what happens meanwhile is told later, after InSync again."""

    kinds: tuple[str, ...]
    reason: str


SyncerEvent = SyncerUpdate | InSync | Resync | Interrupted


class Syncer(Closable):
    """First every resource of the kinds asked for, InSync, then each change once, in order per kind.

    Two ways to drive it: threads feed a callable (``start``), or a single thread advances it by hand (``step``).
    """

    @abstractmethod
    def step(self, timeout_s: float = 0.0) -> Sequence[SyncerEvent]:
        """Advance by one step of each source and return what happened; waits at most that long for a change."""

    @abstractmethod
    def start(self, deliver: Callable[[Sequence[SyncerEvent]], None]) -> None:
        """Start one thread per source; each hands its events to ``deliver``, never two at the same time."""

    @property
    @abstractmethod
    def revision(self) -> Revision | None:
        """How far the events that were returned or delivered go; None before the first InSync."""
