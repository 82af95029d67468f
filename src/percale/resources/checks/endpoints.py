# SPDX-License-Identifier: Apache-2.0
"""Checks of workload and host endpoints (spec/validation.md sections 4.2 and 4.8)."""

from __future__ import annotations

from percale.resources.addresses import Address, format_address, parse_network, why_not_address
from percale.resources.checks.rules import check_protocol, with_ports
from percale.resources.checks.schema import length, span, whole
from percale.resources.checks.site import Check, Rulebook, Site, each, states
from percale.resources.checks.tokens import limits, token
from percale.resources.host_endpoint import EndpointPort, HostEndpointSpec
from percale.resources.workload_endpoint import IPNAT, WorkloadEndpointPort, WorkloadEndpointSpec

__all__ = ["HOST_ENDPOINT", "WORKLOAD_ENDPOINT"]


@states("a list of single addresses, each bare or with /32 or /128")
def _ip_networks(site: Site) -> None:
    for index, text in enumerate(site.value):
        here = site.item(index)
        network = parse_network(text, bare=True)
        if not text:
            continue  # Calico takes nothing for nothing
        if network is None:
            hint = why_not_address(text, network=True)
            here.refuse(f"{text!r} is not an address", hint, name=site.member, value=site.value, also=[here.member])
        elif network.length != network.bits:
            address = format_address(Address(network.version, network.number))
            here.refuse(
                f"{text!r} is a network; an endpoint has single addresses",
                f"write {address}/{network.bits}",
                name=site.member,
                reason="IP network contains multiple addresses",
                value=site.value,
                also=[here.member] if network.masked != network else [],
            )


def _gateway(version: int) -> Check:
    known = token(f"ipv{version}")

    @states(f"an IPv{version} address")
    def check(site: Site) -> None:
        known(site)
        network = parse_network(site.value, bare=True)
        if network is not None and network.version != version:
            site.refuse(
                f"{site.value} is not an IPv{version} address", reason=f"invalid IPv{version} gateway address specified"
            )

    return check


def _spec(site: Site) -> None:
    spec = site.value
    networks = [network for network in (parse_network(text, bare=True) for text in spec.ip_networks) if network]
    nats = site.at("ip_nats")
    for index, nat in enumerate(spec.ip_nats):
        internal = parse_network(nat.internal_ip, bare=True)
        if internal and not any(network.contains(internal) for network in networks):
            nats.item(index).at("internal_ip").refuse(
                f"{nat.internal_ip} is not among the endpoint's ipNetworks",
                f"add {nat.internal_ip}/{internal.bits} to ipNetworks",
                name="IPNATs",
                reason="NAT is not in the endpoint networks",
                value=spec.ip_nats,
            )
            return
    duplicate_names(site)


def duplicate_names(site: Site) -> None:
    """Refuse a second port of one name in what people write; whatever is read from a store may have it."""
    if not site.people:
        return
    seen: dict[str, int] = {}
    for index, port in enumerate(site.value.ports):
        if port.name and port.name in seen:
            site.at("ports").item(index).at("name").refuse(
                f"{port.name!r} is the name of ports[{seen[port.name]}] already",
                "a port's name is unique within an endpoint",
                cited=False,
            )
        seen.setdefault(port.name, index)


def _nat(site: Site) -> None:
    internal = parse_network(site.value.internal_ip, bare=True)
    external = parse_network(site.value.external_ip, bare=True)
    if internal and external and internal.version != external.version:
        site.at("external_ip").refuse(
            f"{site.value.external_ip} is IPv{external.version}, internalIP is IPv{internal.version}",
            "both addresses are of one family",
            reason="mismatched IP versions",
        )


def _port_protocol(cited: str) -> Check:
    @states("TCP, UDP or SCTP, or 6, 17 or 132")
    def check(site: Site) -> None:
        check_protocol(site)
        if not with_ports(site.value):
            site.refuse(
                f"{site.value!r} has no ports",
                "use TCP, UDP or SCTP",
                name=cited,
                reason="protocol does not support ports",
            )

    return check


def _workload_port(site: Site) -> None:
    port = site.value
    if not port.name and not port.host_port:
        site.at("name").refuse(
            "is required", "name the port, or set hostPort", name="WorkloadEndpointPort.Name", reason="empty name"
        )


def _host_spec_schema(site: Site) -> None:
    spec = site.value
    if not spec.node:
        whole(site, "node must be specified", "add node")
    if not spec.interface_name and not spec.expected_ips:
        whole(
            site, "at least one of interfaceName or expectedIPs must be specified", "interfaceName '*' is all of them"
        )


def _host_spec(site: Site) -> None:
    duplicate_names(site)


_names = each(token("name", even_empty=True))
WORKLOAD_ENDPOINT = Rulebook(
    members={
        WorkloadEndpointSpec: {
            **dict.fromkeys(
                ("orchestrator", "workload", "node", "pod", "endpoint", "service_account_name"), token("name")
            ),
            "container_id": token("containerID"),
            "ip_networks": _ip_networks,
            "ipv4_gateway": _gateway(4),
            "ipv6_gateway": _gateway(6),
            "profiles": _names,
            "interface_name": token("interface", even_empty=True),
            "mac": token("mac"),
            "allow_spoofed_source_prefixes": each(token("cidr")),
        },
        IPNAT: {"internal_ip": token("ip"), "external_ip": token("ip")},
        WorkloadEndpointPort: {
            "name": token("portName"),
            "protocol": _port_protocol("WorkloadEndpointPort.Protocol"),
            "port": limits(above=0),
            "host_ip": token("net"),
        },
    },
    structures={WorkloadEndpointSpec: _spec, IPNAT: _nat, WorkloadEndpointPort: _workload_port},
)
HOST_ENDPOINT = Rulebook(
    members={
        HostEndpointSpec: {
            "node": token("name"),
            "interface_name": token("interface"),
            "expected_ips": each(token("ip", even_empty=True)),
            "profiles": _names,
        },
        EndpointPort: {
            "name": token("portName", even_empty=True),
            "protocol": _port_protocol("EndpointPort.Protocol"),
            "port": limits(above=0),
        },
    },
    structures={HostEndpointSpec: _host_spec},
    schema={
        HostEndpointSpec: {"node": length(253), "interface_name": length(15)},
        EndpointPort: {"port": span(1, 65535, written=True)},
    },
    schema_rules={HostEndpointSpec: _host_spec_schema},
)
