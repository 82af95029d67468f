# SPDX-License-Identifier: Apache-2.0
"""What a write must not break in the rest of the datastore (spec/validation.md section 5).

Each check looks at one resource in its surroundings and raises the error that refuses it. Which checks a write has to
pass is data: ``CREATE``, ``UPDATE`` and ``DELETE``; ``DEPENDS`` names the kinds that they look at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from percale.client.view import View
from percale.errors import NotFound, NotSupported, Problem, Refused, ValidationError
from percale.resources import BUILT_IN_TIERS, DEFAULT_TIER, Key, Resource
from percale.resources.addresses import Network, parse_network

__all__ = [
    "AFTER_CONTENT",
    "CREATE",
    "DELETE",
    "DEPENDS",
    "SINGLETONS",
    "UPDATE",
    "TierInUse",
    "check_identity",
    "check_singleton",
]

WriteCheck = Callable[[Resource, Resource | None, View], None]
DeleteCheck = Callable[[Key, View], None]

_TIERED = ("NetworkPolicy", "GlobalNetworkPolicy", "StagedNetworkPolicy", "StagedGlobalNetworkPolicy")


class TierInUse(NotSupported):
    """The state's fault: policies still belong to the tier; ``policy`` is one of them."""

    def __init__(self, tier: Key, policy: Key) -> None:
        self.policy = policy
        super().__init__("delete", tier.kind, tier.name, reason=f"it still holds {policy}")

    @property
    def calico_text(self) -> str:
        """Calico's text, which does not name the policy."""
        return f"operation delete is not supported on {self.name}: Cannot delete a non-empty tier"


def _tier_exists(policy: Resource, _old: Resource | None, view: View) -> None:
    tier = Key("Tier", "", policy.spec.tier or DEFAULT_TIER)
    if not view.exists(tier):
        raise NotFound(tier.kind, tier.name)


def _tier_can_go(tier: Key, view: View) -> None:
    if tier.name in BUILT_IN_TIERS:
        raise NotSupported("delete", tier.name, reason=f"Cannot delete the built-in {tier.name} tier")
    for kind in _TIERED:
        for policy in view.all(kind):
            if (policy.spec.tier or DEFAULT_TIER) == tier.name:
                raise TierInUse(tier, policy.key)


def _filters_exist(peer: Resource, _old: Resource | None, view: View) -> None:
    missing = [name for name in peer.spec.filters if not view.exists(Key("BGPFilter", "", name))]
    if missing:
        problems = [
            _problem("spec.filters", "BGPPeer.Spec.Filters", name, f"BGPFilter {name!r} does not exist")
            for name in missing
        ]
        raise ValidationError(problems)


def _pool_fits(pool: Resource, _old: Resource | None, view: View) -> None:
    text = pool.spec.cidr
    network = parse_network(text)
    if network is None or network != network.masked:
        raise ValidationError([_not_masked(text, network)])
    others = [other for other in view.all("IPPool") if other.name != pool.name]
    problems = [
        _problem("spec.cidr", "IPPool.Spec.CIDR", text, f"{text} overlaps {other.spec.cidr} of IPPool {other.name!r}")
        for other in others
        if (there := parse_network(other.spec.cidr)) is not None and there.overlaps(network)
    ]
    if problems:
        raise ValidationError(problems)


def _pool_stays(pool: Resource, old: Resource | None, _view: View) -> None:
    if old is None:
        return
    before, now = old.spec, pool.spec
    network = parse_network(now.cidr)
    problems = []
    if network != parse_network(before.cidr):
        problems.append(_fixed("spec.cidr", "CIDR", now.cidr, before.cidr))
    if _block_size(now.block_size, network) != _block_size(before.block_size, parse_network(before.cidr)):
        problems.append(_fixed("spec.blockSize", "BlockSize", now.block_size, before.block_size))
    if "LoadBalancer" in before.allowed_uses and "LoadBalancer" not in now.allowed_uses:
        uses = list(now.allowed_uses)
        problems.append(_problem("spec.allowedUses", "IPPool.Spec.AllowedUses", uses, "cannot leave LoadBalancer"))
    if problems:
        raise ValidationError(problems)


def _not_masked(text: str, network: Network | None) -> Problem:
    name = "IPPool.Spec.CIDR"
    if network is None:
        message = f"{text!r} is not a CIDR with a prefix length" if text else "is required"
        return _problem("spec.cidr", name, text, message)
    masked = network.masked
    problem = _problem("spec.cidr", name, str(masked), f"{text} has bits beyond its prefix length", f"write {masked}")
    return problem.replace(calico_reason="IPPool CIDR is not strictly masked")


