# SPDX-License-Identifier: Apache-2.0
"""What a program makes of Python's own types becomes what a kind declares, or is refused."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.resources.strategies import resources

from percale.errors import ValidationError
from percale.resources import (
    KINDS,
    EntityRule,
    GlobalNetworkPolicy,
    GlobalNetworkPolicySpec,
    NetworkSet,
    NetworkSetSpec,
    ObjectMeta,
    Rule,
)
from percale.resources.typed import typed


def network_set(nets, **metadata):
    """A set of whatever somebody gives."""
    return NetworkSet(metadata=ObjectMeta(name="a", namespace="default", **metadata), spec=NetworkSetSpec(nets=nets))


@pytest.mark.parametrize("kind", [info.type for info in KINDS.values()], ids=lambda kind: kind.kind)
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_right_types_stay(kind, data):
    """A resource that has the types of its kind comes back equal."""
    resource = data.draw(resources(kind))
    assert typed(resource) == resource


@pytest.mark.parametrize("nets", [["10.0.0.0/8"], {"10.0.0.0/8"}, ("10.0.0.0/8",)])
def test_lists_become_tuples(nets):
    """Whatever collection was given, the value is the one that is read back later."""
    assert typed(network_set(nets)) == network_set(("10.0.0.0/8",))


def test_lists_in_lists():
    """Structures within lists are found too."""
    ports = EntityRule(ports=[80])
    policy = GlobalNetworkPolicy(spec=GlobalNetworkPolicySpec(ingress=[Rule(action="Allow", destination=ports)]))
    assert typed(policy).spec.ingress[0].destination.ports == (80,)


@pytest.mark.parametrize(
    ("wrong", "problems"),
    [
        (network_set(5), ["spec.nets: expected a list of texts, found 5"]),
        (network_set((), labels=[1]), ["metadata.labels: expected an object with members, found a list"]),
        (
            network_set(5, uid=7),
            ["metadata.uid: expected a text, found 7", "spec.nets: expected a list of texts, found 5"],
        ),
        (network_set([ip_network("10.0.0.0/8")]), ["Encoding objects of type IPv4Network is unsupported"]),
    ],
)
def test_wrong_types_are_told_at_once(wrong, problems):
    """Every member of a wrong type is named by its path."""
    with pytest.raises(ValidationError) as refused:
        typed(wrong)
    assert [str(problem).splitlines()[0] for problem in refused.value.problems] == problems


def test_a_value_inside_itself():
    """What has no end is refused, not followed."""
    labels = {}
    labels["a"] = labels
    with pytest.raises(ValidationError):
        typed(network_set((), labels=labels))
