# SPDX-License-Identifier: Apache-2.0
"""FelixConfiguration: the settings of the agents (spec/resources.md section 12)."""

from __future__ import annotations

from percale.resources.fields import DSCP, Duration, Int64, Port, UInt16
from percale.resources.resource import Resource
from percale.resources.value import Canonical, Value, written

__all__ = [
    "BPFConntrackTimeouts",
    "FelixConfiguration",
    "FelixConfigurationSpec",
    "HealthTimeoutOverride",
    "ProtoPort",
    "RouteTableIDRange",
    "RouteTableRange",
]


class HealthTimeoutOverride(Canonical, frozen=True, kw_only=True):
    """Another time after which one part of the agent counts as dead."""

    name: str = written(str)
    timeout: Duration = written(lambda: "0s")


class ProtoPort(Value, frozen=True, kw_only=True):
    """A failsafe port, perhaps for one network only."""

    protocol: str = ""
    port: UInt16 = written(int)
    net: str = ""


class RouteTableIDRange(Value, frozen=True, kw_only=True):
    """Routing tables that the agent may use, both ends included."""

    min: Int64 = written(int)
    max: Int64 = written(int)


class RouteTableRange(Value, frozen=True, kw_only=True):
    """The older form of the routing tables that the agent may use, both ends included."""

    min: Int64 = written(int)
    max: Int64 = written(int)


class BPFConntrackTimeouts(Value, frozen=True, kw_only=True):
    """How long the BPF dataplane keeps connections; ``Auto`` follows the kernel."""

    creation_grace_period: str | None = None
    tcp_syn_sent: str | None = None
    tcp_established: str | None = None
    tcp_fins_seen: str | None = None
    tcp_reset_seen: str | None = None
    udp_timeout: str | None = None
    generic_timeout: str | None = None
    icmp_timeout: str | None = None


