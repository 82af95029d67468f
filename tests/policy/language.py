# SPDX-License-Identifier: Apache-2.0
"""Words for tests of verdicts: rules, and outcomes to compare with."""

from __future__ import annotations


def _rule(action, src, dst, fields):
    rule = {"action": action, **fields}
    for side, wanted in (("source", src), ("destination", dst)):
        if isinstance(wanted, str):
            rule[side] = {"selector": wanted}
        elif wanted:
            rule[side] = wanted
    return rule


def allow(src=None, dst=None, **fields):
    """A rule that allows; src and dst are selectors or whole peers."""
    return _rule("Allow", src, dst, fields)


def deny(src=None, dst=None, **fields):
    return _rule("Deny", src, dst, fields)


def pass_(src=None, dst=None, **fields):
    return _rule("Pass", src, dst, fields)


def log(src=None, dst=None, **fields):
    return _rule("Log", src, dst, fields)


def tcp(*ports, **fields):
    """The fields of a rule for TCP to these ports."""
    return {"protocol": "TCP", "dst": {"ports": list(ports), **fields}}


def allowed(owner=None, *, rule=None, reason=None):
    return _outcome("allow", owner, rule, reason, None)


def denied(owner=None, *, rule=None, reason=None, tier=None):
    return _outcome("deny", owner, rule, reason, tier)


def _outcome(verdict, owner, rule, reason, tier):
    if owner is not None:
        return verdict, owner, rule
    return tuple(filter(None, (verdict, reason, tier)))
