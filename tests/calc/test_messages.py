# SPDX-License-Identifier: Apache-2.0
"""What the enforcing layer is told, and what it is spared (spec/calculation.md section 4)."""

import pytest
from tests.calc.world import network_set, policy, profile, workload

from percale.calc.calculation import Calculation
from percale.calc.host_state import (
    EndpointRemove,
    EndpointUpdate,
    InSync,
    IPSetDelta,
    IPSetRemove,
    IPSetUpdate,
    PolicyRemove,
    PolicyUpdate,
    ProfileRemove,
    ProfileUpdate,
)
from percale.resources import IPNAT, Key, Rule
from percale.selectors import parse

DB, WEB = workload("db", "10.0.0.1/32", profiles=["p"]), workload("web", "10.0.0.2/32", node="n2")
FROM_WEB = policy("to-db", "app == 'db'", "app == 'web'")
WEB_SET = parse("app == 'web'").uid


@pytest.fixture
def calculation():
    """A calculation that has told of one endpoint with a profile, one policy and one set."""
    return _told(DB, WEB, FROM_WEB)


def _told(*resources):
    calculation = Calculation("n1")
    _put(calculation, *resources)
    calculation.in_sync()
    calculation.flush()
    return calculation


def _put(calculation, *resources):
    for resource in resources:
        calculation.update(resource.key, resource)


def _kinds(messages):
    return [type(message) for message in messages]


def test_what_is_referred_to_comes_first_and_goes_last(calculation):
    """Sets, policies, profiles, endpoints; removals the other way round."""
    fresh = Calculation("n1")
    _put(fresh, DB, WEB, FROM_WEB)
    fresh.in_sync()
    assert _kinds(fresh.flush()) == [IPSetUpdate, PolicyUpdate, ProfileUpdate, EndpointUpdate, InSync]
    calculation.update(DB.key, None)
    assert _kinds(calculation.flush()) == [EndpointRemove, ProfileRemove, PolicyRemove, IPSetRemove]


def test_endpoints_wait_for_the_end_of_the_first_snapshot():
    """Before, sets, policies and profiles may be told; InSync is told once."""
    calculation = Calculation("n1")
    _put(calculation, DB, WEB, FROM_WEB)
    assert _kinds(calculation.flush()) == [IPSetUpdate, PolicyUpdate, ProfileUpdate]
    calculation.in_sync()
    assert _kinds(calculation.flush()) == [EndpointUpdate, InSync]
    calculation.in_sync()
    _put(calculation, workload("other", "10.0.0.9/32"))
    assert _kinds(calculation.flush()) == [EndpointUpdate]


def test_nothing_is_told_twice(calculation):
    """The same resource again, or changed where nobody looks, is no news."""
    _put(calculation, DB, WEB, FROM_WEB, policy("elsewhere", "app == 'web'", "has(x)"))
    assert calculation.flush() == []


def test_what_comes_and_goes_between_two_flushes_is_not_told(calculation):
    """Created and deleted: nothing was sent, nothing is removed."""
    for resource in (workload("tmp", "10.0.0.7/32"), policy("tmp", "app == 'db'", "has(tmp)")):
        _put(calculation, resource)
        calculation.update(resource.key, None)
    assert calculation.flush() == []


def test_deleted_and_created_again_is_at_most_an_update(calculation):
    """Equal to what was sent: nothing at all; changed: one update, no removal."""
    for resource in (DB, FROM_WEB):
        calculation.update(resource.key, None)
        _put(calculation, resource)
    messages = calculation.flush()
    # The set was given up for a moment, so it is sent in full and not removed.
    assert _kinds(messages) in ([], [IPSetUpdate])
    calculation.update(FROM_WEB.key, None)
    _put(calculation, policy("to-db", "app == 'db'", "app == 'web'", order=5))
    assert set(_kinds(calculation.flush())) <= {IPSetUpdate, PolicyUpdate}


def test_opposite_member_changes_cancel(calculation):
    """An address that leaves and comes back between two flushes was never away."""
    calculation.update(WEB.key, None)
    _put(calculation, WEB)
    assert calculation.flush() == []


def test_members_are_told_by_delta(calculation):
    """A changed address is one removal and one addition in one message."""
    _put(calculation, workload("web", "10.0.0.3/32", node="n2"))
    assert calculation.flush() == [IPSetDelta(WEB_SET, frozenset({"10.0.0.3/32"}), frozenset({"10.0.0.2/32"}))]


def test_a_member_stays_until_its_last_contributor_leaves(calculation):
    """A second owner of an address changes nothing, coming or going."""
    second = workload("web", "10.0.0.2/32", node="n3")
    _put(calculation, second)
    assert calculation.flush() == []
    calculation.update(WEB.key, None)
    assert calculation.flush() == []
    calculation.update(second.key, None)
    assert calculation.flush() == [IPSetDelta(WEB_SET, frozenset(), frozenset({"10.0.0.2/32"}))]