class FelixConfigurationSpec(Canonical, frozen=True, kw_only=True):
    """Settings of the agents; what is absent takes the agent's default."""

    node_selector: str = ""
    use_internal_dataplane_driver: bool | None = None
    dataplane_driver: str = ""
    dataplane_watchdog_timeout: Duration | None = None
    ipv6_support: bool | None = None
    route_refresh_interval: Duration | None = None
    interface_refresh_interval: Duration | None = None
    iptables_refresh_interval: Duration | None = None
    iptables_post_write_check_interval: Duration | None = None
    iptables_lock_probe_interval: Duration | None = None
    feature_detect_override: str = ""
    feature_gates: str = ""
    ipsets_refresh_interval: Duration | None = None
    max_ipset_size: Int64 | None = None
    iptables_backend: str | None = None
    xdp_refresh_interval: Duration | None = None
    netlink_timeout: Duration | None = None
    metadata_addr: str = ""
    metadata_port: Int64 | None = None
    openstack_region: str = ""
    interface_prefix: str = ""
    interface_exclude: str = ""
    chain_insert_mode: str = ""
    default_endpoint_to_host_action: str = ""
    iptables_filter_allow_action: str = ""
    iptables_mangle_allow_action: str = ""
    iptables_filter_deny_action: str = ""
    log_prefix: str = ""
    log_action_rate_limit: str | None = None
    log_action_rate_limit_burst: Int64 | None = None
    log_file_path: str = ""
    log_severity_file: str = ""
    log_severity_screen: str = ""
    log_severity_sys: str = ""
    log_debug_filename_regex: str = ""
    ipip_enabled: bool | None = None
    ipip_mtu: Int64 | None = None
    vxlan_enabled: bool | None = None
    vxlan_mtu: Int64 | None = None
    vxlan_mtu_v6: Int64 | None = None
    vxlan_port: Int64 | None = None
    vxlan_vni: Int64 | None = None
    allow_vxlan_packets_from_workloads: bool | None = None
    allow_ipip_packets_from_workloads: bool | None = None
    reporting_interval: Duration | None = None
    reporting_ttl: Duration | None = None
    endpoint_reporting_enabled: bool | None = None
    endpoint_reporting_delay: Duration | None = None
    endpoint_status_path_prefix: str = ""
    iptables_mark_mask: Int64 | None = None
    disable_conntrack_invalid_check: bool | None = None
    health_enabled: bool | None = None
    health_host: str = ""
    health_port: Int64 | None = None
    health_timeout_overrides: tuple[HealthTimeoutOverride, ...] = ()
    prometheus_metrics_enabled: bool | None = None
    prometheus_metrics_host: str = ""
    prometheus_metrics_port: Int64 | None = None
    prometheus_go_metrics_enabled: bool | None = None
    prometheus_process_metrics_enabled: bool | None = None
    prometheus_wire_guard_metrics_enabled: bool | None = None
    prometheus_metrics_ca_file: str = ""
    prometheus_metrics_cert_file: str = ""
    prometheus_metrics_key_file: str = ""
    prometheus_metrics_client_auth: str | None = None
    failsafe_inbound_host_ports: tuple[ProtoPort, ...] | None = None
    failsafe_outbound_host_ports: tuple[ProtoPort, ...] | None = None
    kube_node_port_ranges: tuple[Port, ...] | None = None
    policy_sync_path_prefix: str = ""
    usage_reporting_enabled: bool | None = None
    usage_reporting_initial_delay: Duration | None = None
    usage_reporting_interval: Duration | None = None
    nat_port_range: Port | None = None
    nat_outgoing_address: str = ""
    nat_outgoing_exclusions: str | None = None
    device_route_source_address: str = ""
    device_route_source_address_ipv6: str = ""
    device_route_protocol: Int64 | None = None
    remove_external_routes: bool | None = None
    program_cluster_routes: str | None = None
    ip_forwarding: str = ""
    external_nodes_list: tuple[str, ...] | None = None
    debug_memory_profile_path: str = ""
    debug_disable_log_dropping: bool | None = None
    debug_simulate_calc_graph_hang_after: Duration | None = None
    debug_simulate_dataplane_hang_after: Duration | None = None
    debug_simulate_dataplane_apply_delay: Duration | None = None
    debug_host: str = ""
    debug_port: Int64 | None = None
    iptables_nat_outgoing_interface_filter: str = ""
    sidecar_acceleration_enabled: bool | None = None
    xdp_enabled: bool | None = None
    generic_xdp_enabled: bool | None = None
    nftables_mode: str | None = None
    nftables_flow_table_offload: str | None = None
    nftables_flow_table_data_iface_pattern: str | None = None
    nftables_refresh_interval: Duration | None = None
    nftables_filter_allow_action: str = ""
    nftables_mangle_allow_action: str = ""
    nftables_filter_deny_action: str = ""
    nftables_mark_mask: Int64 | None = None
    bpf_enabled: bool | None = None
    bpf_overlay_host_source_ip: str | None = None
    bpf_disable_unprivileged: bool | None = None
    bpf_jit_hardening: str | None = None
    bpf_log_level: str = written(str)
    bpf_conntrack_log_level: str | None = None
    bpf_conntrack_mode: str | None = None
    bpf_conntrack_timeouts: BPFConntrackTimeouts | None = None
    bpf_ip_frag_timeout: Duration | None = None
    bpf_log_filters: dict[str, str] | None = None
    bpf_ctlb_log_filter: str = ""
    bpf_data_iface_pattern: str = ""
    bpf_l3_iface_pattern: str = ""
    bpf_connect_time_load_balancing_enabled: bool | None = None
    bpf_connect_time_load_balancing: str | None = None
    bpf_host_networked_nat_without_ctlb: str | None = None
    bpf_external_service_mode: str = ""
    bpf_dsr_optout_cidrs: tuple[str, ...] | None = None
    bpf_ext_to_service_connmark: Int64 | None = None
    bpf_kube_proxy_iptables_cleanup_enabled: bool | None = None
    bpf_kube_proxy_min_sync_period: Duration | None = None
    bpf_kube_proxy_healthz_port: Int64 | None = None
    bpf_psnat_ports: Port | None = None
    bpf_map_size_nat_frontend: Int64 | None = None
    bpf_map_size_nat_backend: Int64 | None = None
    bpf_map_size_nat_affinity: Int64 | None = None
    bpf_map_size_route: Int64 | None = None
    bpf_map_size_conntrack: Int64 | None = None
    bpf_map_size_per_cpu_conntrack: Int64 | None = None
    bpf_map_size_conntrack_scaling: str = ""
    bpf_map_size_conntrack_cleanup_queue: Int64 | None = None
    bpf_map_size_ip_sets: Int64 | None = None
    bpf_map_size_if_state: Int64 | None = None
    bpf_host_conntrack_bypass: bool | None = None
    bpf_ip_fragment_reassembly_enabled: bool | None = None
    bpf_enforce_rpf: str = ""
    bpf_policy_debug_enabled: bool | None = None
    bpf_force_track_packets_from_ifaces: tuple[str, ...] | None = None
    bpf_disable_gro_for_ifaces: str = ""
    bpf_exclude_cidrs_from_nat: tuple[str, ...] | None = None
    bpf_export_buffer_size_mb: Int64 | None = None
    istio_ambient_mode: str | None = None
    istio_dscp_mark: DSCP | None = None
    cgroup_v2_path: str = ""
    flow_logs_policy_evaluation_mode: str | None = None
    bpf_redirect_to_peer: str = ""
    bpf_attach_type: str | None = None
    flow_logs_flush_interval: Duration | None = None
    flow_logs_collector_debug_trace: bool | None = None
    flow_logs_goldmane_server: str | None = None
    flow_logs_local_reporter: str | None = None
    bpf_profiling: str = ""
    route_source: str = ""
    route_table_ranges: tuple[RouteTableIDRange, ...] | None = None
    route_table_range: RouteTableRange | None = None
    route_sync_disabled: bool | None = None
    ipv4_normal_route_priority: Int64 | None = None
    ipv4_elevated_route_priority: Int64 | None = None
    ipv6_normal_route_priority: Int64 | None = None
    ipv6_elevated_route_priority: Int64 | None = None
    live_migration_route_convergence_time: Duration | None = None
    wireguard_enabled: bool | None = None
    wireguard_enabled_v6: bool | None = None
    wireguard_threading_enabled: bool | None = None
    wireguard_listening_port: Int64 | None = None
    wireguard_listening_port_v6: Int64 | None = None
    wireguard_routing_rule_priority: Int64 | None = None
    wireguard_interface_name: str = ""
    wireguard_interface_name_v6: str = ""
    wireguard_mtu: Int64 | None = None
    wireguard_mtu_v6: Int64 | None = None
    wireguard_host_encryption_enabled: bool | None = None
    wireguard_keep_alive: Duration | None = None
    aws_src_dst_check: str | None = None
    service_loop_prevention: str = ""
    workload_source_spoofing: str = ""
    mtu_iface_pattern: str = ""
    floating_ips: str | None = None
    local_subnet_l2_reachability: str | None = None
    local_subnet_l2_reachability_refresh_interval: Duration | None = None
    windows_manage_firewall_rules: str | None = None
    go_gc_threshold: Int64 | None = None
    go_memory_limit_mb: Int64 | None = None
    go_max_procs: Int64 | None = None
    require_mtu_file: bool | None = None
    bpf_maglev_max_endpoints_per_service: Int64 | None = None
    bpf_maglev_max_services: Int64 | None = None


class FelixConfiguration(Resource, frozen=True, kw_only=True):
    """Settings of all agents (``default``), of one node's (``node.<name>``) or of selected nodes'."""

    spec: FelixConfigurationSpec = written(FelixConfigurationSpec)
