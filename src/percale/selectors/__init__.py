# SPDX-License-Identifier: Apache-2.0
"""Calico's selector language: parse, canonical text and identity, evaluation, label restrictions."""

from percale.selectors.canonical import make_id
from percale.selectors.errors import SelectorError
from percale.selectors.grammar import MAX_HEIGHT
from percale.selectors.nodes import (
    All,
    And,
    Contains,
    EndsWith,
    Equals,
    Global,
    Has,
    In,
    Node,
    Not,
    NotEquals,
    NotIn,
    Or,
    StartsWith,
)
from percale.selectors.restrictions import Restriction
from percale.selectors.selector import Selector, normalise, parse

__all__ = [
    "MAX_HEIGHT",
    "All",
    "And",
    "Contains",
    "EndsWith",
    "Equals",
    "Global",
    "Has",
    "In",
    "Node",
    "Not",
    "NotEquals",
    "NotIn",
    "Or",
    "Restriction",
    "Selector",
    "SelectorError",
    "StartsWith",
    "make_id",
    "normalise",
    "parse",
]