def test_an_address_passes_from_one_endpoint_to_another_unnoticed(calculation):
    """Moved within one batch, the address is neither removed nor added."""
    calculation.update(WEB.key, None)
    _put(calculation, workload("web", "10.0.0.2/32", node="n4"))
    assert calculation.flush() == []


def test_an_empty_set_is_told():
    """A set that nobody is in matches nobody, which the enforcing layer must know."""
    messages = _messages(DB, FROM_WEB)
    [update] = [message for message in messages if isinstance(message, IPSetUpdate)]
    assert update.ip_set.members == frozenset()


def _messages(*resources):
    calculation = Calculation("n1")
    _put(calculation, *resources)
    calculation.in_sync()
    return calculation.flush()


def test_a_network_hides_the_addresses_inside_it(calculation):
    """Only the broadest are told; when it goes the others come back in the same message."""
    block = network_set("block", "10.0.0.0/24", app="web")
    _put(calculation, block)
    assert calculation.flush() == [IPSetDelta(WEB_SET, frozenset({"10.0.0.0/24"}), frozenset({"10.0.0.2/32"}))]
    calculation.update(block.key, None)
    assert calculation.flush() == [IPSetDelta(WEB_SET, frozenset({"10.0.0.2/32"}), frozenset({"10.0.0.0/24"}))]


def test_a_missing_profile_denies_until_it_appears(calculation):
    """The stand-in is replaced, and comes back when the profile goes."""
    assert not calculation.state().profiles["p"].exists
    _put(calculation, profile("p", Rule(action="Allow")))
    [update] = calculation.flush()
    assert update.profile.exists
    calculation.update(Key("Profile", "", "p"), None)
    [update] = calculation.flush()
    assert not update.profile.exists


def test_a_profiles_labels_reach_its_endpoints(calculation):
    """A label that a profile begins to give makes a policy match, and no longer gives makes it cease."""
    _put(calculation, policy("by-label", "env == 'x'"), profile("p", env="x"))
    assert PolicyUpdate in _kinds(calculation.flush())
    _put(calculation, profile("p", env="y"))
    assert PolicyRemove in _kinds(calculation.flush())


def test_of_two_endpoints_on_one_interface_one_is_active():
    """The smaller name is; the other takes over when it goes."""
    first = workload("a", "10.0.0.1/32").replace(spec=workload("a", "10.0.0.1/32").spec.replace(interface_name="cali"))
    second = workload("b", "10.0.0.2/32").replace(spec=workload("b", "10.0.0.2/32").spec.replace(interface_name="cali"))
    calculation = _told(first, second)
    active = {each.id.name: each.active for each in calculation.state().endpoints.values()}
    assert active == {first.name: True, second.name: False}
    calculation.update(first.key, None)
    calculation.flush()
    [left] = calculation.state().endpoints.values()
    assert left.active


def test_a_node_is_local_only_by_its_whole_name():
    """The host n1 has nothing to do with n10."""
    assert _kinds(_messages(workload("a", "10.0.0.1/32", node="n10"))) == [InSync]


def test_a_policy_that_cannot_be_compiled_counts_as_deleted(calculation):
    """Its last good version is withdrawn, and the reason is kept until it changes again."""
    bad = policy("to-db", "app == 'db'", "not a selector")
    _put(calculation, bad)
    assert PolicyRemove in _kinds(calculation.flush())
    assert list(calculation.cluster.refusals) == [bad.key]
    _put(calculation, FROM_WEB)
    assert PolicyUpdate in _kinds(calculation.flush())
    assert not calculation.cluster.refusals


def test_a_profile_that_cannot_be_compiled_denies(calculation):
    """It counts as absent, so the stand-in takes its place."""
    _put(calculation, profile("p", Rule(action="Maybe")))
    calculation.flush()
    assert not calculation.state().profiles["p"].exists
    assert list(calculation.cluster.refusals) == [Key("Profile", "", "p")]


def test_an_endpoint_with_an_unreadable_translation_counts_as_deleted(calculation):
    """One bad resource in the store must not stop the calculation of all others."""
    good = workload("nat", "10.0.0.9/32")
    bad = good.replace(spec=good.spec.replace(ip_nats=(IPNAT(internal_ip="10.0.0.9", external_ip="here"),)))
    _put(calculation, bad)
    calculation.flush()
    assert list(calculation.cluster.refusals) == [bad.key]
    _put(calculation, good)
    calculation.flush()
    assert not calculation.cluster.refusals


def test_a_selector_that_does_not_parse_is_refused_at_once(calculation):
    """The policy's own selector is needed before anything matches."""
    bad = policy("to-db", "app ==", "has(a)")
    _put(calculation, bad)
    assert list(calculation.cluster.refusals) == [bad.key]


def test_other_kinds_are_ignored(calculation):
    """A key of a kind that has no meaning here is no error."""
    calculation.update(Key("BGPPeer", "", "peer"), None)
    assert calculation.flush() == []
