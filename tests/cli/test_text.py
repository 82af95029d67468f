# SPDX-License-Identifier: Apache-2.0
"""Tables, and numbers as Go prints them (spec/cli.md section 9)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from percale.cli.columns import LAYOUTS, joined_and_cut
from percale.cli.go_text import go_number, go_text
from percale.cli.table import bordered, columns
from percale.resources import KINDS


def test_columns_are_filled_up():
    """Each column, also the last, is as wide as its longest cell and three blanks."""
    assert "".join(columns(["A", "LONG"], [["xyz", ""], ["", "1"]])) == (
        "A     LONG   \n"  # no cell
        "xyz          \n"
        "      1      \n"
    )


def test_columns_have_a_least_width():
    """A column is at least five signs wide."""
    assert list(columns(["A"], [])) == ["A    \n"]


def test_width_counts_signs():
    """A sign counts one, however many bytes it has."""
    assert next(columns(["A"], [["äöü"]])) == "A     \n"


def test_borders():
    """Numbers are aligned right, between rules."""
    assert "".join(bordered(["K", "N"], [["a", "1"], ["b", "10"]], right=(1,))) == (
        "+---+----+\n| K | N  |\n+---+----+\n| a |  1 |\n| b | 10 |\n+---+----+\n"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (50, "50"),
        (100.5, "100.5"),
        (123456, "123456"),
        (999999, "999999"),
        (1000000, "1e+06"),
        (12345678, "1.2345678e+07"),
        (0.001, "0.001"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (1e100, "1e+100"),
        (-2.5, "-2.5"),
        (0, "0"),
    ],
)
def test_numbers(value, text):
    """The shortest form, with an exponent below -4 and from 6 on."""
    assert go_number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_back(value):
    """No digit is lost."""
    assert float(go_number(value)) == value


def test_values_as_go_prints_them():
    """Lists, maps, truth values and nothing."""
    assert go_text([1, "a", None, True]) == "[1 a <nil> true]"
    assert go_text({"b": 1, "a": 2}) == "map[a:2 b:1]"


@pytest.mark.parametrize(("width", "text"), [(5, "a,b,c"), (4, "a..."), (3, "...")])
def test_cutting(width, text):
    """A text is cut to its width, the dots included."""
    assert joined_and_cut(["a", "b", "c"], ",", width) == text


def test_every_kind_has_a_layout():
    """Each kind that has a name on the command line can be shown, with headings that have cells."""
    for info in KINDS.values():
        if info.aliases:
            layout = LAYOUTS[info.kind]
            assert set(layout.default + layout.wide) <= set(layout.cells)
            assert ("NAMESPACE" in layout.cells) is info.namespaced
