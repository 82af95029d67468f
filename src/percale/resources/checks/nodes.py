# SPDX-License-Identifier: Apache-2.0
"""Checks of nodes, of Calico's controllers and of node status requests (spec/resources.md sections 11, 14 and 15)."""

from __future__ import annotations

from percale.resources.calico_node_status import CalicoNodeStatusSpec
from percale.resources.checks.felix import whole_list
from percale.resources.checks.metadata import check_annotations, check_plain_labels
from percale.resources.checks.schema import enum, length, span
from percale.resources.checks.site import Rulebook, Site, each, states
from percale.resources.checks.tokens import limits, one_of, required, token, unique
from percale.resources.kube_controllers_configuration import (
    AutoHostEndpointConfig,
    HostEndpointTemplate,
    KubeControllersConfigurationSpec,
    LoadBalancerControllerConfig,
    MigrationControllerConfig,
    NodeControllerConfig,
)
from percale.resources.node import NodeBGPSpec, NodeSpec, NodeStatus, NodeWireguardSpec

__all__ = ["CONTROLLERS", "NODE", "NODE_STATUS", "distinct_templates"]


def _bgp(site: Site) -> None:
    if site.value is not None and site.value in (NodeBGPSpec(), NodeBGPSpec(as_number=0)):
        site.refuse(
            "is empty", "give it at least one member, or remove it", reason="Spec.BGP should not be empty", value=None
        )


NODE = Rulebook(
    members={
        NodeSpec: {
            "bgp": _bgp,
            "ipv4_vxlan_tunnel_addr": token("ipv4"),
            "vxlan_tunnel_mac_addr": token("mac"),
            "ipv6_vxlan_tunnel_addr": token("ipv6"),
            "vxlan_tunnel_mac_addr_v6": token("mac"),
        },
        NodeBGPSpec: {
            "ipv4_address": token("cidrv4"),
            "ipv6_address": token("cidrv6"),
            "ipv4_ipip_tunnel_addr": token("ipv4"),
            "route_reflector_cluster_id": token("ipv4"),
        },
        NodeWireguardSpec: {"interface_ipv4_address": token("ipv4"), "interface_ipv6_address": token("ipv6")},
        NodeStatus: {
            "wireguard_public_key": token("wireguardPublicKey"),
            "wireguard_public_key_v6": token("wireguardPublicKey"),
        },
    }
)

_SWITCH = ("Enabled", "Disabled")


def distinct_templates(site: Site) -> None:
    """Check that the templates of host endpoints have names of their own and say which interfaces they are for."""
    controllers = site.value.spec.controllers
    if controllers.node is None or controllers.node.host_endpoint is None:
        return
    templates = site.at("spec").at("controllers").at("node").at("host_endpoint").at("templates")
    names: set[str] = set()
    for index, template in enumerate(templates.value):
        name = template.generate_name
        faults = (
            (not name, "generateName is required"),
            (len(name) > 253, "generateName has more than 253 characters"),
            (bool(name) and name in names, f"generateName {name!r} is used twice"),
            (
                not template.interface_cidrs and not template.interface_pattern,
                "interfaceCIDRs or interfacePattern is required",
            ),
        )
        cited = "KubeControllersConfiguration.Node.HostEndpoint.Templates" + (f".{name}" if name else "")
        for broken, message in faults:
            if broken:
                templates.item(index).refuse(message, name=cited, value=None)
        names.add(name)


CONTROLLERS = Rulebook(
    members={
        KubeControllersConfigurationSpec: {"health_checks": one_of(*_SWITCH)},
        NodeControllerConfig: {"sync_labels": one_of(*_SWITCH)},
        AutoHostEndpointConfig: {
            "auto_create": one_of(*_SWITCH),
            "create_default_host_endpoint": one_of(*_SWITCH, tag="createDefaultHostEndpoint"),
        },
        HostEndpointTemplate: {
            "generate_name": token("name"),
            "interface_cidrs": whole_list("cidrs"),
            "interface_pattern": token("regexp"),
            "labels": check_plain_labels,
            "annotations": check_annotations,
            "node_selector": token("selector"),
        },
        MigrationControllerConfig: {"policy_name_migrator": one_of(*_SWITCH)},
    },
    schema={
        KubeControllersConfigurationSpec: {
            "log_severity_screen": enum("None", "Debug", "Info", "Warning", "Error", "Fatal", "Panic"),
            "health_checks": enum(*_SWITCH),
            "prometheus_metrics_port": span(0, 65535),
            "debug_profile_port": span(0, 65535),
        },
        NodeControllerConfig: {"sync_labels": enum(*_SWITCH)},
        AutoHostEndpointConfig: {"auto_create": enum(*_SWITCH)},
        HostEndpointTemplate: {"generate_name": length(253)},
        LoadBalancerControllerConfig: {"assign_ips": enum("AllServices", "RequestedServicesOnly")},
        MigrationControllerConfig: {"policy_name_migrator": enum("Disabled", "Enabled")},
    },
)


@states("present and a valid name")
def _node(site: Site) -> None:
    required(site)
    token("name")(site)


@states("present, at least 0 and at most 86400", minimum=0, maximum=86400)
def _period(site: Site) -> None:
    required(site)
    limits(least=0, most=86400)(site)


NODE_STATUS = Rulebook(
    members={CalicoNodeStatusSpec: {"node": _node, "classes": unique, "update_period_seconds": _period}},
    schema={CalicoNodeStatusSpec: {"classes": each(enum("Agent", "BGP", "Routes", written=True))}},
)
