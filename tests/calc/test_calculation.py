# SPDX-License-Identifier: Apache-2.0
"""The calculation as a function of its input: whatever happened, the state is that of the resources there are."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from tests.calc.clusters import HOST, RESOURCES
from tests.calc.protocol import EMPTY, replayed
from tests.calc.whole import whole_state

from percale.calc.calculation import Calculation
from percale.calc.host_state import HostState


class _Machine(RuleBasedStateMachine):
    """Resources come, change and go; now and then the state is compared with one worked out from scratch."""

    def __init__(self):
        super().__init__()
        self.calculation = Calculation(HOST)
        self.present = {}
        self.state = EMPTY
        self.is_in_sync = False

    @rule(resource=RESOURCES)
    def put(self, resource):
        self.calculation.update(resource.key, resource)
        self.present[resource.key] = resource

    @rule(resources=st.lists(RESOURCES, max_size=10))
    def put_several(self, resources):
        for resource in resources:
            self.put(resource)

    @rule(data=st.data())
    def delete(self, data):
        if self.present:
            key = data.draw(st.sampled_from(sorted(self.present)))
            self.calculation.update(key, None)
            del self.present[key]

    @rule()
    def reach_the_end_of_the_snapshot(self):
        self.is_in_sync = True
        self.calculation.in_sync()

    @rule()
    def flush(self):
        messages = self.calculation.flush()
        self.state = replayed(self.state, messages)
        assert self.state == self.calculation.state()
        right = whole_state(HOST, self.present.values())
        if not self.is_in_sync:
            assert not self.state.endpoints
            right = HostState({}, right.policies, right.profiles, right.ip_sets, right.pools)
        assert self.state == right
        assert not self.calculation.flush()

    def teardown(self):
        self.reach_the_end_of_the_snapshot()
        self.flush()


TestCalculation = _Machine.TestCase
TestCalculation.settings = settings(max_examples=100, stateful_step_count=40)


@settings(max_examples=50)
@given(resources=st.lists(RESOURCES, max_size=25), data=st.data())
def test_order_does_not_matter(resources, data):
    """The same resources lead to the same state in any order, loaded at once or one by one."""
    last = {resource.key: resource for resource in resources}
    shuffled = data.draw(st.permutations(list(last.values())))
    at_once, one_by_one = Calculation(HOST), Calculation(HOST)
    for calculation in (at_once, one_by_one):
        calculation.in_sync()
    state = EMPTY
    for resource in last.values():
        at_once.update(resource.key, resource)
    for resource in shuffled:
        one_by_one.update(resource.key, resource)
        state = replayed(state, one_by_one.flush())
    assert state == replayed(EMPTY, at_once.flush())
