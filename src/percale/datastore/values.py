# SPDX-License-Identifier: Apache-2.0
"""Resources as the bytes that Calico stores in etcd, and back (spec/storage-etcd.md section 2)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec.structs import force_setattr

from percale.errors import PercaleError, Unreadable
from percale.resources import BUILT_IN_TIERS, DEFAULT_TIER, Key, Resource, decode_json, encode_json
from percale.resources.defaults import pool_defaulted
from percale.resources.json_text import STRICT_REFUSALS, strict_decoder

__all__ = ["METADATA_ANNOTATION", "POLICY_KINDS", "as_stored", "from_value", "to_value"]

R = TypeVar("R", bound=Resource)

POLICY_KINDS = frozenset({"NetworkPolicy", "GlobalNetworkPolicy", "StagedNetworkPolicy", "StagedGlobalNetworkPolicy"})
"""The kinds whose stored form carries the name in an annotation, because the key once had a tier's prefix."""

METADATA_ANNOTATION = "projectcalico.org/metadata"
_TIER_LABEL = "projectcalico.org/tier"


def as_stored(resource: R) -> R:
    """Return the resource without what a datastore never keeps: a self link, our own annotation of policies."""
    metadata = resource.metadata
    if metadata.self_link:
        resource = resource.with_metadata(self_link="")
    if METADATA_ANNOTATION in metadata.annotations and resource.kind in POLICY_KINDS:
        kept = {key: text for key, text in metadata.annotations.items() if key != METADATA_ANNOTATION}
        resource = resource.with_metadata(annotations=kept)
    return resource


def to_value(resource: Resource) -> bytes:
    """Return what is stored for a resource; its resource version is not part of it."""
    metadata = resource.metadata
    changes: dict[str, Any] = {}
    if metadata.resource_version:
        changes["resource_version"] = ""
    if metadata.self_link:
        changes["self_link"] = ""
    if resource.kind in POLICY_KINDS:
        name = msgspec.json.encode({"name": metadata.name}).decode()
        changes["annotations"] = {**metadata.annotations, METADATA_ANNOTATION: name}
    value = encode_json(resource.with_metadata(**changes) if changes else resource)
    return _with_text_deleted(value) if resource.kind == "BlockAffinity" else value


def from_value(key: Key, value: bytes, revision: int) -> Resource:
    """Return the stored resource with its version; raises Unreadable if the bytes are no resource of the key's kind."""
    decode, restore = _ways(key.kind)
    try:
        try:
            resource = decode(value)
        except STRICT_REFUSALS:
            resource = decode_json(value, key.kind)
    except (PercaleError, ValueError, RecursionError) as error:
        raise Unreadable(key.kind, key.name, key.namespace, cause=str(error)) from error
    # The object is new and nobody else has it yet; replacing would copy it, twice for each of 250 000.
    metadata = resource.metadata
    force_setattr(metadata, "resource_version", str(revision))
    if not metadata.name:
        force_setattr(metadata, "name", key.name)
    return restore(resource) if restore else resource


@cache
def _ways(kind: str) -> tuple[Callable[[bytes], Resource], Callable[[Resource], Resource] | None]:
    """How values of a kind are decoded, and what a resource of it gets back of what is not stored, or otherwise."""
    if kind == "BlockAffinity":
        return lambda value: decode_json(_with_boolean_deleted(value), kind), None
    restored = {**dict.fromkeys(POLICY_KINDS, _restored_policy), "Tier": _restored_tier, "IPPool": pool_defaulted}
    return strict_decoder(kind), restored.get(kind)


def _restored_policy(policy: Resource) -> Resource:
    metadata, tier = policy.metadata, policy.spec.tier or DEFAULT_TIER
    text = metadata.annotations.pop(METADATA_ANNOTATION, None)
    name = _annotated_name(text)
    if name:
        force_setattr(metadata, "name", name)
    elif text is None and tier == DEFAULT_TIER:
        # Calico up to 3.29 put the tier before the name.
        force_setattr(metadata, "name", metadata.name.removeprefix(f"{DEFAULT_TIER}."))
    metadata.labels.setdefault(_TIER_LABEL, tier)
    return policy


def _annotated_name(text: str | None) -> str:
    try:
        name = msgspec.json.decode(text).get("name", "") if text else ""
    except (msgspec.DecodeError, AttributeError):
        return ""
    return name if isinstance(name, str) else ""


def _restored_tier(tier: Resource) -> Resource:
    order, action = BUILT_IN_TIERS.get(tier.name, (None, None))
    spec = tier.spec
    if spec.order is None and order is not None:
        force_setattr(spec, "order", order)
    if spec.default_action is None and action is not None:
        force_setattr(spec, "default_action", action)
    return tier


def _with_text_deleted(value: bytes) -> bytes:
    """Write ``spec.deleted`` of a block affinity as text, as the reference stores it."""
    document = msgspec.json.decode(value)
    document["spec"]["deleted"] = "true" if document["spec"].get("deleted") else "false"
    return msgspec.json.encode(document)


def _with_boolean_deleted(value: bytes) -> bytes:
    document = msgspec.json.decode(value)
    spec = document.get("spec") or {}
    if isinstance(text := spec.get("deleted"), str):
        if text not in ("true", "false"):
            raise ValueError(f"spec.deleted: {text!r} is neither 'true' nor 'false'")
        spec["deleted"] = text == "true"
    return msgspec.json.encode(document)
