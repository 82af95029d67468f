# SPDX-License-Identifier: Apache-2.0
"""What a write of documents would do, as a value: nothing is written to find out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Literal

from percale.client.bulk import Verb
from percale.client.preparation import as_people_write, prepared, taking_over
from percale.client.view import View
from percale.datastore.seams import Datastore
from percale.errors import AlreadyExists, NotFound, PercaleError
from percale.resources import Key, Resource

__all__ = ["Change", "Plan", "plan_documents"]

_PLANNED = "planned"


@dataclass(frozen=True, slots=True)
class Change:
    """What would become of one document; ``before`` and ``after`` are what is stored now and then."""

    action: Literal["create", "change", "keep", "refuse"]
    key: Key
    before: Resource | None = None
    after: Resource | None = None
    error: PercaleError | None = None

    def diff(self) -> Iterator[str]:
        """Yield the lines of a unified diff of the YAML texts; none if nothing changes."""
        yield from unified_diff(
            _lines(self.before), _lines(self.after), f"{self.key} (stored)", f"{self.key} (planned)", lineterm=""
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes of all documents in their order."""

    changes: tuple[Change, ...]

    @property
    def refused(self) -> tuple[Change, ...]:
        """The changes that would fail."""
        return tuple(change for change in self.changes if change.action == "refuse")

    def __str__(self) -> str:
        return "\n".join(line for change in self.changes for line in _story(change))


def plan_documents(datastore: Datastore, verb: Verb, documents: Sequence[Resource]) -> Plan:
    """Return what writing the documents would do; each is judged as if those before it had been written."""
    view = View(datastore)
    changes = []
    for document in documents:
        change = _change(view, verb, document)
        if change.after is not None:
            view.assume(change.key, _as_if_stored(change.after))
        changes.append(change)
    return Plan(tuple(changes))


def _change(view: View, verb: Verb, document: Resource) -> Change:
    before: Resource | None = None
    try:
        if verb != "replace":
            given = as_people_write(document, keep_version=verb == "create")
            after = prepared("create", given, None, view)
            before = view.current(after.key)
            if before is None:
                return Change("create", after.key, None, after)
            if verb == "create":
                raise AlreadyExists(after.kind, after.name, after.key.namespace, current=before)
        before = before or view.current(document.key)
        if before is None:
            raise NotFound(document.kind, document.name, document.key.namespace)
        after = prepared("update", taking_over(document, before), before, view)
    except PercaleError as error:
        return Change("refuse", document.key, before, None, error)
    return Change("keep" if after == before else "change", after.key, before, after)


def _as_if_stored(resource: Resource) -> Resource:
    """Return a planned resource with the bookkeeping that it would have got, so that it can be changed again."""
    if resource.metadata.uid:
        return resource
    return resource.with_metadata(uid=_PLANNED, creation_timestamp=_PLANNED, resource_version=_PLANNED)


def _story(change: Change) -> Iterator[str]:
    yield f"{change.action} {change.key}" + (f": {change.error}" if change.error else "")
    if change.action == "change":
        yield from change.diff()


def _lines(resource: Resource | None) -> list[str]:
    if resource is None:
        return []
    from percale.resources import encode_yaml

    return encode_yaml(resource).splitlines()
