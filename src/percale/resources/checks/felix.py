# SPDX-License-Identifier: Apache-2.0
"""Checks of FelixConfiguration (spec/resources.md section 12, spec/validation.md section 4.8)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from percale.resources.addresses import parse_address, parse_network, why_not_address
from percale.resources.checks.rules import check_port
from percale.resources.checks.schema import any_case, count, enum, length, pattern, span, whole
from percale.resources.checks.site import Check, Rulebook, Site, each, states
from percale.resources.checks.tokens import DNS_LABEL, limits, one_of, token, token_of
from percale.resources.durations import parse_duration
from percale.resources.felix_configuration import (
    BPFConntrackTimeouts,
    FelixConfiguration,
    FelixConfigurationSpec,
    HealthTimeoutOverride,
)
from percale.resources.fields import port_range

__all__ = ["FELIX", "whole_list"]

MAX_REGION = 46  # with "openstack-region-" in front it is still a namespace of at most 63 characters
MAX_TABLES = 65_535
_MAX_TABLE_ID = 0xFFFFFFFF
_HEALTH_NAME = re.compile(r"[a-zA-Z0-9_ -]+", re.ASCII)
_INTERFACE_KEY = re.compile(r"[a-zA-Z0-9_.-]{1,15}")


def whole_list(name: str) -> Check:
    """Return a check of each item that Calico reports for the list as a whole."""
    known = token_of(name.removesuffix("s") if name == "cidrs" else name)

    @states(f"a list, each item {known.message.removeprefix('is not ')}")
    def check(site: Site) -> None:
        for index, value in enumerate(site.value or ()):
            if not known.accepts(value):
                reason = f"Reason: failed to validate Field: {site.member} because of Tag: {name} "
                site.item(index).refuse(
                    f"{value!r} {known.message}", known.why(value), name=site.member, reason=reason, value=site.value
                )
                return

    return check


@states("a map whose keys are names of interfaces, or all")
def _log_filters(site: Site) -> None:
    for key in site.value or {}:
        if key != "all" and _INTERFACE_KEY.fullmatch(key) is None:
            reason = "Reason: failed to validate Field: BPFLogFilters because of Tag: bpfLogFilters "
            site.key(key).refuse(
                f"{key!r} is not an interface name", token_of("interface").why(key), reason=reason, value=key
            )


@states("a list of ports or ranges of ports, without names")
def _node_ports(site: Site) -> None:
    each(check_port)(site)
    ports = site.value or ()
    if len(ports) > 7:
        site.refuse(
            f"has {len(ports)} ranges; at most 7 are allowed", reason="must be a list of at most 7 ports or ranges"
        )
    for index, port in enumerate(ports):
        if port_range(port) is None:
            site.item(index).refuse(f"{port!r} is a name; numbers are needed", name=site.member, value=ports)


@states("a list, each item an IPv4 CIDR or address")
def _external_nodes(site: Site) -> None:
    for index, text in enumerate(site.value or ()):
        network = parse_network(text, bare=True)
        if network is None or network.version != 4:
            hint = why_not_address(text, network=True) if network is None else "this is IPv6"
            site.item(index).refuse(f"{text!r} is not an IPv4 CIDR", hint, name="ExternalNodesCIDRList")


@states(f"lower-case letters, digits and '-', at most {MAX_REGION} characters")
def _region(site: Site) -> None:
    text = site.value
    if len(text) > MAX_REGION or (text and DNS_LABEL.fullmatch(text) is None):
        hint = f"use up to {MAX_REGION} lower-case letters, digits and '-'"
        site.refuse(f"{text!r} is not a region's name", hint, name="OpenstackRegion")


@states("an IP address")
def _source_address(site: Site) -> None:
    if site.value and parse_address(site.value) is None:
        site.refuse(f"{site.value!r} is not an IP address", why_not_address(site.value), reason="invalid IP address")


@states("1 <= min <= max <= 250")
def _old_table_range(site: Site) -> None:
    tables = site.value
    if tables is not None and not 1 <= tables.min <= tables.max <= 250:
        site.refuse(
            "is not a range of routing tables",
            "1 <= min <= max <= 250",
            name="RouteTableRange",
            reason="must be a range of route table indices within 1..250",
            value=f"{{{tables.min} {tables.max}}}",
        )


@states(f"a list, each item with 1 <= min <= max <= {_MAX_TABLE_ID}, {MAX_TABLES} tables in all")
def _table_ranges(site: Site) -> None:
    total = 0
    for index, tables in enumerate(site.value or ()):
        if tables.min < 1 or tables.min > tables.max or tables.max > _MAX_TABLE_ID:
            site.item(index).refuse(
                "is not a range of routing tables", f"1 <= min <= max <= {_MAX_TABLE_ID}", name="RouteTableRange"
            )
        total += max(tables.max - tables.min + 1, 0)
    if total > MAX_TABLES:
        site.refuse(f"{total} routing tables; at most {MAX_TABLES} are allowed", name="RouteTableRanges")


def _health(site: Site) -> None:
    override = site.value
    if _HEALTH_NAME.fullmatch(override.name) is None:
        hint = "use letters, digits, blanks, '_' and '-'"
        site.at("name").refuse(f"{override.name!r} is not a name", hint, name="HealthTimeoutOverride.Name")
    if parse_duration(override.timeout) < 0:
        site.at("timeout").refuse("must not be negative", name="HealthTimeoutOverride.Timeout")


def _spec_schema(site: Site) -> None:
    spec = site.value
    for name, version in (
        ("nat_outgoing_address", 4),
        ("device_route_source_address", 4),
        ("device_route_source_address_ipv6", 6),
    ):
        text = getattr(spec, name)
        address = parse_address(text)
        if text and (address is None or address.version != version):
            whole(site, f"{site.at(name).path.removeprefix('spec.')} must be an IPv{version} address")
    if spec.route_table_range is not None and spec.route_table_ranges is not None:
        whole(site, "routeTableRange and routeTableRanges cannot both be set", "keep routeTableRanges")


def _tables_schema(site: Site) -> None:
    tables = site.value
    if tables is not None and not 1 <= tables.min <= tables.max <= 250:
        whole(site, "is not a range of routing tables", "1 <= min <= max <= 250")


def _ranges_schema(site: Site) -> None:
    for index, tables in enumerate(site.value or ()):
        if tables.min < 1 or tables.min > tables.max or tables.max > _MAX_TABLE_ID:
            whole(site.item(index), "is not a range of routing tables", f"1 <= min <= max <= {_MAX_TABLE_ID}")


def _node_selector(site: Site) -> None:
    name = site.value.name
    if site.value.spec.node_selector and (name == "default" or name.startswith("node.")):
        whole(
            site.at("spec").at("node_selector"),
            f"the configuration {name!r} cannot have a nodeSelector",
            "choose another name for it",
            name="FelixConfiguration",
        )


def _all(check: Check, names: Iterable[str]) -> dict[str, Check]:
    return dict.fromkeys(names, check)


_SWITCH = ("Enabled", "Disabled")
# As published, with the doubled backslash: the schema knows no fractions.
_SPAN = pattern(
    r"^([0-9]+(\\.[0-9]+)?(ms|s|m|h))*$",
    "use whole hours, minutes, seconds or milliseconds, not below zero",
    "whole hours, minutes, seconds or milliseconds, not below zero",
)
_SPAN_WITH_FRACTIONS = pattern(
    r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))*$",
    "use hours, minutes, seconds or milliseconds",
    "hours, minutes, seconds or milliseconds, not below zero",
)
_SEVERITY = any_case("Trace", "Debug", "Info", "Warning", "Error", "Fatal")
_ALLOW = any_case("Accept", "Return")
_DENY = any_case("Drop", "Reject")
_TIMEOUT = pattern(
    r"^(([0-9]*(\.[0-9]*)?(ms|s|h|m|us)+)+|Auto)$", "write a time such as 30s, or Auto", "a time such as 30s, or Auto"
)
_DURATIONS = """
    route_refresh_interval interface_refresh_interval iptables_refresh_interval iptables_post_write_check_interval
    iptables_lock_probe_interval ipsets_refresh_interval xdp_refresh_interval netlink_timeout reporting_interval
    reporting_ttl endpoint_reporting_delay usage_reporting_initial_delay usage_reporting_interval
    debug_simulate_calc_graph_hang_after debug_simulate_dataplane_hang_after debug_simulate_dataplane_apply_delay
    bpf_ip_frag_timeout bpf_kube_proxy_min_sync_period flow_logs_flush_interval wireguard_keep_alive
