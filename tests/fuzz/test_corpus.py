# SPDX-License-Identifier: Apache-2.0
"""Every input that a search once found interesting, and those that broke something, are replayed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("name", TARGETS)
def test_corpus_is_survived(name):
    """Each kept input is read or refused."""
    inputs = sorted((CORPUS / name).iterdir())
    assert inputs
    for path in inputs:
        TARGETS[name](path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_survived(name, data):
    """Any bytes at all are read or refused."""
    TARGETS[name](data)


@given(text=st.text("ab:-[]{}&*!|>'\"#%@, \n\t0~<yn.", max_size=60))
def test_any_document_of_signs_is_survived(text):
    """Any document of YAML's own signs is read or refused."""
    TARGETS["documents"](text.encode())


def test_each_kept_input_belongs_to_a_target():
    """A folder that no target reads would be forgotten."""
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
