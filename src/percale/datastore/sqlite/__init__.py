# SPDX-License-Identifier: Apache-2.0
"""The embedded store: etcd's model in one SQLite file, for many processes of one machine."""

from percale.datastore.sqlite.compaction import Retention
from percale.datastore.sqlite.store import SQLiteKeyValue

__all__ = ["Retention", "SQLiteKeyValue"]
