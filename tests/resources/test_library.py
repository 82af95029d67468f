# SPDX-License-Identifier: Apache-2.0
"""What a program imports from ``percale``, and how values feel there."""

import subprocess
import sys

import pytest
from tests.resources.valid import resource

import percale
from percale.errors import Problem
from percale.resources import KINDS


def _fresh(script):
    """What a script prints in a process of its own."""
    path = [entry for entry in sys.path if entry]
    whole = f"import sys\nsys.path[:0] = {path!r}\n{script}"
    done = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _policy(**spec):
    return percale.NetworkPolicy(
        metadata=percale.ObjectMeta(name="api", namespace="shop"), spec=percale.NetworkPolicySpec(**spec)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_at_the_door(kind):
    """A kind is imported from ``percale`` itself."""
    assert getattr(percale, kind) is KINDS[kind].type


def test_the_door_opens_in_a_fresh_process():
    """The first import of a program may be that of all kinds, of an error and of ``connect``."""
    names = ", ".join((*KINDS, "ObjectMeta", "Rule", "ValidationError", "connect"))
    assert _fresh(f"from percale import {names}\nprint(WorkloadEndpoint.kind)") == "WorkloadEndpoint\n"


def test_an_import_loads_nothing_but_itself():
    """``import percale`` alone costs neither kinds nor msgspec."""
    script = "import percale\nprint([name for name in sys.modules if name.startswith(('percale', 'msgspec', 'yaml'))])"
    assert _fresh(script) == "['percale']\n"


def test_one_kind_loads_no_other():
    """``from percale import WorkloadEndpoint`` loads neither the other kinds nor what reads documents."""
    script = "from percale import WorkloadEndpoint\nprint(*(name for name in sys.modules if 'percale' in name))"
    loaded = _fresh(script).split()
    assert "percale.resources.workload_endpoint" in loaded
    assert not {"felix_configuration", "network_policy", "documents", "checks", "yaml_text"} & {
        name.rpartition(".")[2] for name in loaded
    }


def test_what_is_there_is_listed():
    """An interactive shell completes kinds, what they consist of, errors and ``connect``."""
    assert {*KINDS, "EntityRule", "ValidationError", "connect"} <= set(dir(percale))


def test_what_does_not_exist_is_no_attribute():
    """A misspelled name fails as in any module."""
    with pytest.raises(AttributeError, match="'NetworkPolice'"):
        _ = percale.NetworkPolice


def test_a_representation_shows_what_was_said():
    """Empty members are left out, the others stand in Python's spelling; the text makes an equal value."""
    policy = _policy(
        order=10, ingress=(percale.Rule(action="Allow", source=percale.EntityRule(not_nets=("::1/128",))),)
    )
    assert repr(policy) == (
        "NetworkPolicy(metadata=ObjectMeta(name='api', namespace='shop'), spec=NetworkPolicySpec(order=10,"
        " ingress=(Rule(action='Allow', source=EntityRule(not_nets=('::1/128',))),)))"
    )
    assert eval(repr(policy), {name: getattr(percale, name) for name in dir(percale)}) == policy


@pytest.mark.parametrize("kind", KINDS)
def test_equal_values_are_one_in_a_set(kind):
    """Resources of every kind are equal and hash by content, labels included."""
    one, same, other = (resource(kind, labels={"role": role}) for role in ("a", "a", "b"))
    assert one == same
    assert {one, same, other} == {one, other}


def test_labels_hash_whatever_their_order():
    """Two values with the same labels in another order are equal, so their hashes are."""
    one, other = percale.ObjectMeta(labels={"a": "1", "b": "2"}), percale.ObjectMeta(labels={"b": "2", "a": "1"})
    assert one == other
    assert hash(one) == hash(other)


def test_values_are_frozen():
    """A member is not assigned; ``replace`` and ``with_metadata`` return new values."""
    policy = _policy(order=10)
    with pytest.raises(AttributeError, match="immutable"):
        policy.spec = percale.NetworkPolicySpec()
    changed = policy.replace(spec=policy.spec.replace(order=20)).with_metadata(name="web")
    assert (changed.name, changed.namespace, changed.spec.order) == ("web", "shop", 20)
    assert (policy.name, policy.spec.order) == ("api", 10)


def test_a_broken_rule_carries_the_facts():
    """A value that breaks a rule says which field, which value and why."""
    network_set = percale.GlobalNetworkSet(
        metadata=percale.ObjectMeta(name="a"), spec=percale.NetworkSetSpec(nets=("no",))
    )
    with pytest.raises(percale.ValidationError) as caught:
        network_set.validated()
    assert [(problem.path, problem.value) for problem in caught.value.problems] == [("spec.nets[0]", "no")]


@pytest.mark.parametrize(
    ("make", "path", "value"),
    [
        (lambda: percale.Rule(protocol=256), "protocol", 256),
        (lambda: percale.EntityRule(ports=("9:8",)), "ports", ("9:8",)),
        (lambda: percale.BGPPeerSpec(as_number="x"), "asNumber", "x"),
        (lambda: percale.FelixConfigurationSpec(reporting_ttl="soon"), "reportingTTL", "soon"),
        (lambda: percale.TierSpec(order="first"), "order", "first"),
    ],
)
def test_what_has_no_meaning_is_not_made(make, path, value):
    """A port, number or duration that is none is refused at once, with the facts."""
    with pytest.raises(percale.ValidationError) as caught:
        make()
    (problem,) = caught.value.problems
    assert isinstance(problem, Problem)
    assert (problem.path, problem.value, problem.rule) == (path, value, "type")


def test_every_wrong_type_is_found_at_once():
    """Members of a wrong type are refused by ``validated``, all of them with their paths."""
    policy = _policy(types="Ingress", ingress=(percale.Rule(action=5),)).with_metadata(labels={"a": 1})
    with pytest.raises(percale.ValidationError) as caught:
        policy.validated()
    assert {problem.path: problem.value for problem in caught.value.problems} == {
        "metadata.labels.a": 1,
        "spec.ingress[0].action": 5,
        "spec.types": "Ingress",
    }


def test_a_foreign_object_is_refused():
    """What JSON cannot hold is no value of the API."""
    with pytest.raises(percale.ValidationError, match="not a value of the API"):
        percale.Tier(metadata=percale.ObjectMeta(name="a"), spec=object()).validated()


def test_lists_become_tuples():
    """Lists are as good as tuples: ``validated`` returns the value that would be read."""
    written, read = _policy(types=["Egress"]).validated(), _policy(types=("Egress",)).validated()
    assert written == read
    assert hash(written) == hash(read)


def test_yaml_there_and_back():
    """What is written as YAML is read as an equal value."""
    policy = _policy(selector="role == 'api'", ingress=(percale.Rule(action="Allow"),)).validated()
    assert percale.NetworkPolicy.from_yaml(policy.to_yaml()) == policy


def test_a_text_of_another_kind_is_refused():
    """``from_yaml`` of a kind reads that kind, once."""
    text = _policy().validated().to_yaml()
    with pytest.raises(percale.ValidationError, match="expected one Tier, found NetworkPolicy"):
        percale.Tier.from_yaml(text)
