# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.ipam.cluster import Cluster


@pytest.fixture
def cluster():
    made = Cluster()
    yield made
    made.store.close()
