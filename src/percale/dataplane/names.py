# SPDX-License-Identifier: Apache-2.0
"""Names of kernel objects: a short kind and a hash of what the object stands for, never text that a user wrote.

No name is a word of nft's grammar, so that a ruleset can be dumped and loaded again (spec/dataplane.md section 5.3).
"""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["hashed", "shortened"]

_COMMENT_BYTES = 127


def hashed(kind: str, *identity: object) -> str:
    """The name ``<kind>_<20 hex digits>`` of the object with this identity."""
    text = "\0".join(map(repr, identity))
    return f"{kind}_{blake2b(text.encode(), digest_size=10).hexdigest()}"


def shortened(comment: str) -> str:
    """The comment, cut to what the kernel keeps of it."""
    raw = comment.encode()
    if len(raw) <= _COMMENT_BYTES:
        return comment
    return raw[: _COMMENT_BYTES - 3].decode(errors="ignore") + "…"
