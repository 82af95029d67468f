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

    name: str = written(str)  #: The part of the agent, as its health report names it.
    timeout: Duration = written(lambda: "0s")  #: How long the part may be silent before it counts as dead.


class ProtoPort(Value, frozen=True, kw_only=True):
    """A failsafe port, perhaps for one network only."""

    protocol: str = ""  #: The protocol of the port, such as tcp or udp.
    port: UInt16 = written(int)  #: The number of the port.
    net: str = ""  #: Only for packets from or to this network; any unless given.


class RouteTableIDRange(Value, frozen=True, kw_only=True):
    """Routing tables that the agent may use, both ends included."""

    min: Int64 = written(int)  #: The first routing table.
    max: Int64 = written(int)  #: The last routing table.


class RouteTableRange(Value, frozen=True, kw_only=True):
    """The older form of the routing tables that the agent may use, both ends included."""

    min: Int64 = written(int)  #: The first routing table.
    max: Int64 = written(int)  #: The last routing table, at most 250.


class BPFConntrackTimeouts(Value, frozen=True, kw_only=True):
    """How long the BPF dataplane keeps connections; ``Auto`` follows the kernel."""

    creation_grace_period: str | None = None  #: How long a new connection is spared from collection.
    tcp_syn_sent: str | None = None  #: How long a TCP connection is kept that was asked for and not answered.
    tcp_established: str | None = None  #: How long an established TCP connection is kept without traffic.
    tcp_fins_seen: str | None = None  #: How long a TCP connection is kept that both ends have closed.
    tcp_reset_seen: str | None = None  #: How long a TCP connection is kept that one end has reset.
    udp_timeout: str | None = None  #: How long a UDP connection is kept without traffic.
    generic_timeout: str | None = None  #: How long a connection of another protocol is kept without traffic.
    icmp_timeout: str | None = None  #: How long an ICMP connection is kept without traffic.