def _fixed(path: str, field: str, value: Any, before: Any) -> Problem:
    hint = "make a new pool, and disable this one"
    problem = _problem(path, f"IPPool.Spec.{field}", value, f"cannot be changed, it is {before}", hint)
    return problem.replace(calico_reason=f"IPPool {field} cannot be modified")


def _blocks_fit(pool: Resource, _old: Resource | None, view: View) -> None:
    network = parse_network(pool.spec.cidr)
    if network is None:
        return
    size = _block_size(pool.spec.block_size, network)
    for text in view.ipam_blocks():
        block = parse_network(text)
        if block is not None and network.contains(block) and block.length != size:
            message = f"{size} does not fit block {text}, which is in use inside the pool"
            raise ValidationError([_problem("spec.blockSize", "IPPool.Spec.BlockSize", size, message)])


def _block_size(size: int, network: Network | None) -> int:
    return size or (26 if network is not None and network.version == 4 else 122)


CREATE: Mapping[str, Sequence[WriteCheck]] = {
    **dict.fromkeys(_TIERED, (_tier_exists,)),
    "BGPPeer": (_filters_exist,),
    "IPPool": (_pool_fits,),
}
UPDATE: Mapping[str, Sequence[WriteCheck]] = {
    "BGPPeer": (_filters_exist,),
    "IPPool": (_pool_fits, _pool_stays),
}
AFTER_CONTENT: Mapping[str, Sequence[WriteCheck]] = {"IPPool": (_blocks_fit,)}
"""What creates and updates are checked for once their content is known to be right."""
DELETE: Mapping[str, Sequence[DeleteCheck]] = {"Tier": (_tier_can_go,)}

DEPENDS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(_TIERED, frozenset({"Tier"})),
    "BGPPeer": frozenset({"BGPFilter"}),
    "IPPool": frozenset({"IPPool"}),
    "Tier": frozenset(_TIERED),
}

SINGLETONS: Mapping[str, frozenset[str]] = {
    "IPAMConfiguration": frozenset({"create", "update"}),
    "ClusterInformation": frozenset({"create"}),
    "KubeControllersConfiguration": frozenset({"create"}),
}
"""Kinds of which there is one, named ``default``, and the operations that insist on it."""


def check_identity(operation: str, resource: Resource) -> None:
    """Refuse a write whose metadata does not fit the operation, by its first fault."""
    metadata = resource.metadata
    if operation == "create":
        if metadata.resource_version:
            version = metadata.resource_version
            message = "must not be set for a new resource"
            reason = "field must not be set for a Create request"
            raise ValidationError([_missing("metadata.resourceVersion", message, reason, version)])
        missing = [("metadata.namespace", metadata.namespace or not resource.namespaced)]
    else:
        missing = [
            ("metadata.resourceVersion", metadata.resource_version),
            ("metadata.namespace", metadata.namespace or not resource.namespaced),
            ("metadata.creationTimestamp", metadata.creation_timestamp),
            ("metadata.uid", metadata.uid),
        ]
    for path, given in missing:
        if not given:
            reason = f"field must be set for {'a Create' if operation == 'create' else 'an Update'} request"
            raise ValidationError([_missing(path, "is required", reason)])


def check_singleton(operation: str, resource: Resource) -> None:
    """Refuse a second resource of a kind of which there is only one."""
    if operation in SINGLETONS.get(resource.kind, ()) and resource.name != "default":
        article = "an" if resource.kind[0] in "AEIOU" else "a"
        raise Refused(f'Cannot {operation} {article} {resource.kind} resource with a name other than "default"')


_CALICO_NAMES = {
    "metadata.resourceVersion": "Metadata.ResourceVersion",
    "metadata.namespace": "Metadata.Namespace",
    "metadata.creationTimestamp": "Metadata.CreationTimestamp",
    "metadata.uid": "Metadata.UID",
}


def _missing(path: str, message: str, reason: str, value: Any = None) -> Problem:
    return Problem(
        path=path,
        message=message,
        value=value,
        rule="metadata",
        calico_name=_CALICO_NAMES[path],
        calico_reason=reason,
    )


def _problem(path: str, calico_name: str, value: Any, message: str, hint: str = "") -> Problem:
    return Problem(path=path, message=message, hint=hint, value=value, rule="surroundings", calico_name=calico_name)
