# SPDX-License-Identifier: Apache-2.0
"""Random resources of a small cluster, in which everything meets everything: few names, labels and addresses."""

from hypothesis import strategies as st

from percale.calc.services import EndpointSlice, SliceEndpoint, SliceMeta, SlicePort
from percale.resources import (
    EndpointPort,
    EntityRule,
    GlobalNetworkPolicy,
    GlobalNetworkPolicySpec,
    GlobalNetworkSet,
    HostEndpoint,
    HostEndpointSpec,
    IPPool,
    IPPoolSpec,
    NetworkPolicy,
    NetworkPolicySpec,
    NetworkSet,
    NetworkSetSpec,
    ObjectMeta,
    Profile,
    ProfileSpec,
    Rule,
    ServiceAccountMatch,
    ServiceMatch,
    StagedNetworkPolicy,
    StagedNetworkPolicySpec,
    Tier,
    TierSpec,
    WorkloadEndpoint,
    WorkloadEndpointPort,
    WorkloadEndpointSpec,
    defaulted,
)

HOST = "n1"
NODES = st.sampled_from([HOST, HOST, "n2", "n10"])
NAMESPACES = st.sampled_from(["ns1", "ns2"])
NAMES = st.sampled_from(["a", "a-b", "b"])
VALUES = st.sampled_from(["x", "y"])
LABELS = st.dictionaries(st.sampled_from(["app", "role", "pcns.env"]), VALUES)
PROFILES = st.sampled_from(["kns.ns1", "kns.ns2", "ksa.ns1.sa", "ghost"])
PROFILE_LISTS = st.lists(PROFILES, max_size=3).map(tuple)
V4 = st.sampled_from(["10.0.0.1/32", "10.0.0.2/32", "10.0.1.1", "10.0.1.2/32"])
V6 = st.sampled_from(["fd00::1/128", "fd00:0::2/128"])
ADDRESSES = st.lists(V4 | V6, max_size=2).map(tuple)
NETS = st.lists(
    V4
    | V6
    | st.sampled_from(["10.0.0.0/24", "10.0.0.3/16", "10.0.0.0/31", "0.0.0.0/0", "fd00::/64", "::/0", "10.0.0.0/8"]),
    max_size=4,
).map(tuple)
PORTS = st.lists(
    st.tuples(st.sampled_from(["http", "dns"]), st.sampled_from(["TCP", "UDP", 132]), st.sampled_from([53, 80])),
    max_size=3,
)
SELECTORS = st.sampled_from(
    [
        "app == 'x'",
        "app != 'x'",
        "role in {'x', 'y'}",
        "!has(role)",
        "all()",
        "app == 'x' && role == 'y'",
        "app == 'x' || !(role contains 'y')",
        "has(projectcalico.org/serviceaccount)",
    ]
)
NAMESPACE_SELECTORS = st.sampled_from(["all()", "global()", "env == 'x'", "env != 'x'"])


def _sometimes(strategy, otherwise):
    return st.just(otherwise) | strategy


SERVICES = st.builds(ServiceMatch, name=st.just("svc"), namespace=st.sampled_from(["", "ns1"]))
PEERS = st.builds(
    EntityRule,
    nets=_sometimes(st.just(("10.0.0.0/8",)), ()),
    selector=_sometimes(SELECTORS, ""),
    namespace_selector=_sometimes(NAMESPACE_SELECTORS, ""),
    not_selector=_sometimes(SELECTORS, ""),
    ports=st.lists(st.sampled_from([80, "90:99", "http", "dns"]), max_size=2).map(tuple),
    not_ports=_sometimes(st.just(("http",)), ()),
    service_accounts=_sometimes(st.builds(ServiceAccountMatch, names=st.just(("sa",))), None),
)
RULES = st.lists(
    st.builds(
        Rule,
        action=st.sampled_from(["Allow", "Deny", "Pass", "Log"]),
        protocol=st.sampled_from([None, "TCP", 17, "SCTP"]),
        source=_sometimes(PEERS, EntityRule()) | st.builds(EntityRule, services=SERVICES),
        destination=_sometimes(PEERS, EntityRule()) | st.builds(EntityRule, services=SERVICES),
    ),
    max_size=2,
).map(tuple)
_POLICY = {
    "tier": st.sampled_from(["", "default", "t1", "missing"]),
    "order": st.sampled_from([None, 1, 2.5, -3]),
    "ingress": RULES,
    "egress": RULES,
    "selector": _sometimes(SELECTORS, ""),
    "types": st.sampled_from([(), ("Ingress",), ("Egress",), ("Ingress", "Egress")]),
    "service_account_selector": _sometimes(SELECTORS, ""),
    "performance_hints": _sometimes(st.just(("AssumeNeededOnEveryNode",)), ()),
}


_NO_LABELS = st.just({})