class FelixConfigurationSpec(Canonical, frozen=True, kw_only=True):
    """Settings of the agents; what is absent takes the agent's default."""

    #: The nodes for which the configuration holds, by their labels; not in default and node.* ones, whose name says it.
    node_selector: str = ""
    #: Whether the agent programs the kernel itself; false leaves it to dataplaneDriver; true unless given.
    use_internal_dataplane_driver: bool | None = None
    dataplane_driver: str = ""  #: The program that works as dataplane where the agent's own is not used.
    #: How long the dataplane's loop may be silent before the agent counts as dead; 1m30s unless given.
    dataplane_watchdog_timeout: Duration | None = None
    ipv6_support: bool | None = None  #: Whether IPv6 is programmed too; true unless given.
    #: The time between full readings of the kernel's routes; 1m30s unless given, 0 is never.
    route_refresh_interval: Duration | None = None
    #: The time between full readings of the kernel's interfaces; 1m30s unless given.
    interface_refresh_interval: Duration | None = None
    #: The time between full readings of the iptables dataplane's rules; 0 is never.
    iptables_refresh_interval: Duration | None = None
    #: How long after it wrote the iptables dataplane reads its rules again, to find another program's changes.
    iptables_post_write_check_interval: Duration | None = None
    #: The time between attempts to get the lock that programs of iptables share.
    iptables_lock_probe_interval: Duration | None = None
    #: Features of the kernel to take as present or absent, whatever is found: Feature=true,Other=false.
    feature_detect_override: str = ""
    feature_gates: str = ""  #: Features of the agent to switch on or off: Gate=value,Other=value.
    #: The time between full readings of the kernel's IP sets; 1m30s unless given, 0 is never.
    ipsets_refresh_interval: Duration | None = None
    #: The most members that an IP set of the iptables dataplane can hold; 1048576 unless given.
    max_ipset_size: Int64 | None = None
    #: Which iptables the iptables dataplane runs: Legacy, NFT, or Auto, which finds out.
    iptables_backend: str | None = None
    xdp_refresh_interval: Duration | None = None  #: The time between full readings of the XDP programs; 0 is never.
    #: How long the kernel may take to answer a netlink request; 10s unless given.
    netlink_timeout: Duration | None = None
    #: The address or name of OpenStack's metadata service, which workloads may always reach; 127.0.0.1 unless given,
    #: None is none.
    metadata_addr: str = ""
    metadata_port: Int64 | None = None  #: The TCP port of OpenStack's metadata service; 8775 unless given.
    #: The OpenStack region that the host belongs to, where several share a datastore; none unless given.
    openstack_region: str = ""
    #: The beginnings of the names of workload interfaces, joined by commas; cali unless given.
    interface_prefix: str = ""
    #: Interfaces that host endpoints leave out, by names or /regular expressions/ joined by commas; kube-ipvs0 unless
    #: given.
    interface_exclude: str = ""
    #: Where the agent's rules stand in the kernel's chains of iptables: Insert (first, the default) or Append (last).
    chain_insert_mode: str = ""
    #: What happens to traffic from a workload to its own host after the workload's policy: Drop (the default), Accept,
    #: or Return to the host's own rules.
    default_endpoint_to_host_action: str = ""
    #: What the iptables dataplane does with allowed packets in its filter table: Accept them, or Return to other
    #: programs' rules.
    iptables_filter_allow_action: str = ""
    #: What the iptables dataplane does with packets that policy before DNAT allowed: Accept them, or Return to other
    #: programs' rules.
    iptables_mangle_allow_action: str = ""
    #: How the iptables dataplane denies: Drop silently, or Reject with an answer.
    iptables_filter_deny_action: str = ""
    #: What begins the messages of rules with action Log; %t, %k, %n and %p stand for the tier, kind, name and
    #: namespace/name of the policy; calico-packet unless given.
    log_prefix: str = ""
    #: The most messages of rules with action Log, such as 5/second; no limit unless given.
    log_action_rate_limit: str | None = None
    #: How many messages of rules with action Log may exceed the rate at once; 5 unless given.
    log_action_rate_limit_burst: Int64 | None = None
    log_file_path: str = ""  #: The agent's log file, none for no file; /var/log/calico/felix.log unless given.
    log_severity_file: str = ""  #: The least severe messages in the log file; Info unless given.
    log_severity_screen: str = ""  #: The least severe messages on standard output; Info unless given.
    log_severity_sys: str = ""  #: The least severe messages in the system's log; Info unless given.
    #: A regular expression: messages of severity Debug only from the agent's source files that match; all unless given.
    log_debug_filename_regex: str = ""
    #: Whether there is an IP-in-IP interface; unless given, whether an IP pool needs one.
    ipip_enabled: bool | None = None
    #: The MTU of the IP-in-IP interface, in bytes; 0 or absent is found out from the host's interfaces.
    ipip_mtu: Int64 | None = None
    #: Whether there is a VXLAN interface; unless given, whether an IP pool needs one.
    vxlan_enabled: bool | None = None
    #: The MTU of the VXLAN interface for IPv4, in bytes; 0 or absent is found out from the host's interfaces.
    vxlan_mtu: Int64 | None = None
    #: The MTU of the VXLAN interface for IPv6, in bytes; 0 or absent is found out from the host's interfaces.
    vxlan_mtu_v6: Int64 | None = None
    vxlan_port: Int64 | None = None  #: The UDP port of VXLAN; 4789 unless given.
    vxlan_vni: Int64 | None = None  #: The network identifier (VNI) of VXLAN; 4096 unless given.
    #: Whether workloads may send VXLAN packets of their own; false unless given.
    allow_vxlan_packets_from_workloads: bool | None = None
    #: Whether workloads may send IP-in-IP packets of their own; false unless given.
    allow_ipip_packets_from_workloads: bool | None = None
    #: The time between reports of the agent's status to the datastore; 30s unless given, 0 is never.
    reporting_interval: Duration | None = None
    reporting_ttl: Duration | None = None  #: How long a status in the datastore counts as true; 1m30s unless given.
    #: Whether the status of endpoints is reported to the datastore; false unless given.
    endpoint_reporting_enabled: bool | None = None
    #: How long changes of an endpoint's status are gathered before they are reported; 1s unless given.
    endpoint_reporting_delay: Duration | None = None
    #: The folder below which a file tells the status of each endpoint, none for no files; /var/run/calico unless given.
    endpoint_status_path_prefix: str = ""
    iptables_mark_mask: Int64 | None = None  #: The bits of the packet mark that the iptables dataplane may use.
    #: Whether policy judges packets that connection tracking calls invalid, rather than dropping them; false unless
    #: given.
    disable_conntrack_invalid_check: bool | None = None
    #: Whether the agent answers questions about its health by HTTP; false unless given.
    health_enabled: bool | None = None
    health_host: str = ""  #: The address on which the agent answers questions about its health; localhost unless given.
    #: The TCP port on which the agent answers questions about its health; 9099 unless given.
    health_port: Int64 | None = None
    #: Other times after which parts of the agent count as dead.
    health_timeout_overrides: tuple[HealthTimeoutOverride, ...] = ()
    #: Whether the agent serves metrics for Prometheus; false unless given.
    prometheus_metrics_enabled: bool | None = None
    prometheus_metrics_host: str = ""  #: The address on which metrics are served; all of the host unless given.
    prometheus_metrics_port: Int64 | None = None  #: The TCP port on which metrics are served; 9091 unless given.
    #: Whether the metrics include those of the agent's language runtime; true unless given.
    prometheus_go_metrics_enabled: bool | None = None
    #: Whether the metrics include those of the agent's process; true unless given.
    prometheus_process_metrics_enabled: bool | None = None
    prometheus_wire_guard_metrics_enabled: bool | None = None  #: Whether the metrics include those of WireGuard.
    #: The file of the authority that signs the certificates of those who read metrics; no TLS unless given.
    prometheus_metrics_ca_file: str = ""
    #: The file of the certificate with which metrics are served; no TLS unless given.
    prometheus_metrics_cert_file: str = ""
    prometheus_metrics_key_file: str = ""  #: The file of the certificate's private key; no TLS unless given.
    #: Whether those who read metrics must show a certificate, and whether it is verified.
    prometheus_metrics_client_auth: str | None = None
    #: The ports of the host that stay open to the world whatever policy says; [] is none. Unless given: tcp 22, 179,
    #: 2379, 2380, 5473, 6443, 6666, 6667 and udp 68.
    failsafe_inbound_host_ports: tuple[ProtoPort, ...] | None = None
    #: The ports of the world that the host reaches whatever policy says; [] is none. Unless given: tcp 179, 2379, 2380,
    #: 5473, 6443, 6666, 6667 and udp 53, 67.
    failsafe_outbound_host_ports: tuple[ProtoPort, ...] | None = None
    #: The ports at which nodes may offer Kubernetes services; 30000:32767 unless given.
    kube_node_port_ranges: tuple[Port, ...] | None = None
    #: The folder below which workloads find the sockets that tell them their policy; none unless given.
    policy_sync_path_prefix: str = ""
    #: Whether Calico's agent tells its makers version and size of the cluster; percale never does.
    usage_reporting_enabled: bool | None = None
    #: How long after its start Calico's agent first reports usage.
    usage_reporting_initial_delay: Duration | None = None
    usage_reporting_interval: Duration | None = None  #: The time between reports of usage.
    nat_port_range: Port | None = None  #: The source ports that outgoing NAT may use; the kernel's choice unless given.
    #: The IPv4 address that outgoing NAT uses as source; that of the interface unless given.
    nat_outgoing_address: str = ""
    #: Destinations that outgoing NAT leaves alone: those in pools (IPPoolsOnly, the default), or also the nodes' own
    #: (IPPoolsAndHostIPs).
    nat_outgoing_exclusions: str | None = None
    #: The IPv4 source address that routes to workloads suggest; none unless given.
    device_route_source_address: str = ""
    #: The IPv6 source address that routes to workloads suggest; none unless given.
    device_route_source_address_ipv6: str = ""
    #: The number in the kernel's routes that marks them as the agent's; 3 (boot) unless given.
    device_route_protocol: Int64 | None = None
    #: Whether routes that others add to workload interfaces are removed; true unless given.
    remove_external_routes: bool | None = None
    #: Whether the agent, rather than the BGP daemon, programs routes to other nodes, and for which encapsulations;
    #: EnabledIPIPOnly unless given.
    program_cluster_routes: str | None = None
    #: Whether the agent switches the kernel's forwarding on: Enabled, the default, or Disabled.
    ip_forwarding: str = ""
    #: IPv4 networks of machines outside the cluster from which tunnelled packets are accepted; none unless given.
    external_nodes_list: tuple[str, ...] | None = None
    #: The file for profiles of the agent's memory; none unless given. For debugging.
    debug_memory_profile_path: str = ""
    #: Whether the agent waits for a slow log rather than leaving messages out. For debugging.
    debug_disable_log_dropping: bool | None = None
    #: How long after its start the agent's calculation stands still on purpose. For tests.
    debug_simulate_calc_graph_hang_after: Duration | None = None
    #: How long after its start the agent's dataplane stands still on purpose. For tests.
    debug_simulate_dataplane_hang_after: Duration | None = None
    #: How long each programming of the dataplane waits on purpose. For tests.
    debug_simulate_dataplane_apply_delay: Duration | None = None
    debug_host: str = ""  #: The address on which the agent's profiler answers. For debugging.
    #: The TCP port on which the agent's profiler answers; none unless given. For debugging.
    debug_port: Int64 | None = None
    #: The interfaces through which the iptables dataplane applies outgoing NAT, by a name that may end in +; all unless
    #: given.
    iptables_nat_outgoing_interface_filter: str = ""
    #: Whether traffic between a workload and its proxy sidecar takes a shortcut between sockets; experimental.
    sidecar_acceleration_enabled: bool | None = None
    #: Whether rules before connection tracking that deny are carried out by XDP, where the interface supports it;
    #: iptables dataplane.
    xdp_enabled: bool | None = None
    #: Whether XDP is used also on interfaces whose driver does not support it, which is slow; for tests.
    generic_xdp_enabled: bool | None = None
    #: Whether the agent uses nftables: Enabled, Disabled, or Auto (the default), which finds out.
    nftables_mode: str | None = None
    #: Whether established connections take nftables' flowtable past the rules: All or Disabled, the default.
    nftables_flow_table_offload: str | None = None
    #: A regular expression for the host's interfaces that are part of the flowtable.
    nftables_flow_table_data_iface_pattern: str | None = None
    #: The time between full readings of the kernel's nftables; 3m0s unless given, 0 is never.
    nftables_refresh_interval: Duration | None = None
    #: What nftables does with allowed packets: Accept them (the default), or Return to other programs' rules.
    nftables_filter_allow_action: str = ""
    #: What nftables does with packets that policy before DNAT allowed: Accept them (the default), or Return to other
    #: programs' rules.
    nftables_mangle_allow_action: str = ""
    nftables_filter_deny_action: str = ""  #: How nftables denies: Drop silently, the default, or Reject with an answer.
    #: The bits of the packet mark that the agent may use with nftables; 0xffff0000 unless given.
    nftables_mark_mask: Int64 | None = None
    bpf_enabled: bool | None = None  #: Whether the BPF dataplane is used.
    #: The source of the host's own traffic to workloads through a tunnel, in the BPF dataplane: TunnelAddress or
    #: HostAddress.
    bpf_overlay_host_source_ip: str | None = None
    #: Whether the kernel's BPF is closed to unprivileged users when the BPF dataplane starts.
    bpf_disable_unprivileged: bool | None = None
    #: Whether hardening of the kernel's BPF compiler is switched off where it slows the BPF dataplane (Auto) or left as
    #: it is (Strict).
    bpf_jit_hardening: str | None = None
    bpf_log_level: str = written(str)  #: How much the BPF programs log: Off, Info or Debug.
    bpf_conntrack_log_level: str | None = None  #: How much the BPF programs of connection tracking log: Off or Debug.
    #: Who collects old connections of the BPF dataplane: Userspace (the agent), BPFProgram, or Auto.
    bpf_conntrack_mode: str | None = None
    bpf_conntrack_timeouts: BPFConntrackTimeouts | None = None  #: How long the BPF dataplane keeps connections.
    bpf_ip_frag_timeout: Duration | None = None  #: How long the BPF dataplane keeps fragments of a packet.
    #: Which packets the BPF programs log, as tcpdump expressions by interface; all stands for every interface.
    bpf_log_filters: dict[str, str] | None = None
    #: Whether BPF programs that choose a service's backend as a socket connects log too: all, or nothing unless given.
    bpf_ctlb_log_filter: str = ""
    #: A regular expression for the host's interfaces that carry traffic to other hosts, in the BPF dataplane.
    bpf_data_iface_pattern: str = ""
    #: A regular expression for the host's interfaces without Ethernet headers, in the BPF dataplane.
    bpf_l3_iface_pattern: str = ""
    #: Whether the BPF dataplane chooses a service's backend as a socket connects; the older form of
    #: bpfConnectTimeLoadBalancing.
    bpf_connect_time_load_balancing_enabled: bool | None = None
    #: For which protocols the BPF dataplane chooses a service's backend as a socket connects: TCP (the default), all
    #: (Enabled) or none (Disabled).
    bpf_connect_time_load_balancing: str | None = None
    #: Whether the BPF dataplane translates services for the host's own traffic without connect-time load balancing:
    #: Enabled, the default, or Disabled.
    bpf_host_networked_nat_without_ctlb: str | None = None
    #: How the BPF dataplane answers clients outside the cluster when the backend is on another node: through the first
    #: node (Tunnel) or directly (DSR).
    bpf_external_service_mode: str = ""
    #: Networks of clients that are always answered through the first node, though bpfExternalServiceMode is DSR.
    bpf_dsr_optout_cidrs: tuple[str, ...] | None = None
    #: The connection mark that the BPF dataplane puts on connections from outside the cluster to a service.
    bpf_ext_to_service_connmark: Int64 | None = None
    #: Whether the BPF dataplane removes the rules that kube-proxy left behind.
    bpf_kube_proxy_iptables_cleanup_enabled: bool | None = None
    #: The shortest time between two updates of services in the BPF dataplane.
    bpf_kube_proxy_min_sync_period: Duration | None = None
    #: The TCP port at which the BPF dataplane answers questions about kube-proxy's health, in its place.
    bpf_kube_proxy_healthz_port: Int64 | None = None
    #: The ports that the BPF dataplane uses as sources where two clients of a service would clash.
    bpf_psnat_ports: Port | None = None
    bpf_map_size_nat_frontend: Int64 | None = None  #: The most service addresses that the BPF dataplane can hold.
    bpf_map_size_nat_backend: Int64 | None = None  #: The most backends of services that the BPF dataplane can hold.
    #: The most ties between clients and backends that the BPF dataplane can hold.
    bpf_map_size_nat_affinity: Int64 | None = None
    bpf_map_size_route: Int64 | None = None  #: The most routes that the BPF dataplane can hold.
    bpf_map_size_conntrack: Int64 | None = None  #: The most connections that the BPF dataplane can hold.
    #: The most connections that the BPF dataplane can hold for each processor; goes before bpfMapSizeConntrack.
    bpf_map_size_per_cpu_conntrack: Int64 | None = None
    #: Whether the BPF dataplane doubles its room for connections when it is full (DoubleIfFull) or never (Disabled).
    bpf_map_size_conntrack_scaling: str = ""
    #: The most connections of the BPF dataplane that can wait for their collection.
    bpf_map_size_conntrack_cleanup_queue: Int64 | None = None
    #: The most members of IP sets, all together, that the BPF dataplane can hold.
    bpf_map_size_ip_sets: Int64 | None = None
    bpf_map_size_if_state: Int64 | None = None  #: The most interfaces that the BPF dataplane can hold.
    #: Whether the kernel's connection tracking is left out for workloads' traffic in the BPF dataplane.
    bpf_host_conntrack_bypass: bool | None = None
    #: Whether the BPF dataplane puts fragments of a packet together before it judges them.
    bpf_ip_fragment_reassembly_enabled: bool | None = None
    #: How strictly the BPF dataplane checks that packets come through the interface that leads to their source: Strict,
    #: Loose, or Disabled.
    bpf_enforce_rpf: str = ""
    #: Whether the BPF dataplane keeps a readable form of each endpoint's policy. For debugging.
    bpf_policy_debug_enabled: bool | None = None
    #: Interfaces whose packets the BPF dataplane leaves to the kernel's connection tracking; names may end in +.
    bpf_force_track_packets_from_ifaces: tuple[str, ...] | None = None
    #: A regular expression for interfaces on which the BPF dataplane switches generic receive offload off.
    bpf_disable_gro_for_ifaces: str = ""
    #: Networks whose addresses the BPF dataplane does not translate, though they are addresses of services.
    bpf_exclude_cidrs_from_nat: tuple[str, ...] | None = None
    #: The room for events that the BPF programs send to the agent, in megabytes for each processor.
    bpf_export_buffer_size_mb: Int64 | None = None
    #: Whether the agent works together with Istio's ambient mesh: Enabled or Disabled.
    istio_ambient_mode: str | None = None
    #: The differentiated services code point, by number or name, that marks traffic of Istio's ambient mesh.
    istio_dscp_mark: DSCP | None = None
    #: The folder where the hierarchy of control groups (version 2) is found; the host's usual one unless given.
    cgroup_v2_path: str = ""
    #: Whether the policies in logs of a flow follow their changes while it lasts (Continuous) or not (None).
    flow_logs_policy_evaluation_mode: str | None = None
    #: Whether the BPF dataplane hands packets straight to the workload's end of its interface: Enabled or Disabled.
    bpf_redirect_to_peer: str = ""
    #: How BPF programs are tied to interfaces: TC, TCX (newer kernels), or Netkit for workloads with such interfaces.
    bpf_attach_type: str | None = None
    flow_logs_flush_interval: Duration | None = None  #: The time between two deliveries of flow logs.
    #: Whether the collector of flow logs logs every step. For debugging.
    flow_logs_collector_debug_trace: bool | None = None
    #: The server (Goldmane) to which flow logs are sent, as host:port; none unless given.
    flow_logs_goldmane_server: str | None = None
    #: Whether flow logs are served on the node itself: Enabled or Disabled.
    flow_logs_local_reporter: str | None = None
    #: Whether the BPF programs measure the time that they take: Enabled or Disabled. For debugging.
    bpf_profiling: str = ""
    #: Where routes to workloads of other nodes come from: the blocks of CalicoIPAM (the default) or the addresses of
    #: endpoints (WorkloadIPs).
    route_source: str = ""
    #: Routing tables that the agent may use; 1 to 250 unless given; not together with routeTableRange.
    route_table_ranges: tuple[RouteTableIDRange, ...] | None = None
    #: Routing tables that the agent may use: the older form of routeTableRanges, up to 250; 1 to 250 unless given.
    route_table_range: RouteTableRange | None = None
    #: Whether the agent leaves routes to workloads alone, so that others must program them; false unless given.
    route_sync_disabled: bool | None = None
    #: The priority (metric) of IPv4 routes to workloads that stay where they are; lower ones win; 1024 unless given.
    ipv4_normal_route_priority: Int64 | None = None
    #: The priority (metric) of IPv4 routes to workloads that have just moved to the node; lower ones win; 512 unless
    #: given.
    ipv4_elevated_route_priority: Int64 | None = None
    #: The priority (metric) of IPv6 routes to workloads that stay where they are; lower ones win; 1024 unless given.
    ipv6_normal_route_priority: Int64 | None = None
    #: The priority (metric) of IPv6 routes to workloads that have just moved to the node; lower ones win; 512 unless
    #: given.
    ipv6_elevated_route_priority: Int64 | None = None
    #: How long after its move the routes to a workload keep their elevated priority.
    live_migration_route_convergence_time: Duration | None = None
    wireguard_enabled: bool | None = None  #: Whether IPv4 traffic between nodes is encrypted by WireGuard.
    wireguard_enabled_v6: bool | None = None  #: Whether IPv6 traffic between nodes is encrypted by WireGuard.
    #: Whether WireGuard's interfaces are served by kernel threads of their own.
    wireguard_threading_enabled: bool | None = None
    wireguard_listening_port: Int64 | None = None  #: The UDP port of WireGuard for IPv4.
    wireguard_listening_port_v6: Int64 | None = None  #: The UDP port of WireGuard for IPv6.
    #: The priority of the routing rule that leads to WireGuard; lower ones are asked first.
    wireguard_routing_rule_priority: Int64 | None = None
    wireguard_interface_name: str = ""  #: The name of the WireGuard interface for IPv4.
    wireguard_interface_name_v6: str = ""  #: The name of the WireGuard interface for IPv6.
    #: The MTU of the WireGuard interface for IPv4, in bytes; 0 or absent is found out from the host's interfaces.
    wireguard_mtu: Int64 | None = None
    #: The MTU of the WireGuard interface for IPv6, in bytes; 0 or absent is found out from the host's interfaces.
    wireguard_mtu_v6: Int64 | None = None
    #: Whether WireGuard encrypts traffic between the nodes themselves too, not only that of workloads.
    wireguard_host_encryption_enabled: bool | None = None
    #: The time between packets that keep a WireGuard connection open through NAT; 0 is never.
    wireguard_keep_alive: Duration | None = None
    #: What becomes of the check of source and destination that AWS makes on the node's interfaces: DoNothing, Enable or
    #: Disable.
    aws_src_dst_check: str | None = None
    #: What happens to packets to a service address that nobody serves, lest they circle: Drop (the default), Reject, or
    #: Disabled.
    service_loop_prevention: str = ""
    #: Whether workloads may ask for sources besides their own addresses: Disabled, the default, or Any.
    workload_source_spoofing: str = ""
    #: A regular expression for the host's interfaces whose MTU is looked at; the usual names of Ethernet and wireless
    #: ones unless given.
    mtu_iface_pattern: str = ""
    #: Whether 1:1 NAT of endpoints (ipNATs) is programmed for workloads of every orchestrator: Enabled or Disabled, the
    #: default.
    floating_ips: str | None = None
    #: Whether the node answers ARP and NDP for addresses in its own subnet: Disabled, the default, or
    #: PodsAndLoadBalancers.
    local_subnet_l2_reachability: str | None = None
    #: The time between full updates of the addresses that localSubnetL2Reachability answers for; 2m0s unless given.
    local_subnet_l2_reachability_refresh_interval: Duration | None = None
    #: Whether the agent on Windows opens its own ports in the host's firewall: Enabled or Disabled.
    windows_manage_firewall_rules: str | None = None
    #: By how many percent the heap of Calico's agent grows before its memory is collected; -1 is never.
    go_gc_threshold: Int64 | None = None
    #: The memory, in megabytes, up to which Calico's agent tries to stay; -1 is no limit.
    go_memory_limit_mb: Int64 | None = None
    go_max_procs: Int64 | None = None  #: How many processors Calico's agent uses at a time; -1 is all.
    require_mtu_file: bool | None = None  #: Whether the agent starts only where the file with the host's MTU is there.
    #: The most backends of a service with Maglev hashing that the BPF dataplane can hold.
    bpf_maglev_max_endpoints_per_service: Int64 | None = None
    #: The most services with Maglev hashing that the BPF dataplane can hold.
    bpf_maglev_max_services: Int64 | None = None


class FelixConfiguration(Resource, frozen=True, kw_only=True):
    """Settings of all agents (``default``), of one node's (``node.<name>``) or of selected nodes'."""

    spec: FelixConfigurationSpec = written(FelixConfigurationSpec)
