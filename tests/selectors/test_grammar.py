# SPDX-License-Identifier: Apache-2.0
"""From text to tree (spec/selectors.md sections 1 and 2)."""

import copy
import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.selectors.trees import SPELLED_TREES, TREES

from percale import selectors
from percale.selectors import (
    MAX_HEIGHT,
    All,
    And,
    Contains,
    EndsWith,
    Equals,
    Has,
    In,
    Not,
    NotEquals,
    NotIn,
    Or,
    SelectorError,
    StartsWith,
    parse,
)

WORDS = ["a", "in", "not", "has(", "all(", "global()", "contains", "starts with", "ends", "with", "'x'", '"y"', "é"]
SIGNS = ["==", "!=", "!", "&&", "||", "(", ")", "{", "}", ",", "'", "=", "&", " ", "\t", "\n", "\ud800", "\x00"]
PIECES = st.sampled_from(WORDS + SIGNS)


def tree(text):
    return parse(text).node


def refusal(text):
    try:
        parse(text)
    except SelectorError as error:
        return error
    return None


@given(SPELLED_TREES)
def test_every_spelling_gives_its_tree(spelled):
    """Blanks, quotes, order and repetition in sets, and redundant brackets leave no trace in the tree."""
    node, text = spelled
    assert tree(text) == node


@given(st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join)))
@example("a == '\ud800'")
@example("has(" * 50)
def test_any_text_parses_or_is_refused(text):
    """No text raises anything but SelectorError, whose offset lies within the text or at its end."""
    error = refusal(text)
    if error is not None:
        assert 0 <= error.offset <= len(text)
        assert error.reason
        assert str(error).isprintable()


@pytest.mark.parametrize("text", ["", " ", "\t \t"])
def test_blank_text_means_all(text):
    """An empty or blank selector is all()."""
    assert tree(text) == All()


def test_and_binds_closer_than_or():
    """Without brackets && goes before ||."""
    assert tree("has(a) || has(b) && has(c) || has(d)") == Or([Has("a"), And([Has("b"), Has("c")]), Has("d")])


def test_not_takes_the_whole_comparison():
    """! negates the comparison that follows, not the label."""
    assert tree("!a == 'b' && has(c)") == And([Not(Equals("a", "b")), Has("c")])


def test_only_adjacent_negations_cancel():
    """An even number of ! vanishes; brackets keep them apart."""
    assert tree("! !\t!has(a)") == Not(Has("a"))
    assert tree("!!has(a)") == Has("a")
    assert tree("!(!has(a))") == Not(Not(Has("a")))


def test_brackets_keep_nested_operators_apart():
    """A run of one operator is one node; explicit brackets make a nested one."""
    a, b, c = Has("a"), Has("b"), Has("c")
    assert tree("has(a)||has(b)||has(c)") == Or([a, b, c])
    assert tree("(has(a)||has(b))||has(c)") == Or([Or([a, b]), c])


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("in in {'in'}", In("in", ["in"])),
        ("not not in {'x'}", NotIn("not", ["x"])),
        ("not in {'x'}", In("not", ["x"])),
        ("has == 'a'", Equals("has", "a")),
        ("all != 'x'", NotEquals("all", "x")),
        ("contains contains 'c'", Contains("contains", "c")),
        ("starts starts with 's'", StartsWith("starts", "s")),
        ("ends ends with 'e'", EndsWith("ends", "e")),
    ],
)
def test_words_of_the_language_may_be_labels(text, node):
    """Operator words are operators only directly after a label name."""
    assert tree(text) == node


@pytest.mark.parametrize("name", ["-", "/", "..", "1", "_", "A.b/c-d"])
def test_label_names_have_no_further_structure(name):
    """Any run of letters, digits and _ . / - is a label name."""
    assert tree(f"has({name})") == Has(name)


@pytest.mark.parametrize("text", ["a notin{'b'}", "a not \t in {'b'}", "a\tnot in\t{ 'b' , }"])
def test_blanks_within_operators_are_optional(text):
    """The words of a two-word operator may touch or stand apart."""
    assert tree(text) == NotIn("a", ["b"])


def test_strings_have_no_escapes():
    """A string runs to the next quote of its kind and may hold anything else."""
    assert tree("a == 'x\\'") == Equals("a", "x\\")
    assert tree("a == 'say \"é\"\n&& || ! () {}'") == Equals("a", 'say "é"\n&& || ! () {}')


