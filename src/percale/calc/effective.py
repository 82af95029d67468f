# SPDX-License-Identifier: Apache-2.0
"""Effective selectors: what a resource's selectors mean once namespaces and service accounts are labels.

The conversions work on text because the reference's do, and both its identities and a few of its meanings depend on
that (spec/selectors.md section 6): ``all()`` is replaced wherever these letters stand.
"""

from __future__ import annotations

from typing import NamedTuple

from percale.resources.rules import EntityRule, ServiceAccountMatch
from percale.selectors import Selector, parse

__all__ = [
    "NAMESPACE_LABEL",
    "NAMESPACE_PREFIX",
    "ORCHESTRATOR_LABEL",
    "SERVICE_ACCOUNT_LABEL",
    "SERVICE_ACCOUNT_PREFIX",
    "EffectivePeer",
    "effective_peer",
    "global_policy_selector",
    "namespaced_policy_selector",
]

NAMESPACE_LABEL = "projectcalico.org/namespace"
SERVICE_ACCOUNT_LABEL = "projectcalico.org/serviceaccount"
ORCHESTRATOR_LABEL = "projectcalico.org/orchestrator"

NAMESPACE_PREFIX = "pcns."
"""Before the name of a namespace's label when an endpoint inherits it."""

SERVICE_ACCOUNT_PREFIX = "pcsa."
"""Before the name of a service account's label when an endpoint inherits it."""

_ALL, _GLOBAL = "all()", "global()"


def namespaced_policy_selector(selector: str, namespace: str, service_account_selector: str = "") -> Selector:
    """Return which endpoints a policy of a namespace applies to (spec/selectors.md section 6.1).

    Raises SelectorError for a text that is no selector.
    """
    text = _in_namespace(namespace)
    if selector.strip():
        text = f"({selector}) && {text}"
    if service_account_selector.strip():
        text = f"({text}) && {_prefixed(service_account_selector, SERVICE_ACCOUNT_PREFIX)}"
    return parse(text)


def global_policy_selector(selector: str, namespace_selector: str = "", service_account_selector: str = "") -> Selector:
    """Return which endpoints a global policy applies to (spec/selectors.md section 6.1).

    Raises SelectorError for a text that is no selector.
    """
    text = selector if selector.strip() else ""
    for added, prefix, label in (
        (namespace_selector, NAMESPACE_PREFIX, NAMESPACE_LABEL),
        (service_account_selector, SERVICE_ACCOUNT_PREFIX, SERVICE_ACCOUNT_LABEL),
    ):
        if added.strip():
            text = _and(text, _prefixed(added, prefix), right_is_closed=True).replace(_ALL, f"has({label})")
    return parse(text)


class EffectivePeer(NamedTuple):
    """What a rule's side asks of labels: the address is a member of ``positive``'s set and not of ``negative``'s.

    At most one of the two is there; neither means that labels do not matter.
    """

    positive: Selector | None = None
    negative: Selector | None = None


_ANY_PEER = EffectivePeer()


def effective_peer(entity: EntityRule, namespace: str = "") -> EffectivePeer:
    """Return the effective selectors of one side of a rule (spec/selectors.md section 6.2).

    ``namespace`` is the policy's, empty for global policies and profiles. Raises SelectorError.
    """
    selector, negative = entity.selector.strip(" \t"), entity.not_selector.strip(" \t")
    namespaces = entity.namespace_selector.strip(" \t")
    accounts = entity.service_accounts
    if not (selector or negative or namespaces or accounts):
        return _ANY_PEER
    wanted = _and(_accounts(accounts), selector) if accounts else selector
    home = _home(namespaces, namespace)
    if home and (wanted or negative or namespaces):
        wanted = f"({home}) && ({wanted})" if wanted else home
    if wanted and negative:
        return EffectivePeer(positive=parse(f"({wanted}) && (!({negative}))"))
    if wanted:
        return EffectivePeer(positive=parse(wanted))
    return EffectivePeer(negative=parse(negative)) if negative else _ANY_PEER


def _home(namespace_selector: str, namespace: str) -> str:
    """The selector of the namespaces that a peer is in, empty for no restriction."""
    if namespace_selector:
        text = _prefixed(namespace_selector, NAMESPACE_PREFIX)
        return text.replace(_ALL, f"has({NAMESPACE_LABEL})").replace(_GLOBAL, f"!has({NAMESPACE_LABEL})")
    return _in_namespace(namespace) if namespace else ""


def _accounts(accounts: ServiceAccountMatch) -> str:
    selector = _prefixed(accounts.selector, SERVICE_ACCOUNT_PREFIX) if accounts.selector.strip() else ""
    names = ", ".join(map(_quoted, accounts.names))
    return _and(selector, f"{SERVICE_ACCOUNT_LABEL} in {{{names}}}") if names else selector


def _in_namespace(namespace: str) -> str:
    return f"{NAMESPACE_LABEL} == {_quoted(namespace)}"


def _prefixed(text: str, prefix: str) -> str:
    return parse(text).prefixed(prefix).canonical


def _and(left: str, right: str, *, right_is_closed: bool = False) -> str:
    """Both texts, or the one that is not empty; a closed text keeps its own brackets."""
    if not (left and right):
        return left or right
    return f"({left}) && {right}" if right_is_closed else f"({left}) && ({right})"


def _quoted(value: str) -> str:
    return f'"{value}"' if "'" in value else f"'{value}'"
