# SPDX-License-Identifier: Apache-2.0
"""Writes and a watch that go on while a test disturbs the cluster; as a program, for a namespace of its own."""

from __future__ import annotations

import re
import sys
import threading
import time

from msgspec.structs import replace
from tests.datastore.etcd_server import settings_of

from percale.datastore.etcd import EtcdKeyValue
from percale.errors import StoreUnavailable

PATIENCE_S = 60


def wait_until(condition):
    """Return when a condition holds; fails the test if it does not in a long time."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


class Load:
    """A writer that writes each key once and a watcher that sees them, until ``judge``."""

    def __init__(self, settings, value=b""):
        self._value = value
        self.acknowledged, self.messages, self.seen = {}, [], []
        self._stores = [EtcdKeyValue(settings) for _ in range(2)]
        self._watch = self._stores[0].watch("/n/", "/n0")
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._write), threading.Thread(target=self._follow)]
        self._errors = []

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self._threads[0].join()
        self._watch.close()
        self._threads[1].join()
        for store in self._stores:
            store.close()

    def _write(self):
        number = 0
        while not self._stopped.wait(0.005):
            number += 1
            try:
                self.acknowledged[f"/n/{number:06}"] = self._stores[1].put(f"/n/{number:06}", self._value)
            except StoreUnavailable as error:
                self.messages.append(str(error))

    def _follow(self):
        while not self._watch.closed and not self._errors:
            try:
                for batch in self._watch:
                    self.seen += [(event.item.key, event.item.mod_revision) for event in batch.events]
            except StoreUnavailable as error:
                self.messages.append(str(error))
            except Exception as error:
                self._errors.append(error)

    def goes_on(self, writes=20):
        """Return when that many more writes have been acknowledged, and seen."""
        enough = len(self.acknowledged) + writes
        wait_until(lambda: len(self.acknowledged) >= enough)
        newest = max(self.acknowledged.values())
        wait_until(lambda: self._errors or (self.seen and self.seen[-1][1] >= newest))

    def judge(self):
        """Check that each acknowledged write is there, none was made twice, and each was seen once and in order."""
        self._stopped.set()
        self._threads[0].join()
        items = self._stores[1].range("/n/", "/n0").items
        wait_until(lambda: self._errors or len(self.seen) >= len(items))
        assert self._errors == []
        stored = {item.key: item.mod_revision for item in items}
        assert self.acknowledged.items() <= stored.items()
        assert {item.version for item in items} == {1}
        assert self.seen == sorted(stored.items(), key=lambda pair: pair[1])
        for text in self.messages:
            assert re.fullmatch(r"etcd at https://127\S+(, https://\S+)* does not answer: [^\n]+", text)


if __name__ == "__main__":
    with Load(replace(settings_of(sys.argv[1]), timeout_s=5.0), value=bytes(2000)) as load:
        load.goes_on(int(sys.argv[2]))
        load.judge()
        print(f"{len(load.acknowledged)} writes acknowledged, {len(load.messages)} of unknown outcome")
