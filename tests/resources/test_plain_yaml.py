# SPDX-License-Identifier: Apache-2.0
"""The two short ways through a document: plain YAML, and members of exactly the right type."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.resources.strategies import resources

from percale.resources import KINDS, to_builtins
from percale.resources.documents import read_documents
from percale.resources.exact import exact_resource
from percale.resources.nodes import node_of, plain
from percale.resources.plain_yaml import plain_document
from percale.resources.reader import Reader
from percale.resources.yaml_nodes import NodeParser
from percale.resources.yaml_text import yaml_text

KEYS = ["a", "b", "c", "a-b", "a.b/c", "y", "null", "'a'", "a b", "1", "<<", "A" * 201, "?a"]
VALUES = [
    "", "x", "x y", "x  ", "role == 'a' && has(b)", "8000:8080", "x:", "x: y", "x #", "x#y", "a,b", "[x]", "{}", "{} ",
    "{a: b}", "[]", "1", "010", "-1", "0x1F", "1_000", "1.5", "12345678901234567890", "yes", "null", "~", "-", "- x",
    "--- x", "---", "...", "'q'", "'q' ", "'it''s'", "'q' r", '"d"', '"d\\n"', '"d', "'q\n  r'", "|", ">", "&x y", "*x",
    "!t x", "@x", "%x", "`x", "#x", "2026-01-01", "1:30", "/a", "_", "é", "\tx", "x\t", "=", "http://x/y", "x\r", "🧵",
    "\x85", "\ufeff",
]  # fmt: skip
LINES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "  ", "    ", "   ", " "]),
        st.sampled_from(["", "- ", "-   ", "- - ", "-"]),
        st.one_of(st.just(""), st.builds("{}:{}".format, st.sampled_from(KEYS), st.sampled_from(["", " ", "   "]))),
        st.sampled_from(VALUES),
        st.sampled_from(["", " ", " # note", "\n", "\n# note", "\n   # note"]),
    ),
)
TREES = st.recursive(
    st.sampled_from(["x", "x y", "8000:8080", "role == 'a'", "yes", "1", "no: thing", 1, True, 70000, {}, -5]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(st.sampled_from("abcdef"), inner, min_size=1, max_size=3),
    ),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(st.sampled_from("abcdef"), TREES, min_size=1, max_size=3).map(yaml_text)
CHANGES = st.tuples(
    st.integers(0, 30),
    st.one_of(
        st.sampled_from([" {}", "  {}", "- {}", "{} ", "{} # note", "# {}", "{}:", "{}\n{}", "{}\n", ""]),
        st.sampled_from(VALUES).map(lambda value: "{0}: " + value.replace("{", "{{").replace("}", "}}")),
        st.just("dedent"),
    ),
)  # fmt: skip
MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def agree(text: str) -> bool:
    """Report whether the text is plain; if so, the real parser must read the same and find nothing to say."""
    found = plain_document(text)
    if found is None:
        return False
    parser = NodeParser(text)
    root = parser.parse()
    assert root is not None, parser.problems
    assert parser.problems == []
    assert repr(plain(root)) == repr(found)
    return True


@MANY
@given(st.lists(LINES, max_size=8))
def test_what_is_plain_is_read_as_the_real_parser_does(lines):
    """Whatever stands in the lines, the short way is the same way or none."""
    agree("\n".join(lines))


@MANY
@given(DOCUMENTS, st.lists(CHANGES, max_size=2))
def test_nesting_is_what_the_real_parser_makes_of_it(text, changes):
    """Documents as they are printed, with a line or two spoiled."""
    lines = text.splitlines()
    for number, change in changes:
        line = lines[number % len(lines)]
        head = line.partition(":")[0]
        changed = line[1:] if change == "dedent" else change.format(head if change.startswith("{0}: ") else line, line)
        lines[number % len(lines)] = changed
    agree("\n".join(lines))


@pytest.mark.parametrize(
    "text",
    [
        "a: x\nb:\n  c: 1\n  d:\n  - e: yes\n    f: 'g'\n  - 8000:8080\n",
        "---\na: x\n",
        "# a note\na:\n\n  # another\n  b: x # y\n".replace(" # y", ""),
        "a:\n- b\n- c\nd: e",
        "a:\n  - b\n  -   c: d\n      e: f\n",
        "a: role == 'x' && has(y)  \n",
        'a: "b: c # d"\n',
        "a: {}\n",
    ],
)
def test_the_usual_is_plain(text):
    """What most documents are made of needs no other parser."""
    assert agree(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "# only a note\n", "- a\n", "a\n", "a:\n", "a:\nb: c\n", "a: b\na: c\n", "a: b\n  c: d\n",
        "a:\n  b: c\n d: e\n",
        "a: b\n  c\n", "a: [b]\n", "a: |\n  b\n", "a: &b c\n", "a: b # c\n", "a: null\n", "a: 1.5\n", "y: a\n",
        "a:\tb\n",
        "a: é\n", "a: b: c\n", "a: b:\n", "a: 'b''c'\n", "a: b\n...\n", "a: b\n---\nc: d\n", "a:\n- b:\n- c: d\n",
        f"{'a' * 202}: b\n", "- a: b\n", "a:\n  - b\n - c\n", "a: ''\n''\n", "a: b\r\n",
    ],
)  # fmt: skip
def test_the_rest_is_left_to_the_real_parser(text):
    """Everything else, and everything wrong, has one reader only."""
    assert plain_document(text) is None


def test_depth_is_left_to_the_parser_that_refuses_it():
    """The deepest plain document is far from the limit, one level more is not plain."""
    deep = "".join(f"{' ' * level}a:\n" for level in range(80)) + f"{' ' * 80}a: b\n"
    assert agree(deep)
    deeper = "".join(f"{' ' * level}a:\n" for level in range(81)) + f"{' ' * 81}a: b\n"
    assert plain_document(deeper) is None


@pytest.mark.parametrize("kind", sorted(kind for kind in KINDS if KINDS[kind].aliases))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_an_exact_value_is_the_one_that_the_lenient_reader_makes(kind, data):
    """Members of any shape, one of them perhaps wrong: the same value without a problem, or none."""
    members = to_builtins(data.draw(resources(KINDS[kind].type)))
    del members["kind"], members["apiVersion"]
    data.draw(st.sampled_from([_left_alone, _misspelled, _retyped]))(members, data.draw)
    found = exact_resource(members, KINDS[kind].type)
    if found is None:
        return
    reader = Reader("people")
    wanted = reader.resource(node_of(members), KINDS[kind].type)
    assert reader.problems == []
    assert repr(found) == repr(wanted)


def _left_alone(members, draw):
    pass


def _misspelled(members, draw):
    place = draw(st.sampled_from(list(_mappings(members))))
    if place:
        name = draw(st.sampled_from(sorted(place)))
        place[draw(st.sampled_from([name.upper(), name + "s"]))] = place.pop(name)


def _retyped(members, draw):
    place = draw(st.sampled_from(list(_mappings(members))))
    if place:
        wrong = st.sampled_from([1, True, 1.5, 2**63, "x", "", "1", [], {}, [1], ["x"], {"a": "b"}])
        place[draw(st.sampled_from(sorted(place)))] = draw(wrong)


def _mappings(value):
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from _mappings(item)


def test_an_exact_resource_is_read_the_short_way_and_found_again():
    """A document that took the short way still tells the line of each field."""
    text = (
        "apiVersion: projectcalico.org/v3\nkind: NetworkSet\nmetadata:\n  name: a\n  namespace: b\n"
        "spec:\n  nets:\n  - 192.0.2.0/24\n  - 192.0.2.300/32\n"
    )
    assert plain_document(text) is not None
    (document,) = read_documents(f"---\n{text}", file="sets.yaml")
    (problem,) = (one for one in document.check() if one.shown)
    assert (problem.file, problem.line, problem.column) == ("sets.yaml", 10, 5)


@pytest.mark.parametrize(
    "spec",
    [
        "order: y", "Order: 1", "oder: 1", "selector: 5", "types: {}", "ingress:\n  - action: Allow\n    protocl: TCP",
        "doNotTrack: 1", "ingress:\n  - action: Allow\n    destination:\n      ports:\n      - 70000",
    ],
)  # fmt: skip
def test_what_needs_lenience_or_words_is_not_exact(spec):
    """Other spellings, unknown members and wrong types go to the reader that knows what to say."""
    members = plain_document(f"metadata:\n  name: a\nspec:\n  {spec}\n")
    assert members is not None
    assert exact_resource(members, KINDS["GlobalNetworkPolicy"].type) is None


def test_a_time_has_many_spellings():
    """A moment is never taken as it was written."""
    members = {"metadata": {"name": "a", "creationTimestamp": "2026-01-01T01:00:00+01:00"}}
    assert exact_resource(members, KINDS["Tier"].type) is None
