# SPDX-License-Identifier: Apache-2.0
import pytest

from percale.plugins.cni.result import Interface, Result

RESULT = Result(
    ("192.0.2.1/32", "2001:db8::1/128"),
    ("192.0.2.0/26", "2001:db8::/122"),
    (Interface("cali1"), Interface("eth0", "02:00:00:00:00:01", 1400, "/run/n")),
)


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_today(version):
    """Addresses belong to the container's interface, which has its MTU."""
    assert RESULT.to_builtins(version) == {
        "cniVersion": version,
        "interfaces": [
            {"name": "cali1"},
            {"name": "eth0", "mac": "02:00:00:00:00:01", "mtu": 1400, "sandbox": "/run/n"},
        ],
        "ips": [{"address": "192.0.2.1/32", "interface": 1}, {"address": "2001:db8::1/128", "interface": 1}],
        "routes": [{"dst": "192.0.2.0/26"}, {"dst": "2001:db8::/122"}],
    }


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0"])
def test_before_1_0(version):
    """Each address names its family, there is a DNS part, there is no MTU."""
    members = RESULT.to_builtins(version)
    assert [item["version"] for item in members["ips"]] == ["4", "6"]
    assert members["dns"] == {}
    assert "mtu" not in members["interfaces"][1]


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_long_ago(version):
    """One address of each family with its own routes, and no interfaces."""
    assert RESULT.to_builtins(version) == {
        "cniVersion": version,
        "ip4": {"ip": "192.0.2.1/32", "routes": [{"dst": "192.0.2.0/26"}]},
        "ip6": {"ip": "2001:db8::1/128", "routes": [{"dst": "2001:db8::/122"}]},
        "dns": {},
    }


def test_addresses_only():
    """A plugin that only gives addresses names no interface."""
    assert Result(("192.0.2.1/26",)).to_builtins("1.0.0") == {
        "cniVersion": "1.0.0",
        "ips": [{"address": "192.0.2.1/26"}],
    }
