# SPDX-License-Identifier: Apache-2.0
"""Names of workload endpoints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from percale.errors import ValidationError
from percale.resources import EndpointIdentifiers, endpoint_key, veth_name

SEGMENTS = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,6}[a-z0-9])?", fullmatch=True)


@given(SEGMENTS, SEGMENTS, SEGMENTS)
def test_a_name_holds_its_identifiers(node, pod, endpoint):
    """Dashes are doubled, so a name can be taken apart again."""
    identifiers = EndpointIdentifiers(node=node, orchestrator="k8s", pod=pod, endpoint=endpoint)
    assert EndpointIdentifiers.parse(identifiers.name()) == identifiers
    assert identifiers.match(identifiers.name())
    assert endpoint_key("shop", identifiers.name()) == (node, "k8s", f"shop/{pod}", endpoint)


@given(SEGMENTS, SEGMENTS)
def test_a_prefix_begins_every_name_it_stands_for(node, pod):
    """Listing by prefix finds them all; what else begins so is told apart by match."""
    known = EndpointIdentifiers(node=node, orchestrator="k8s", pod=pod)
    whole = known._replace(endpoint="eth0")
    assert whole.name().startswith(known.prefix())
    assert known.match(whole.name())
    other = known._replace(pod=f"{pod}-2", endpoint="eth0")
    assert not known.match(other.name())


@pytest.mark.parametrize(
    ("identifiers", "name"),
    [
        (EndpointIdentifiers("node-1", "k8s", "eth0", pod="my-pod"), "node--1-k8s-my--pod-eth0"),
        (EndpointIdentifiers("n", "cni", "e", container_id="c"), "n-cni-c-e"),
        (EndpointIdentifiers("n", "libnetwork", "e"), "n-libnetwork-libnetwork-e"),
        (EndpointIdentifiers("n", "openstack", "e", workload="w"), "n-openstack-w-e"),
        (EndpointIdentifiers("n", "K8S", "e", workload="w", pod="p"), "n-K8S-w-e"),
    ],
)
def test_the_orchestrator_chooses_the_third_segment(identifiers, name):
    """Pod, container, the orchestrator itself, or workload."""
    assert identifiers.name() == name


@pytest.mark.parametrize(
    ("identifiers", "field"),
    [
        (EndpointIdentifiers(), "spec.node"),
        (EndpointIdentifiers("n"), "spec.orchestrator"),
        (EndpointIdentifiers("n", "cni"), "spec.containerID"),
        (EndpointIdentifiers("n", "k8s", pod="p"), "spec.endpoint"),
        (EndpointIdentifiers("n", "k8s", "e-", pod="p"), "spec.endpoint"),
    ],
)
def test_the_first_unusable_identifier_is_named(identifiers, field):
    """One error, with the field's path."""
    with pytest.raises(ValidationError) as error:
        identifiers.name()
    assert [problem.path for problem in error.value.problems] == [field]


def test_interfaces_of_pods_have_fifteen_characters():
    """The prefix and a digest fill the name; another prefix leaves the digest as it is."""
    assert veth_name("shop", "web-1").startswith("cali")
    assert len(veth_name("shop", "web-1")) == 15
    assert veth_name("shop", "web-1", "eni")[3:] == veth_name("shop", "web-1")[4:]
