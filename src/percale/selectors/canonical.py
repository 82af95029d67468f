# SPDX-License-Identifier: Apache-2.0
"""The canonical text of a tree and the identity made from it (spec/selectors.md section 4)."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from percale.selectors.nodes import Comparison, Global, Has, Junction, Membership, Node, Not

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["make_id", "render"]

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def render(node: Node) -> str:
    """Return the canonical text of a tree; it keeps the tree's shape, so equal meaning may have different texts."""
    match node:
        case Comparison():
            return f"{node.key} {node.operator} {_quoted(node.value)}"
        case Junction():
            return f"({f' {node.operator} '.join(map(render, node.operands))})"
        case Not():
            return f"!{render(node.operand)}"
        case Membership():
            return f"{node.key} {node.operator} {{{', '.join(map(_quoted, node.values))}}}"
        case Has():
            return f"has({node.key})"
        case _:
            return "global()" if isinstance(node, Global) else "all()"


def _quoted(value: str) -> str:
    return f"'{value}'" if '"' in value else f'"{value}"'


def make_id(prefix: str, content: str) -> str:
    """Return the identity ``prefix:hash`` of a content, where hash is 38 characters of unpadded base64url SHA-224."""
    digest = _sha224()(f"{prefix}:{content}".encode()).digest()
    return f"{prefix}:{b2a_base64(digest, newline=False).translate(_URL_SAFE, b'=').decode()}"


@cache
def _sha224() -> Callable[[bytes], _Hash]:
    # Loaded late: most commands parse selectors and never ask for an identity, and OpenSSL takes longer than we do.
    from hashlib import sha224

    return sha224
