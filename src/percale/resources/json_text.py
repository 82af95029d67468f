# SPDX-License-Identifier: Apache-2.0
"""Resources as JSON text, byte for byte as Calico's client writes it (spec/storage-etcd.md section 2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec

from percale.resources.kinds import KINDS
from percale.resources.resource import API_VERSION, Resource

__all__ = [
    "STRICT_REFUSALS",
    "decode_json",
    "encode_json",
    "encode_json_list",
    "go_json",
    "strict_decoder",
    "to_builtins",
]

R = TypeVar("R", bound=Resource)

STRICT_REFUSALS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_ENCODER = msgspec.json.Encoder(order="deterministic")
# Go writes these so that JSON can stand inside HTML; in JSON text they occur only within strings.
_ESCAPES = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)


def encode_json(resource: Resource, *, indent: int = 0) -> bytes:
    """Return the resource as JSON in Calico's order of members; ``indent`` 0 is the compact form of the datastore."""
    text = _escaped(_head(resource.kind) + _body(resource)[1:])
    return msgspec.json.format(text, indent=indent) if indent else text


def encode_json_list(kind: str, items: Sequence[Resource], *, resource_version: str = "", indent: int = 0) -> bytes:
    """Return a typed list (``WorkloadEndpointList``) as JSON."""
    metadata = _ENCODER.encode({"resourceVersion": resource_version} if resource_version else {})
    body = b",".join(encode_json(item) for item in items)
    text = _head(f"{kind}List") + b'"metadata":' + metadata + b',"items":[' + body + b"]}"
    return msgspec.json.format(text, indent=indent) if indent else text


def decode_json(text: bytes | str, kind: str | type[R]) -> Any:
    """Return the stored resource of this kind; unknown members are ignored, ``null`` counts as absent.

    Raises ValidationError when the text is no JSON or a member has the wrong type.
    """
    name = kind if isinstance(kind, str) else kind.kind
    try:
        return strict_decoder(name)(text)
    except STRICT_REFUSALS:
        # Imported only for values that the strict decoder refuses: nulls, other letter case, real faults.
        from percale.resources.reader import read_json

        return read_json(text, KINDS[name].type, source="stored")


@cache
def strict_decoder(kind: str) -> Callable[[bytes | str], Any]:
    """Return what decodes a resource of a kind from JSON without any fault, as percale writes it.

    It raises STRICT_REFUSALS for all else, of which ``decode_json`` may still make something.
    """
    return msgspec.json.Decoder(KINDS[kind].type).decode


def to_builtins(resource: Resource) -> dict[str, Any]:
    """Return the resource as dicts, lists and scalars with Calico's member names, in Calico's order."""
    members: dict[str, Any] = msgspec.to_builtins(resource)
    return {"kind": resource.kind, "apiVersion": API_VERSION, **members}


def go_json(value: Any, *, indent: int = 0) -> bytes:
    """Return builtins as Go would encode them, keys in the order given."""
    text = _escaped(msgspec.json.encode(_with_go_floats(value)))
    return msgspec.json.format(text, indent=indent) if indent else text


@cache
def _head(kind: str) -> bytes:
    return f'{{"kind":"{kind}","apiVersion":"{API_VERSION}",'.encode()


def _body(resource: Resource) -> bytes:
    if isinstance(getattr(resource.spec, "order", None), float):
        return msgspec.json.encode(_with_go_floats(msgspec.to_builtins(resource, order="deterministic")))
    return _ENCODER.encode(resource)


def _escaped(text: bytes) -> bytes:
    for plain, escape in _ESCAPES:
        if plain in text:
            text = text.replace(plain, escape)
    return text


def _with_go_floats(value: Any) -> Any:
    match value:
        case float():
            return msgspec.Raw(_go_float(value).encode())
        case dict():
            return {key: _with_go_floats(item) for key, item in value.items()}
        case list() | tuple():
            return [_with_go_floats(item) for item in value]
        case _:
            return value


def _go_float(value: float) -> str:
    if value and not 1e-6 <= abs(value) < 1e21:
        mantissa, _, exponent = f"{value:e}".partition("e")
        digits, _, shortest = repr(value).partition("e")
        mantissa = digits if shortest else mantissa
        return f"{mantissa.removesuffix('.0')}e{int(shortest or exponent):+}"
    if value.is_integer():
        return str(int(value))
    return format(_decimal(value), "f")


def _decimal(value: float) -> Any:
    from decimal import Decimal  # rarely needed, and slow to import

    return Decimal(repr(value))
