# SPDX-License-Identifier: Apache-2.0
"""A cluster of etcd servers as a KeyValue, over its version 3 API."""

import os

# gRPC prints each failed handshake to standard error, while our error says it once; it reads this when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from percale.datastore.etcd.settings import EtcdSettings
from percale.datastore.etcd.store import EtcdKeyValue

__all__ = ["EtcdKeyValue", "EtcdSettings"]
