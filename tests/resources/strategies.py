# SPDX-License-Identifier: Apache-2.0
"""Resources of every kind and shape, drawn from the types of the models."""

from functools import cache

from hypothesis import strategies as st
from msgspec import inspect

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
PORTS = st.one_of(
    st.integers(0, 65535),
    st.tuples(st.integers(0, 32000), st.integers(32001, 65535)).map(lambda pair: f"{pair[0]}:{pair[1]}"),
    NAMES,
)
NUMBERS = st.one_of(
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: not value.is_integer() or abs(value) >= 1e21),
)
SPECIAL = {
    "Port": PORTS,
    "Protocol": st.one_of(st.integers(0, 255), NAMES),
    "DSCP": st.one_of(st.integers(0, 255), NAMES),
    "IntOrString": st.one_of(st.integers(0, 65535), NAMES),
    "ASNumber": st.integers(0, 4294967295),
    "Duration": st.sampled_from(["0s", "1m30s", "100ms", "2h0m0s", "-1.5s"]),
    "Time": st.sampled_from(["2026-01-02T03:04:05Z", "1999-12-31T23:59:59Z"]),
    "Flag": st.booleans(),
    "Number": NUMBERS,
}


def resources(kind):
    """Any resource of a kind, with any content that its types allow."""
    return _struct(kind)


def _struct(owner):
    fields = {field.name: _values(field.type) for field in inspect.type_info(owner).fields}
    return st.fixed_dictionaries({}, optional=fields).map(lambda members: owner(**members))


def _values(wanted):
    match wanted:
        case inspect.Metadata(extra=extra) if (extra or {}).get("type"):
            return SPECIAL[extra["type"]]
        case inspect.Metadata():
            return _values(wanted.type)
        case inspect.StructType():
            return st.deferred(lambda: _deferred(wanted.cls))
        case inspect.UnionType():
            return st.one_of(
                st.none(), *(_values(one) for one in wanted.types if not isinstance(one, inspect.NoneType))
            )
        case inspect.VarTupleType():
            return st.lists(_values(wanted.item_type), max_size=2).map(tuple)
        case inspect.DictType():
            return st.dictionaries(TEXTS, _values(wanted.value_type), max_size=2)
        case inspect.StrType():
            return TEXTS
        case inspect.IntType():
            low = -(2**63) if wanted.ge is None else wanted.ge
            return st.integers(low, 2**63 - 1 if wanted.le is None else wanted.le)
        case inspect.BoolType():
            return st.booleans()
        case inspect.AnyType():
            return st.one_of(st.booleans(), TEXTS)
        case _:
            raise AssertionError(wanted)


@cache
def _deferred(owner):
    return _struct(owner)
