# SPDX-License-Identifier: Apache-2.0
"""A cluster of etcd servers as a KeyValue, over its version 3 API."""

from percale.datastore.etcd.settings import EtcdSettings
from percale.datastore.etcd.store import EtcdKeyValue

__all__ = ["EtcdKeyValue", "EtcdSettings"]
