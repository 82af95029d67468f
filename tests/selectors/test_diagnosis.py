# SPDX-License-Identifier: Apache-2.0
"""What the user is told about a text that is not a selector."""

import pickle

import pytest

from percale.errors import PercaleError
from percale.selectors import SelectorError, parse


def refusal(text):
    with pytest.raises(SelectorError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "offset", "reason", "hint"),
    [
        ("a = 'b'", 2, "expected an operator after 'a'", "write == to compare"),
        ("a", 1, "found the end", "write has(a)"),
        ("ain {'b'}", 4, "expected an operator after 'ain'", ""),
        ("a containsx 'b'", 2, "found 'containsx'", ""),
        ("a starts with b", 14, "expected a string, found 'b'", "quotes"),
        ("a == 'b", 5, "the string is not closed", "end it with '"),
        ("a == b", 5, "expected a string, found 'b'", "quotes"),
        ("a in 'b'", 5, "expected '{'", "{'a', 'b'}"),
        ("a in {,}", 6, "expected a string or '}'", "quotes"),
        ("a in {'b' 'c'}", 10, "expected ',' or '}'", ""),
        ("a in {'b', 'c", 11, "the string is not closed", "end it with '"),
        ("a in {'b'", 9, "expected ',' or '}', found the end", ""),
        ("has()", 4, "expected a label name, found ')'", "without quotes"),
        ("has('a')", 4, "expected a label name", "without quotes"),
        ("has(a", 5, "expected ')', found the end", "one label name"),
        ("all(x)", 4, "expected ')', found 'x'", "all() takes no argument"),
        ("all ()", 4, "expected an operator", "write all( in small letters and without a blank"),
        ("ALL()", 3, "expected an operator", "write all( in small letters and without a blank"),
        ("'a' == 'b'", 0, "expected a label name", "without quotes"),
        ("has(a) & has(b)", 7, "expected '&&', '||' or the end, found '&'", "write && for 'and'"),
        ("has(a) or has(b)", 7, "found 'or'", "write || for 'or'"),
        ("(has(a) has(b))", 8, "expected '&&', '||' or ')'", ""),
        ("has(a) && ", 10, "found the end", ""),
        ("!", 1, "found the end", ""),
        ("has(a)\n", 6, "found '\\n'", "only spaces and tabs"),
        ("\xa0has(a)", 0, "found '\\xa0'", "only spaces and tabs"),
        ("has(a) && (has(b)", 10, "'(' is not closed", ""),
        ("has(a))", 6, "')' closes no '('", ""),
        ("a == '\udc80'", 6, "half a surrogate pair", ""),
    ],
)
def test_refusal_names_place_reason_and_remedy(text, offset, reason, hint):
    """Each mistake is pointed at where it stands, with what was expected and what to write."""
    error = refusal(text)
    assert error.offset == offset
    assert reason in error.reason
    assert hint in error.hint


def test_refusal_is_one_line_that_quotes_the_text():
    """The message counts characters from 1 and quotes the user's text."""
    assert str(refusal("a == b")) == (
        "expected a string, found 'b' (character 6 of 'a == b'): a value stands in quotes"
    )


def test_long_texts_are_quoted_around_the_mistake():
    """Of a long text only the neighbourhood of the mistake is quoted."""
    message = str(refusal("has(a) && " * 100 + "b = 'c' && " + "has(d) && " * 100))
    assert "b = 'c'" in message
    assert len(message) < 300


def test_refusal_is_the_callers_kind_of_error():
    """SelectorError is a PercaleError and a ValueError, and can cross a process border."""
    error = refusal("a = 'b'")
    assert isinstance(error, PercaleError)
    assert isinstance(error, ValueError)
    twin = pickle.loads(pickle.dumps(error))
    assert (twin.text, twin.offset, str(twin)) == ("a = 'b'", 2, str(error))
