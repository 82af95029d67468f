# SPDX-License-Identifier: Apache-2.0
"""The reference that programs and people ask: fields, their types, rules and meaning; JSON Schema."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from percale.errors import ValidationError
from percale.resources import KINDS
from percale.resources.reference import field_note, first_sentence


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_a_type_in_words(kind):
    """No field of any kind is without words for its type."""
    for note in field_note(kind).tree:
        assert note.type_words
        assert note.type_words != "any value" or "fieldsV1" in note.path


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_a_meaning(kind):
    """Each field of a kind has a sentence of its own; only metadata, spec and status take that of what they hold."""
    for note in field_note(kind).tree:
        assert re.fullmatch(r"[A-Z].*\.", note.text), f"{kind}.{note.path}: {note.text!r}"
        assert note.structure is None or "." not in note.path or note.text != first_sentence(note.structure), note.path


@pytest.mark.parametrize("kind", KINDS)
def test_rules_follow_must_be(kind):
    """A rule goes on where *must be* stops: it is no sentence, no echo of Python, and it stands once."""
    for note in field_note(kind).tree:
        for rule in note.rules:
            assert re.match(r"[a-z0-9]|TCP", rule), f"{kind}.{note.path}: {rule!r}"
            assert not re.search(r"^(check|lambda)|\.$|<function", rule), f"{kind}.{note.path}: {rule!r}"
        assert len(set(note.rules)) == len(note.rules)


def test_meanings_are_read_behind_and_above_fields():
    """A comment behind a field and one in the lines above it say the same; lines are joined."""
    texts = {note.name: note.text for note in field_note("FelixConfiguration.spec").members}
    assert texts["bpfEnabled"] == "Whether the BPF dataplane is used."
    assert texts["natPortRange"] == "The source ports that outgoing NAT may use; the kernel's choice unless given."
    assert texts["failsafeInboundHostPorts"].endswith("6666, 6667 and udp 68.")


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("NetworkPolicy.spec.tier", "default"),
        ("StagedNetworkPolicy.spec.stagedAction", "Set"),
        ("Tier.spec.order", 1_000_000),
        ("FelixConfiguration.spec.nftablesMode", "Auto"),
        ("KubeControllersConfiguration.spec.prometheusMetricsPort", 9094),
        ("NetworkPolicy.spec.types", ""),
        ("NetworkPolicy.metadata.labels", ""),
        ("IPPool.spec.disabled", ""),
    ],
)
def test_a_default_is_what_a_written_resource_gets(path, default):
    """Defaults are those that a bare resource gets; what depends on other fields is told by the meaning."""
    assert field_note(path).default == default


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("NetworkPolicy.spec.ingress", "list of objects"),
        ("NetworkPolicy.spec.ingress.source.ports", "list of port numbers, ranges or names"),
        ("NetworkPolicy.spec.ingress.protocol", "protocol name or number"),
        ("WorkloadEndpoint.spec.ports.port", "whole number, 0 to 65535"),
        ("WorkloadEndpoint.spec.qosControls.egressBurst", "whole number"),
        ("IPAMConfiguration.spec.maxBlocksPerHost", "whole number"),
        ("IPAMBlock.spec.allocations", "list of whole numbers"),
        ("IPAMHandle.spec.block", "map from text to whole number"),
        ("BGPFilter.spec.exportV4.asPathPrefix", "list of AS numbers"),
        ("FelixConfiguration.spec.netlinkTimeout", "duration such as 1m30s"),
    ],
)
def test_types_are_words(path, words):
    """A type is told in words, the items of a list in the plural."""
    assert field_note(path).type_words == words


def test_a_note_holds_rule_and_meaning():
    """A field's note says what it means and what its checks demand."""
    note = field_note("IPPool.spec.blockSize")
    assert (note.path, note.type_words, note.rules) == (
        "spec.blockSize",
        "whole number",
        ("at least 0 and at most 128",),
    )
    assert note.text.startswith("The prefix length of the blocks")


def test_case_aliases_and_indices_do_not_matter():
    """A path is found however a person writes it."""
    assert field_note("pol.SPEC.ingress[2].Source.nets") == field_note("NetworkPolicy.spec.ingress.source.nets")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("Police", "unknown kind 'Police'\n    did you mean 'NetworkPolicy'?"),
        ("IPPool.spec.blocksiz", "IPPool.spec: unknown field 'blocksiz'\n    did you mean 'blockSize'?"),
        ("tier.spec.zzz.order", "Tier.spec: unknown field 'zzz'\n    known here: order, defaultAction"),
        ("IPPool.spec.cidr.x", "IPPool.spec.cidr: unknown field 'x'\n    there are no fields inside"),
    ],
)
def test_what_does_not_exist_is_refused(path, message):
    """A misspelled path is refused, with what may have been meant or with all that is there."""
    with pytest.raises(ValidationError) as refusal:
        field_note(path)
    assert str(refusal.value) == message


def test_the_pages_of_the_manual_are_fresh():
    """The generated pages of the kinds say what models and checks say now."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, root / "tools" / "reference-kinds", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
