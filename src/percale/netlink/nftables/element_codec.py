# SPDX-License-Identifier: Apache-2.0
"""Set elements to and from the kernel's attributes, by the hundred thousand (linux/netfilter/nf_tables.h).

    LIST_ELEM (1), nested
        KEY (1)      { VALUE (1) }
        DATA (2)     { VALUE (1) | VERDICT (2) { CODE (1), CHAIN (2) } }
        FLAGS (3)    1: this key ends an interval, exclusively
        KEY_END (10) { VALUE (1) }, inclusively; only in concatenated interval sets

A plain interval set knows no KEY_END: from low to high is an element ``low`` and, unless high is all ones, an end
element ``high + 1``. Messages are cut before 60 kB, since the length of an attribute has 16 bits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby

from percale.netlink.attributes import NESTED, attribute, be32, nested, pairs, parse
from percale.netlink.nftables.expression_codec import decode_datum, encode_datum
from percale.netlink.nftables.expressions import Verdict
from percale.netlink.nftables.objects import Element, Set
from percale.netlink.nftables.operations import Members

__all__ = ["decode_elements", "decode_keys", "encode_element_lists"]

_ELEMENTS_ATTRIBUTE = 3
_LIST_ELEM, _KEY, _DATA, _FLAGS, _KEY_END, _VALUE = 1, 1, 2, 3, 10, 1
_INTERVAL_END = 1
_LIST_MAXIMUM = 60_000

_HEADER = struct.Struct("=HH")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
_END_FLAG = be32(_FLAGS, _INTERVAL_END)


def encode_element_lists(item: Set, elements: Members, *, deletion: bool = False) -> Iterator[bytes]:
    """The elements as attributes of the least number of messages; deletion leaves the data out."""
    if not elements:
        return
    if isinstance(elements[0], bytes):
        yield from _encode_keys(item.key_length, elements)  # type: ignore[arg-type]
        return
    encoded = _encode_elements(item, elements, deletion)  # type: ignore[arg-type]
    chunk: list[bytes] = []
    room = _LIST_MAXIMUM
    for element in encoded:
        room -= len(element)
        if room < 0:
            yield nested(_ELEMENTS_ATTRIBUTE, *chunk)
            chunk, room = [], _LIST_MAXIMUM - len(element)
        chunk.append(element)
    yield nested(_ELEMENTS_ATTRIBUTE, *chunk)


def _encode_keys(length: int, keys: Sequence[bytes]) -> Iterator[bytes]:
    """Bare keys of one length: all bytes but the key are the same, so one ``join`` makes a list of them."""
    if set(map(len, keys)) != {length}:
        wrong = next(key for key in keys if len(key) != length)
        raise ValueError(f"the key {wrong.hex()} has {len(wrong)} bytes; the set's keys have {length}")
    head, padding = _element_head(length), _PADDING[length & 3]
    between = padding + head
    per_list = _LIST_MAXIMUM // (length + len(between))
    for start in range(0, len(keys), per_list):
        chunk = keys[start : start + per_list]
        yield nested(_ELEMENTS_ATTRIBUTE, head, between.join(chunk), padding)


@lru_cache(maxsize=64)
def _element_head(length: int) -> bytes:
    """All that stands before the key of an element that has nothing else."""
    padded = (length + 3) & ~3
    element = _HEADER.pack(12 + padded, _LIST_ELEM | NESTED)
    return element + _HEADER.pack(8 + padded, _KEY | NESTED) + _HEADER.pack(4 + length, _VALUE)


def _encode_elements(item: Set, elements: Sequence[Element], deletion: bool) -> Iterator[bytes]:
    datum = _no_datum if deletion or item.data is None else _encode_datum
    if item.interval:
        encode = _encode_range if len(item.key) > 1 else _encode_interval
        for element in elements:
            yield encode(element, datum(element.data))
        return
    head, padding = _element_head(item.key_length)[4:], _PADDING[item.key_length & 3]
    pack = _HEADER.pack
    for key, _, data in elements:
        body = head + key + padding + datum(data)
        yield pack(len(body) + 4, _LIST_ELEM | NESTED) + body


def _no_datum(_: Verdict | bytes | None) -> bytes:
    return b""


# Verdict maps hold few different verdicts, and a map's data repeat more often than its keys.
@lru_cache(maxsize=8192)
def _encode_datum(datum: Verdict | bytes | None) -> bytes:
    return b"" if datum is None else encode_datum(_DATA, datum)


def _key(kind: int, key: bytes) -> bytes:
    return nested(kind, attribute(_VALUE, key))


def _encode_range(element: Element, datum: bytes) -> bytes:
    end = element.key if element.key_end is None else element.key_end
    return nested(_LIST_ELEM, _key(_KEY, element.key), datum, _key(_KEY_END, end))


def _encode_interval(element: Element, datum: bytes) -> bytes:
    low = nested(_LIST_ELEM, _key(_KEY, element.key), datum)
    after = _successor(element.key if element.key_end is None else element.key_end)
    return low if after is None else low + nested(_LIST_ELEM, _key(_KEY, after), _END_FLAG)


def _successor(key: bytes) -> bytes | None:
    """The key after this one, or None after the last."""
    number = int.from_bytes(key, "big") + 1
    return None if number >> (8 * len(key)) else number.to_bytes(len(key), "big")


def _predecessor(key: bytes) -> bytes:
    return (int.from_bytes(key, "big") - 1).to_bytes(len(key), "big")


def decode_elements(item: Set, payloads: Iterable[bytes]) -> list[Element]:
    """The elements of a set from the payloads of its dump's element lists; those of interval sets sorted by key."""
    raw = [_decode_element(entry) for payload in payloads for _, entry in pairs(payload)]
    if not item.interval:
        return [Element(key, None, data) for key, _, data, _ in raw]
    if len(item.key) > 1:
        return sorted(Element.between(key, end or key, data) for key, end, data, _ in raw)
    return _join_intervals(item.key_length, raw)


