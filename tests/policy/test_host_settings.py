# SPDX-License-Identifier: Apache-2.0
"""What a FelixConfiguration changes for policy."""

from __future__ import annotations

from percale.policy.host_settings import FAILSAFE_INBOUND, FailsafePort, HostSettings
from percale.resources.felix_configuration import FelixConfigurationSpec, ProtoPort


def test_an_empty_configuration_leaves_the_defaults():
    """What a configuration does not say keeps the agent's default."""
    assert HostSettings.of(FelixConfigurationSpec()) == HostSettings()


def test_each_setting_is_taken_over():
    """Every field that policy depends on is read."""
    felix = FelixConfigurationSpec(
        default_endpoint_to_host_action="RETURN",
        failsafe_inbound_host_ports=(ProtoPort(protocol="UDP", port=7, net="10.0.0.0/8"),),
        vxlan_port=8472,
        allow_vxlan_packets_from_workloads=True,
        allow_ipip_packets_from_workloads=True,
        disable_conntrack_invalid_check=True,
    )
    assert HostSettings.of(felix) == HostSettings(
        endpoint_to_host_action="Return",
        failsafe_inbound=(FailsafePort(17, 7, "10.0.0.0/8"),),
        vxlan_port=8472,
        allow_vxlan_from_workloads=True,
        allow_ipip_from_workloads=True,
        drop_invalid=False,
    )


def test_an_empty_list_closes_the_failsafe_ports():
    """An empty list is not the same as none: it disables the failsafe ports."""
    felix = FelixConfigurationSpec(failsafe_outbound_host_ports=())
    assert HostSettings.of(felix).failsafe_outbound == ()
    assert HostSettings.of(felix).failsafe_inbound == FAILSAFE_INBOUND
