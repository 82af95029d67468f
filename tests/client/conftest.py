# SPDX-License-Identifier: Apache-2.0
"""A client on an empty, initialised store in memory."""

from __future__ import annotations

import pytest

from percale.client import open_client
from percale.datastore.sqlite import SQLiteKeyValue


@pytest.fixture
def client():
    with open_client(SQLiteKeyValue(None)) as opened:
        opened.initialise()
        yield opened
