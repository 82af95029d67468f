# SPDX-License-Identifier: Apache-2.0
"""Many documents at once: in their order, each with its own outcome, in few transactions (spec/cli.md section 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from percale.client.prechecks import DEPENDS
from percale.client.preparation import as_people_write, prepared, taking_over
from percale.client.view import View
from percale.datastore.seams import Datastore, Write, WriteOutcome
from percale.errors import AlreadyExists, Conflict, NotSupported, PercaleError
from percale.resources import Key, Resource

__all__ = ["Outcome", "Verb", "write_documents"]

Verb = Literal["create", "apply", "replace"]

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one document: the stored resource, or the error; ``created`` tells new ones from changed ones."""

    key: Key
    resource: Resource | None = None
    error: PercaleError | None = None
    created: bool = False


def write_documents(datastore: Datastore, verb: Verb, documents: Sequence[Resource]) -> list[Outcome]:
    """Create, apply or replace documents; a failure stays with its document.

    A document sees what those before it did: a wave ends before one that needs its results.
    """
    view = View(datastore)
    act = {"create": _create, "apply": _apply, "replace": _replace}[verb]
    outcomes: list[Outcome] = []
    for wave in _waves(documents):
        outcomes += act(datastore, view, wave)
        view.forget({document.kind for document in wave})
    return outcomes


def _waves(documents: Iterable[Resource]) -> Iterator[list[Resource]]:
    """Cut the documents so that none depends on another of its wave, and none is the same resource."""
    wave: list[Resource] = []
    keys: set[Key] = set()
    kinds: set[str] = set()
    for document in documents:
        if document.key in keys or kinds & DEPENDS.get(document.kind, frozenset()):
            yield wave
            wave, keys, kinds = [], set(), set()
        wave.append(document)
        keys.add(document.key)
        kinds.add(document.kind)
    if wave:
        yield wave


def _create(datastore: Datastore, view: View, wave: Sequence[Resource]) -> list[Outcome]:
    return _written(
        datastore,
        "create",
        wave,
        lambda document: prepared("create", as_people_write(document, keep_version=True), None, view),
    )


def _apply(datastore: Datastore, view: View, wave: Sequence[Resource]) -> list[Outcome]:
    outcomes = _written(
        datastore, "create", wave, lambda document: prepared("create", as_people_write(document), None, view)
    )
    there = [index for index, outcome in enumerate(outcomes) if isinstance(outcome.error, AlreadyExists | NotSupported)]
    if there:
        stored = [getattr(outcomes[index].error, "current", None) for index in there]
        replaced = _update(datastore, view, [wave[index] for index in there], stored)
        for index, outcome in zip(there, replaced, strict=True):
            outcomes[index] = outcome
    return outcomes


def _replace(datastore: Datastore, view: View, wave: Sequence[Resource]) -> list[Outcome]:
    return _update(datastore, view, wave, [None] * len(wave))


def _update(
    datastore: Datastore, view: View, wave: Sequence[Resource], stored: Sequence[Resource | None]
) -> list[Outcome]:
    """Replace what is stored; who gave no version tries again when somebody else was quicker."""
    known = {document.key: current for document, current in zip(wave, stored, strict=True)}

    def change(document: Resource) -> Resource:
        current = known.get(document.key) or datastore.get(document.key)
        return prepared("update", taking_over(document, current), current, view)

    outcomes = _written(datastore, "update", wave, change)
    for _ in range(_ATTEMPTS - 1):
        again = [
            index
            for index, outcome in enumerate(outcomes)
            if isinstance(outcome.error, Conflict) and not wave[index].metadata.resource_version
        ]
        if not again:
            break
        for index in again:
            known[wave[index].key] = getattr(outcomes[index].error, "current", None)
        retried = _written(datastore, "update", [wave[index] for index in again], change)
        for index, outcome in zip(again, retried, strict=True):
            outcomes[index] = outcome
    return outcomes


def _written(
    datastore: Datastore,
    operation: Literal["create", "update"],
    wave: Sequence[Resource],
    prepare: Callable[[Resource], Resource],
) -> list[Outcome]:
    """Prepare all, write those that could be prepared, and put the outcomes in order."""
    outcomes: dict[int, Outcome] = {}
    writes: list[tuple[int, Write]] = []
    for index, document in enumerate(wave):
        try:
            resource = prepare(document)
        except PercaleError as error:
            outcomes[index] = Outcome(document.key, error=error)
        else:
            writes.append((index, Write(operation, resource.key, resource)))
    done = datastore.write_many([write for _, write in writes])
    for (index, _), result in zip(writes, done, strict=True):
        outcomes[index] = _outcome(result, created=operation == "create")
    return [outcomes[index] for index in range(len(wave))]


def _outcome(result: WriteOutcome, *, created: bool) -> Outcome:
    return Outcome(result.key, result.resource, result.error, created and result.error is None)