def test_sets_are_sorted_by_bytes():
    """Values of a set stand in the order of their UTF-8 bytes, once each."""
    assert In("a", ["é", "b", "B", "𝔘", "\uffff", "b", ""]).values == ("", "B", "b", "é", "\uffff", "𝔘")


def test_sets_may_be_empty_and_end_with_a_comma():
    """{} and a trailing comma are accepted."""
    assert tree("a in {}") == In("a", [])
    assert tree("a in {'b','c',}") == In("a", ["b", "c"])


@pytest.mark.parametrize("text", ["{name} == 'x'", "has({name})", "{name} in {{}}", "!(has( {name} ))"])
def test_label_names_end_at_512_bytes(text):
    """512 bytes are a label name, 513 are refused wherever the name stands."""
    assert parse(text.format(name="n" * 512)).node is not None
    with pytest.raises(SelectorError, match="513 bytes long, at most 512"):
        parse(text.format(name="n" * 513))


def test_values_have_no_limit():
    """Only label names are limited in length."""
    assert tree(f"a == '{'v' * 100_000}'") == Equals("a", "v" * 100_000)


@pytest.mark.parametrize("depth", [60, 10_000])
def test_redundant_brackets_may_nest_without_limit(depth):
    """Brackets that leave no node in the tree do not count as depth."""
    assert tree("(" * depth + "has(a)" + ")" * depth) == Has("a")


def _nested(height):
    return "!(" * (height - 1) + "a ends with ''" + ")" * (height - 1)


def test_trees_end_at_the_maximum_height():
    """The tallest tree can be used in every way; one level more is refused."""
    selector = parse(_nested(MAX_HEIGHT))
    assert selector.matches({"a": ""}) is (MAX_HEIGHT % 2 == 1)
    assert selector.canonical == "!" * (MAX_HEIGHT - 1) + 'a ends with ""'
    assert selector.prefixed("p.").canonical == "!" * (MAX_HEIGHT - 1) + 'p.a ends with ""'
    assert selector.restrictions() == {}
    assert hash(selector.node) == hash(selector.prefixed("").node)
    with pytest.raises(SelectorError, match=f"{MAX_HEIGHT + 1} levels deep, at most {MAX_HEIGHT}"):
        parse(_nested(MAX_HEIGHT + 1))


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("!(", ")"), ("(has(a) || has(b) && ", ")"), ("!(has(b) || has(a) && ", ")"), ("(has(a) && !(has(b) || ", "))")],
)
def test_deep_trees_are_refused_cleanly(opening, closing):
    """Whatever nests, thousands of levels end in SelectorError."""
    with pytest.raises(SelectorError, match="levels deep"):
        parse(opening * 10_000 + "has(a)" + closing * 10_000)


def test_every_bracket_may_add_three_levels():
    """The height is right also where few brackets build a tall tree: not, or, and for each of them."""
    brackets = (MAX_HEIGHT - 3) // 3
    tallest = "a == '' || b == '' && " + "!(a == '' || b == '' && " * brackets + "c == ''" + ")" * brackets
    assert parse(tallest).matches({"a": ""}) is True
    with pytest.raises(SelectorError, match=f"{3 * (brackets + 2)} levels deep"):
        parse(f"a == '' || b == '' && !({tallest})")


@given(TREES)
def test_nodes_are_values(node):
    """Equal trees have equal hashes and survive copying and pickling."""
    twin = copy.deepcopy(node)
    assert (twin, hash(twin)) == (node, hash(node))
    assert pickle.loads(pickle.dumps(node)) == node
    assert eval(repr(node), vars(selectors)) == node


def test_nodes_of_another_kind_are_not_equal():
    """Two kinds with the same fields differ."""
    assert Equals("a", "b") != NotEquals("a", "b")
    assert And([Has("a"), Has("b")]) != Or([Has("a"), Has("b")])
    assert Equals("a", "b") != ("a", "b")


def test_nodes_are_frozen():
    """A field of a node can neither be set nor deleted."""
    node = Equals("a", "b")
    with pytest.raises(AttributeError, match="Equals is frozen"):
        node.key = "c"
    with pytest.raises(AttributeError, match="Equals is frozen"):
        del node.key