@st.composite
def _namespaced(draw, kind, spec, labels=_NO_LABELS):
    metadata = ObjectMeta(name=draw(NAMES), namespace=draw(NAMESPACES), labels=draw(labels))
    return defaulted(kind(metadata=metadata, spec=draw(spec)))


@st.composite
def _cluster_wide(draw, kind, spec, names=NAMES, labels=_NO_LABELS):
    return defaulted(kind(metadata=ObjectMeta(name=draw(names), labels=draw(labels)), spec=draw(spec)))


@st.composite
def _workloads(draw):
    namespace, pod, node = draw(NAMESPACES), draw(NAMES), draw(NODES)
    ports = tuple(WorkloadEndpointPort(name=n, protocol=p, port=number) for n, p, number in draw(PORTS))
    spec = WorkloadEndpointSpec(
        orchestrator="k8s",
        node=node,
        pod=pod,
        endpoint="eth0",
        interface_name=draw(st.sampled_from(["cali1", "cali2", "cali3"])),
        ip_networks=draw(ADDRESSES),
        profiles=draw(PROFILE_LISTS),
        ports=ports,
        service_account_name=draw(st.sampled_from(["", "sa"])),
        allow_spoofed_source_prefixes=draw(st.sampled_from([(), (), (), ("10.9.0.0/16",)])),
    )
    # One name for whatever node it is on: an endpoint may move.
    metadata = ObjectMeta(name=f"node-k8s-{pod}-eth0", namespace=namespace, labels=draw(LABELS))
    return defaulted(WorkloadEndpoint(metadata=metadata, spec=spec))


@st.composite
def _host_endpoints(draw):
    spec = HostEndpointSpec(
        node=draw(NODES),
        interface_name=draw(st.sampled_from(["eth0", "*", ""])),
        expected_ips=tuple(address.split("/")[0] for address in draw(ADDRESSES) if ":0:" not in address),
        profiles=draw(PROFILE_LISTS),
        ports=tuple(EndpointPort(name=n, protocol=p, port=number) for n, p, number in draw(PORTS)),
    )
    return HostEndpoint(metadata=ObjectMeta(name=draw(NAMES), labels=draw(LABELS)), spec=spec)


@st.composite
def _slices(draw):
    addresses = draw(ADDRESSES)
    return EndpointSlice(
        metadata=SliceMeta(name=draw(NAMES), namespace=draw(NAMESPACES), labels=draw(_SLICE_LABELS)),
        endpoints=tuple(SliceEndpoint(addresses=(address.split("/")[0],)) for address in addresses),
        ports=tuple(
            SlicePort(name=n, protocol=draw(st.sampled_from([None, "UDP"])), port=port) for n, _, port in draw(PORTS)
        ),
    )


_SLICE_PROTOCOLS = st.sampled_from([None, "UDP"])
_SLICE_LABELS = st.sampled_from([{"kubernetes.io/service-name": "svc"}, {"kubernetes.io/service-name": "svc"}, {}])

RESOURCES = st.one_of(
    _workloads(),
    _workloads(),
    _host_endpoints(),
    _slices(),
    _namespaced(NetworkSet, st.builds(NetworkSetSpec, nets=NETS), LABELS),
    _cluster_wide(GlobalNetworkSet, st.builds(NetworkSetSpec, nets=NETS), labels=LABELS),
    _namespaced(NetworkPolicy, st.builds(NetworkPolicySpec, **_POLICY)),
    _namespaced(
        StagedNetworkPolicy,
        st.builds(StagedNetworkPolicySpec, staged_action=st.sampled_from(["", "Set", "Delete"]), **_POLICY),
    ),
    _cluster_wide(
        GlobalNetworkPolicy,
        st.builds(
            GlobalNetworkPolicySpec,
            namespace_selector=_sometimes(NAMESPACE_SELECTORS.filter(lambda text: text != "global()"), ""),
            do_not_track=st.sampled_from([False, False, True]),
            pre_dnat=st.sampled_from([False, False, True]),
            apply_on_forward=st.booleans(),
            **_POLICY,
        ),
    ),
    _cluster_wide(
        Profile,
        st.builds(
            ProfileSpec,
            ingress=RULES,
            egress=RULES,
            labels_to_apply=st.dictionaries(st.sampled_from(["pcns.env", "app", "role"]), VALUES),
        ),
        PROFILES,
    ),
    _cluster_wide(
        Tier,
        st.builds(
            TierSpec, order=st.sampled_from([None, 1, 5]), default_action=st.sampled_from(["Deny", "Pass", None])
        ),
        st.sampled_from(["default", "t1"]),
    ),
    _cluster_wide(IPPool, st.builds(IPPoolSpec, cidr=st.just("10.0.0.0/16"), nat_outgoing=st.booleans())),
)
