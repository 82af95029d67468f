# SPDX-License-Identifier: Apache-2.0
"""What a program imports from ``percale``, and how values feel there."""

import pytest

import percale
from percale.resources import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_at_the_door(kind):
    """A kind is imported from ``percale`` itself."""
    assert getattr(percale, kind) is KINDS[kind].type


def test_what_does_not_exist_is_no_attribute():
    """A misspelled name fails as in any module."""
    with pytest.raises(AttributeError, match="'NetworkPolice'"):
        _ = percale.NetworkPolice


def test_invalid_construction_carries_the_facts():
    """A value that breaks a rule says which field, which value and why."""
    network_set = percale.GlobalNetworkSet(
        metadata=percale.ObjectMeta(name="a"), spec=percale.NetworkSetSpec(nets=("no",))
    )
    with pytest.raises(percale.errors.ValidationError) as caught:
        network_set.validated()
    assert [(problem.path, problem.value) for problem in caught.value.problems] == [("spec.nets[0]", "no")]


def test_yaml_there_and_back():
    """What is written as YAML is read as an equal value."""
    policy = percale.NetworkPolicy(
        metadata=percale.ObjectMeta(name="api", namespace="shop"),
        spec=percale.NetworkPolicySpec(selector="role == 'api'", ingress=(percale.Rule(action="Allow"),)),
    ).validated()
    assert percale.NetworkPolicy.from_yaml(policy.to_yaml()) == policy
