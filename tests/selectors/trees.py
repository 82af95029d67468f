# SPDX-License-Identifier: Apache-2.0
"""Random selectors: trees, the many ways to spell one, and the meaning of a tree by plain recursion."""

from hypothesis import strategies as st

from percale.selectors import (
    All,
    And,
    Contains,
    EndsWith,
    Equals,
    Global,
    Has,
    In,
    Not,
    NotEquals,
    NotIn,
    Or,
    StartsWith,
)

# Names that are also words of the language, and few enough that labels and selectors meet.
NAMES = st.sampled_from(["a", "b", "in", "not", "has", "all", "contains", "starts", "kubernetes.io/name", "-"])
VALUES = st.sampled_from(["", "x", "xy", "yx", "é", "a b", "}", "&&", "all()", "\n", "it's", "𝔘"])
LABELS = st.dictionaries(NAMES, VALUES, max_size=6)

_COMPARISONS = [Equals, NotEquals, Contains, StartsWith, EndsWith]

LEAVES = st.one_of(
    st.just(All()),
    st.just(Global()),
    st.builds(Has, NAMES),
    *(st.builds(kind, NAMES, VALUES) for kind in _COMPARISONS),
    *(st.builds(kind, NAMES, st.lists(VALUES, max_size=4)) for kind in (In, NotIn)),
)


def _grown(children):
    operands = st.lists(children, min_size=2, max_size=4)
    return st.one_of(st.builds(Not, children), st.builds(And, operands), st.builds(Or, operands))


TREES = st.recursive(LEAVES, _grown, max_leaves=20)

_BLANKS = st.sampled_from(["", " ", "\t", " \t "])


@st.composite
def spelled(draw, node):
    """One of the texts that parse to exactly this tree."""
    blank = lambda: draw(_BLANKS)  # noqa: E731
    match node:
        case All():
            text = f"all({blank()})"
        case Global():
            text = f"global({blank()})"
        case Has(key):
            text = f"has({blank()}{key}{blank()})"
        case In(key, values) | NotIn(key, values):
            items = "".join(f"{blank()}{_quoted(draw, value)}{blank()}," for value in _shuffled(draw, values))
            items = draw(st.sampled_from([items, items.removesuffix(",")]))
            text = f"{key} {_operator(draw, node)}{blank()}{{{blank()}{items}{blank()}}}"
        case Not(operand):
            # A second "!" in front would cancel the first: what stands behind it keeps brackets of its own.
            text = f"!{blank()}{_bracketed(draw, operand, always=isinstance(operand, Not | And | Or))}"
        case And(operands):
            parts = [_bracketed(draw, operand, always=isinstance(operand, And | Or)) for operand in operands]
            text = f"{blank()}&&{blank()}".join(parts)
        case Or(operands):
            parts = [_bracketed(draw, operand, always=isinstance(operand, Or)) for operand in operands]
            text = f"{blank()}||{blank()}".join(parts)
        case _:
            text = f"{node.key} {_operator(draw, node)}{blank()}{_quoted(draw, node.value)}"
    return f"{blank()}{text}{blank()}"


def _shuffled(draw, values):
    return draw(st.permutations(values)) + draw(
        st.lists(st.sampled_from(values), max_size=2) if values else st.just([])
    )


def _operator(draw, node):
    return draw(_BLANKS).join(node.operator.split())


def _quoted(draw, value):
    quotes = [quote for quote in "'\"" if quote not in value]
    quote = draw(st.sampled_from(quotes))
    return f"{quote}{value}{quote}"


def _bracketed(draw, node, *, always):
    text = draw(spelled(node))
    return f"({text})" if always or draw(st.booleans()) else text


SPELLED_TREES = TREES.flatmap(lambda node: st.tuples(st.just(node), spelled(node)))


def meaning(node, labels):
    """Report whether labels match a tree, straight from the table of spec/selectors.md section 3."""
    match node:
        case All() | Global():
            return True
        case Has(key):
            return key in labels
        case Equals(key, value):
            return key in labels and labels[key] == value
        case NotEquals(key, value):
            return key not in labels or labels[key] != value
        case In(key, values):
            return key in labels and labels[key] in values
        case NotIn(key, values):
            return key not in labels or labels[key] not in values
        case Contains(key, value):
            return key in labels and labels[key].find(value) >= 0
        case StartsWith(key, value):
            return key in labels and labels[key][: len(value)] == value
        case EndsWith(key, value):
            return key in labels and labels[key][len(labels[key]) - len(value) :] == value
        case Not(operand):
            return not meaning(operand, labels)
        case And(operands):
            return all(meaning(operand, labels) for operand in operands)
        case Or(operands):
            return any(meaning(operand, labels) for operand in operands)
    raise AssertionError(f"unknown node {node!r}")
