# SPDX-License-Identifier: Apache-2.0
import pytest
from tests.plugins.cni.host import Host

from percale.plugins.cni import workload


@pytest.fixture
def make_host(netns, tmp_path, monkeypatch):
    """Make hosts in the test's own network namespace; without a file that names a real machine's node."""
    monkeypatch.setattr(workload, "NODENAME_FILE", str(tmp_path / "nodename"))
    made = []

    def make(**more):
        host = Host(tmp_path, **more)
        made.append(host)
        host.pool("v4", "10.50.0.0/24", 26)
        host.pool("v6", "fd50::/116", 122)
        return host

    yield make
    for host in made:
        host.close()


@pytest.fixture
def host(make_host):
    """A host with a pool of each family."""
    return make_host()