_Raw = tuple[bytes, bytes | None, Verdict | bytes | None, bool]


def _decode_element(entry: bytes) -> _Raw:
    attributes = parse(entry)
    key, end = parse(attributes[_KEY])[_VALUE], attributes.get(_KEY_END)
    data = attributes.get(_DATA)
    ends = bool(int.from_bytes(attributes.get(_FLAGS, b""), "big") & _INTERVAL_END)
    return key, None if end is None else parse(end)[_VALUE], None if data is None else decode_datum(data), ends


def _join_intervals(length: int, raw: list[_Raw]) -> list[Element]:
    """Pair each low end with the next key, which ends it: an end element, or the low end of an adjacent interval."""
    raw.sort(key=lambda one: (one[0], not one[3]))
    joined = []
    for position, (key, _, data, ends) in enumerate(raw):
        if ends:
            continue
        following = raw[position + 1][0] if position + 1 < len(raw) else None
        high = b"\xff" * length if following is None else _predecessor(following)
        joined.append(Element.between(key, high, data))
    return joined


def decode_keys(item: Set, payloads: Iterable[bytes]) -> list[bytes]:
    """The bare keys of a set that has neither data nor intervals, from the payloads of its dump's element lists."""
    length = item.key_length
    head, padding = _element_head(length), len(_PADDING[length & 3])
    record = struct.Struct(f"={len(head)}s{length}s{padding}x")
    keys: list[bytes] = []
    for payload in payloads:
        if len(payload) % record.size == 0 and _is_uniform(payload, head, record):
            keys.extend(key for _, key in record.iter_unpack(payload))
        else:  # elements with more than a key, such as another program's comments
            keys.extend(_decode_element(entry)[0] for _, entry in pairs(payload))
    return keys


def _is_uniform(payload: bytes, head: bytes, record: struct.Struct) -> bool:
    return [one for one, _ in groupby(heading for heading, _ in record.iter_unpack(payload))] == [head]
