# SPDX-License-Identifier: Apache-2.0
"""A datastore that stops answering when a test says so."""

from __future__ import annotations

import time

from percale.datastore.seams import ResourceWatch
from percale.errors import StoreUnavailable


class Faulty:
    """Another datastore, of which every read fails while ``fault`` says something, watches that are open too.

    ``scans`` counts the resources of each page that was read.
    """

    def __init__(self, datastore):
        self._datastore = datastore
        self.fault = ""
        self.scans = []

    def __getattr__(self, name):
        return getattr(self._datastore, name)

    def scan(self, *args, **kwargs):
        self.check()
        for page in self._datastore.scan(*args, **kwargs):
            self.check()
            self.scans.append(len(page.entries))
            yield page

    def watch(self, *args, **kwargs):
        self.check()
        return FaultyWatch(self._datastore.watch(*args, **kwargs), self)

    def check(self):
        if self.fault:
            raise StoreUnavailable(self.fault)


class FaultyWatch(ResourceWatch):
    def __init__(self, watch, datastore):
        self._watch = watch
        self._datastore = datastore

    @property
    def revision(self):
        return self._watch.revision

    @property
    def closed(self):
        return self._watch.closed

    def poll(self, timeout_s=None):
        until = time.monotonic() + timeout_s
        while True:
            self._datastore.check()
            left = until - time.monotonic()
            events = self._watch.poll(max(0.0, min(0.02, left)))
            if events is not None or left <= 0 or self.closed:
                return events

    def close(self):
        self._watch.close()
