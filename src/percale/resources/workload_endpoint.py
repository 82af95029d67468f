# SPDX-License-Identifier: Apache-2.0
"""WorkloadEndpoint: the interface that joins a workload to its host (spec/resources.md section 3)."""

from __future__ import annotations

from percale.resources.fields import DSCP, Int64, Protocol, UInt16
from percale.resources.resource import Resource
from percale.resources.value import Canonical, Value, written

__all__ = ["IPNAT", "QoSControls", "WorkloadEndpoint", "WorkloadEndpointPort", "WorkloadEndpointSpec"]


class IPNAT(Value, frozen=True, kw_only=True):
    """A 1:1 NAT of one external address to one of the endpoint's own."""

    internal_ip: str = written(str)  #: The endpoint's own address, one of ipNetworks.
    external_ip: str = written(str)  #: The address that is translated to it and from it, of the same family.


class WorkloadEndpointPort(Canonical, frozen=True, kw_only=True):
    """A port of the workload with the name by which policy rules may refer to it."""

    #: The name by which rules refer to the port; it stands once on an endpoint, and may be absent with hostPort.
    name: str = written(str)
    protocol: Protocol = written(int)  #: The protocol of the port: TCP, UDP or SCTP, or its number.
    port: UInt16 = written(int)  #: The number of the port on the workload.
    #: The port of the host that leads to this one, as the pod asked for it; 0 is none.
    host_port: UInt16 = written(int)
    #: The address of the host at which hostPort is open, as the pod asked for it; empty is all.
    host_ip: str = written(str)


class QoSControls(Canonical, frozen=True, kw_only=True):
    """Limits of one endpoint; 0 is none.

    Bandwidth, burst and peak rate count bits, minburst counts bytes, the others packets and connections.
    """

    ingress_bandwidth: Int64 = 0  #: The rate of traffic to the workload, in bits per second; 0 is no limit.
    #: How much traffic to the workload may exceed the rate at once, in bits; needs ingressBandwidth.
    ingress_burst: Int64 = 0
    ingress_peakrate: Int64 = 0  #: The rate of such a burst, in bits per second; 0 is no limit; needs ingressBandwidth.
    #: How much traffic to the workload may exceed the peak rate at once, in bytes; needs ingressPeakrate.
    ingress_minburst: Int64 = 0
    egress_bandwidth: Int64 = 0  #: The rate of traffic from the workload, in bits per second; 0 is no limit.
    #: How much traffic from the workload may exceed the rate at once, in bits; needs egressBandwidth.
    egress_burst: Int64 = 0
    egress_peakrate: Int64 = 0  #: The rate of such a burst, in bits per second; 0 is no limit; needs egressBandwidth.
    #: How much traffic from the workload may exceed the peak rate at once, in bytes; needs egressPeakrate.
    egress_minburst: Int64 = 0
    ingress_packet_rate: Int64 = 0  #: Packets per second to the workload; 0 is no limit.
    #: How many packets to the workload may exceed the rate at once; needs ingressPacketRate.
    ingress_packet_burst: Int64 = 0
    egress_packet_rate: Int64 = 0  #: Packets per second from the workload; 0 is no limit.
    #: How many packets from the workload may exceed the rate at once; needs egressPacketRate.
    egress_packet_burst: Int64 = 0
    ingress_max_connections: Int64 = 0  #: The most connections to the workload at a time; 0 is no limit.
    egress_max_connections: Int64 = 0  #: The most connections from the workload at a time; 0 is no limit.
    #: The differentiated services code point of packets that leave the cluster, by number or by name such as AF11.
    dscp: DSCP | None = None


class WorkloadEndpointSpec(Value, frozen=True, kw_only=True):
    """Who the workload is, where it lives, and how its interface is addressed."""

    orchestrator: str = ""  #: Who runs the workload: k8s, cni, libnetwork, openstack, or another name.
    workload: str = ""  #: The name of the workload within its orchestrator; not for pods.
    node: str = ""  #: The node on which the workload runs.
    container_id: str = ""  #: The container, as the CNI runtime names it.
    pod: str = ""  #: The pod, where the orchestrator is k8s.
    endpoint: str = ""  #: The interface within the workload; often eth0.
    service_account_name: str = ""  #: The service account as which the pod runs.
    ip_networks: tuple[str, ...] = ()  #: The addresses of the workload, each with /32 or /128.
    ip_nats: tuple[IPNAT, ...] = ()  #: External addresses that are translated to own ones.
    ipv4_gateway: str = ""  #: The gateway that the workload uses; kept, not programmed.
    ipv6_gateway: str = ""  #: The gateway that the workload uses; kept, not programmed.
    profiles: tuple[str, ...] = ()  #: Profiles whose labels the endpoint inherits and whose rules come last, in order.
    interface_name: str = ""  #: The host's end of the interface.
    mac: str = ""  #: The hardware address of the workload's end.
    ports: tuple[WorkloadEndpointPort, ...] = ()  #: Named ports, to which rules refer; a name stands once.
    allow_spoofed_source_prefixes: tuple[str, ...] = ()  #: Sources that the workload may use besides its own addresses.
    qos_controls: QoSControls | None = None  #: Limits on the traffic of the endpoint; none unless given.


class WorkloadEndpoint(Resource, frozen=True, kw_only=True):
    """One interface of one workload."""

    spec: WorkloadEndpointSpec = written(WorkloadEndpointSpec)