"""
_REGEXPS = """
    log_debug_filename_regex nftables_flow_table_data_iface_pattern bpf_data_iface_pattern bpf_l3_iface_pattern
    bpf_disable_gro_for_ifaces mtu_iface_pattern
"""
_PRIORITIES = (
    "ipv4_normal_route_priority",
    "ipv4_elevated_route_priority",
    "ipv6_normal_route_priority",
    "ipv6_elevated_route_priority",
)
_CLIENT_AUTH = (
    "RequireAndVerifyClientCert",
    "RequireAnyClientCert",
    "VerifyClientCertIfGiven",
    "NoClientCert",
)

# Members that are one of a few words in both layers.
_WORDS: dict[str, tuple[str, ...]] = {
    "prometheus_metrics_client_auth": _CLIENT_AUTH,
    "nat_outgoing_exclusions": ("IPPoolsOnly", "IPPoolsAndHostIPs"),
    "bpf_overlay_host_source_ip": ("TunnelAddress", "HostAddress"),
    "bpf_jit_hardening": ("Auto", "Strict"),
    "bpf_conntrack_log_level": ("Off", "Debug"),
    "bpf_conntrack_mode": ("Auto", "Userspace", "BPFProgram"),
    "bpf_connect_time_load_balancing": ("TCP", "Enabled", "Disabled"),
    "bpf_host_networked_nat_without_ctlb": _SWITCH,
    "bpf_attach_type": ("TC", "TCX", "Netkit"),
    "aws_src_dst_check": ("DoNothing", "Enable", "Disable"),
    "local_subnet_l2_reachability": ("Disabled", "PodsAndLoadBalancers"),
    "windows_manage_firewall_rules": _SWITCH,
}
_ENUMS: dict[str, tuple[str, ...]] = _WORDS | {
    "iptables_backend": ("Legacy", "NFT", "Auto"),
    "program_cluster_routes": ("Enabled", "Disabled", "EnabledIPIPOnly", "EnabledNoEncapOnly"),
    "ip_forwarding": _SWITCH,
    "istio_ambient_mode": _SWITCH,
    "bpf_redirect_to_peer": _SWITCH,
    "bpf_profiling": _SWITCH,
    "floating_ips": _SWITCH,
    "nftables_mode": ("Disabled", "Enabled", "Auto"),
    "nftables_flow_table_offload": ("All", "Disabled"),
    "flow_logs_policy_evaluation_mode": ("None", "Continuous"),
    "flow_logs_local_reporter": ("Disabled", "Enabled"),
}
# An empty text counts as absent in these; the others are absent only when they are not written.
_PLAIN_TEXTS = {"ip_forwarding", "bpf_redirect_to_peer", "bpf_profiling"}

FELIX = Rulebook(
    members={
        FelixConfigurationSpec: {
            **{name: one_of(*words) for name, words in _WORDS.items()},
            **_all(token("regexp"), _REGEXPS.split()),
            **_all(limits(least=1, most=2147483646), _PRIORITIES),
            **_all(limits(least=-1), ("go_gc_threshold", "go_memory_limit_mb", "go_max_procs")),
            **_all(limits(above=0, most=3000), ("bpf_maglev_max_endpoints_per_service", "bpf_maglev_max_services")),
            **_all(limits(least=0, most=65535), ("debug_port", "bpf_kube_proxy_healthz_port")),
            **_all(limits(above=0, most=65535), ("wireguard_listening_port", "wireguard_listening_port_v6")),
            **_all(token("interface"), ("wireguard_interface_name", "wireguard_interface_name_v6")),
            **_all(token("keyValueList"), ("feature_detect_override", "feature_gates")),
            **_all(
                _source_address,
                ("nat_outgoing_address", "device_route_source_address", "device_route_source_address_ipv6"),
            ),
            "service_loop_prevention": one_of("Drop", "Reject", "Disabled"),
            "workload_source_spoofing": one_of("Disabled", "Any"),
            "wireguard_routing_rule_priority": limits(above=0, below=32766),
            "prometheus_metrics_host": token("prometheusHost"),
            "iptables_nat_outgoing_interface_filter": token("ifaceFilter"),
            "bpf_log_filters": _log_filters,
            "bpf_dsr_optout_cidrs": whole_list("cidrs"),
            "bpf_exclude_cidrs_from_nat": whole_list("cidrs"),
            "bpf_force_track_packets_from_ifaces": whole_list("ifaceFilterSlice"),
            "bpf_ext_to_service_connmark": limits(least=0, most=4294967295),
            "bpf_map_size_conntrack_cleanup_queue": limits(least=1),
            "bpf_psnat_ports": check_port,
            "nat_port_range": check_port,
            "kube_node_port_ranges": _node_ports,
            "external_nodes_list": _external_nodes,
            "openstack_region": _region,
            "route_table_range": _old_table_range,
            "route_table_ranges": _table_ranges,
        }
    },
    structures={HealthTimeoutOverride: _health},
    schema={
        FelixConfigurationSpec: {
            **{name: enum(*words, written=name not in _PLAIN_TEXTS) for name, words in _ENUMS.items()},
            **_all(_SPAN, _DURATIONS.split()),
            **_all(_SEVERITY, ("log_severity_file", "log_severity_screen", "log_severity_sys")),
            **_all(
                _ALLOW,
                (
                    "iptables_filter_allow_action",
                    "iptables_mangle_allow_action",
                    "nftables_filter_allow_action",
                    "nftables_mangle_allow_action",
                ),
            ),
            **_all(_DENY, ("iptables_filter_deny_action", "nftables_filter_deny_action")),
            **_all(span(0, 4294967295), ("iptables_mark_mask", "nftables_mark_mask")),
            **_all(
                length(45),
                ("nat_outgoing_address", "device_route_source_address", "device_route_source_address_ipv6"),
            ),
            "node_selector": length(1024),
            "live_migration_route_convergence_time": _SPAN_WITH_FRACTIONS,
            "feature_detect_override": pattern(
                "^([a-zA-Z0-9-_]+=(true|false|),)*([a-zA-Z0-9-_]+=(true|false|))?$",
                "write Feature=true,Other=false",
                "like Feature=true,Other=false",
            ),
            "feature_gates": pattern(
                "^([a-zA-Z0-9-_]+=([^=]+),)*([a-zA-Z0-9-_]+=([^=]+))?$",
                "write Gate=value,Other=value",
                "like Gate=value,Other=value",
            ),
            "chain_insert_mode": any_case("Insert", "Append"),
            "default_endpoint_to_host_action": any_case("Drop", "Accept", "Return"),
            "log_prefix": pattern(
                "^([a-zA-Z0-9%: /_-])*$", "use letters, digits, blanks and %:/_-", "letters, digits, blanks and %:/_-"
            ),
            "log_action_rate_limit": pattern(
                r"^[1-9]\d{0,3}/(?:second|minute|hour|day)$",
                "write a number per second, minute, hour or day: 5/second",
                "1 to 9999 per second, minute, hour or day, such as 5/second",
            ),
            "log_action_rate_limit_burst": span(0, 9999),
            "kube_node_port_ranges": count(7),
            "bpf_log_level": any_case("Off", "Info", "Debug"),
            "bpf_external_service_mode": any_case("Tunnel", "DSR"),
            "bpf_map_size_conntrack_scaling": any_case("Disabled", "DoubleIfFull"),
            "bpf_map_size_conntrack_cleanup_queue": span(1, written=True),
            "bpf_enforce_rpf": any_case("Disabled", "Strict", "Loose"),
            "route_source": any_case("WorkloadIPs", "CalicoIPAM"),
            "service_loop_prevention": any_case("Drop", "Reject", "Disabled"),
            "workload_source_spoofing": any_case("Disabled", "Any"),
            "route_table_range": _tables_schema,
            "route_table_ranges": _ranges_schema,
        },
        BPFConntrackTimeouts: _all(_TIMEOUT, BPFConntrackTimeouts.__struct_fields__),
    },
    schema_rules={FelixConfigurationSpec: _spec_schema, FelixConfiguration: _node_selector},
)
