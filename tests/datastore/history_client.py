# SPDX-License-Identifier: Apache-2.0
"""One random client or watcher of a store, as a process of its own; it notes what it does before and after."""

from __future__ import annotations

import json
import os
import random
import sys
import time

from msgspec.structs import replace

from percale.datastore.keyvalue import EVERYTHING, Compare, Delete, Get, KeyValue, Put
from percale.datastore.sqlite import SQLiteKeyValue
from percale.errors import Compacted, StoreUnavailable

KEYS = tuple(f"/{letter}" for letter in "abcde")


def open_store(place: str) -> KeyValue:
    """Return the store that a path names, or the place of an etcd (see ``settings_of``)."""
    if "://" not in place:
        return SQLiteKeyValue(place)
    from tests.datastore.etcd_server import settings_of

    from percale.datastore.etcd import EtcdKeyValue

    return EtcdKeyValue(replace(settings_of(place), timeout_s=2.0))


def note(**facts: object) -> None:
    """Write one line at once, so that it is there whenever the process is killed."""
    os.write(1, json.dumps(facts | {"at": time.monotonic_ns()}).encode() + b"\n")


def work(store: KeyValue, name: str) -> None:
    """Read, put, delete and compare-and-swap random keys for ever; every value is written once in the whole run."""
    chance, number = random.Random(name), 0
    known: dict[str, int] = dict.fromkeys(KEYS, 0)
    while True:
        number += 1
        key, value = chance.choice(KEYS), f"{name}-{number}"
        kind = chance.choice(("get", "put", "delete", "swap", "swap", "swap"))
        expected = known[key]
        write = {"get": (), "delete": (Delete(key),)}.get(kind, (Put(key, value.encode()),))
        compares = [Compare(key, "mod_revision", "=", expected)] if kind == "swap" else []
        note(begin=number, kind=kind, key=key, value=value, expected=expected)
        try:
            result = store.txn(compares, [*write, Get(key)], [Get(key)])
        except StoreUnavailable:
            note(unknown=number)
            continue
        items = result.responses[-1].items
        known[key] = items[0].mod_revision if items else 0
        found = items[0].value.decode() if items else ""
        note(end=number, done=result.succeeded, revision=result.revision, found=found, mod=known[key])


def look(store: KeyValue, since: int) -> None:
    """Watch everything for ever; note each event, how far they are complete, and what is there after a compaction."""
    while True:
        note(since=since)
        try:
            with store.watch("/", EVERYTHING, start_revision=since) as watch:
                for batch in watch:
                    for event in batch.events:
                        item = event.item
                        note(
                            event=item.key, revision=item.mod_revision, value=item.value.decode(), version=item.version
                        )
                    since = batch.revision + 1
                    note(complete=batch.revision)
        except StoreUnavailable:
            continue
        except Compacted:
            since = list_all(store) + 1


def list_all(store: KeyValue) -> int:
    """Note what is there now, and return its revision."""
    while True:
        try:
            listed = store.range("/", EVERYTHING)
        except StoreUnavailable:
            continue
        note(listed={item.key: item.value.decode() for item in listed.items}, revision=listed.revision)
        return listed.revision


if __name__ == "__main__":
    with open_store(sys.argv[1]) as opened:
        look(opened, int(sys.argv[3])) if sys.argv[2] == "watcher" else work(opened, sys.argv[2])
