# SPDX-License-Identifier: Apache-2.0
"""Checks of rules and their parts (spec/validation.md sections 4.3 to 4.5)."""

from __future__ import annotations

import re

from percale.resources.addresses import parse_network
from percale.resources.checks.metadata import check_annotations
from percale.resources.checks.schema import count, enum, length, span, whole
from percale.resources.checks.site import Rulebook, Site, each, states
from percale.resources.checks.tokens import limits, token, token_of
from percale.resources.fields import port_range
from percale.resources.rules import (
    EntityRule,
    HTTPMatch,
    HTTPPath,
    ICMPFields,
    Rule,
    RuleMetadata,
    ServiceAccountMatch,
    ServiceMatch,
)

__all__ = ["GLOBAL_CALL", "RULES", "RULE_ACTIONS", "check_port", "check_protocol", "with_ports"]

RULE_ACTIONS = ("Allow", "Deny", "Log", "Pass")
GLOBAL_CALL = "global("

_PROTOCOL_NAMES = ("TCP", "UDP", "ICMP", "ICMPv6", "SCTP", "UDPLite")
_PORT_PROTOCOLS = {"TCP", "UDP", "SCTP", "tcp", "udp", "sctp", 6, 17, 132}
_SIDES = (("source", "nets"), ("source", "not_nets"), ("destination", "nets"), ("destination", "not_nets"))
_PORT_LISTS = (("source", "ports"), ("source", "not_ports"), ("destination", "ports"), ("destination", "not_ports"))
_LONE_GLOBAL = re.compile(r"\s*global\(\s*\)\s*")


@states(f"one of {', '.join(_PROTOCOL_NAMES)}, or a number from 1")
def check_protocol(site: Site) -> None:
    """Check a protocol's number or name."""
    value = site.value
    if value is None or value in _PROTOCOL_NAMES or (isinstance(value, int) and value > 0):
        return
    alike = [name for name in _PROTOCOL_NAMES if isinstance(value, str) and name.lower() == value.lower()]
    hint = f"write it {alike[0]}" if alike else f"use {', '.join(_PROTOCOL_NAMES)} or a number from 1 to 255"
    message = f"{value!r} is not a protocol" if value != 0 else "a protocol is required"
    reason = "protocol name invalid" if isinstance(value, str) else "protocol number invalid"
    site.refuse(message, hint, name="Protocol", reason=reason, rule="protocol")


def with_ports(value: int | str | None) -> bool:
    """Report whether a protocol has ports."""
    return value in _PORT_PROTOCOLS


@states("a port, a range of ports, or the name of a port")
def check_port(site: Site) -> None:
    """Check a port, a range or the name of a port."""
    value = site.value
    if value is None:
        return
    if (bounds := port_range(value)) is None:
        known = token_of("portName")
        if not known.accepts(value):
            site.refuse(f"{value!r} {known.message}", known.why(value), name="PortName", rule="port")
    elif bounds[0] == 0:
        site.refuse(
            f"{value} is not a port", "ports are 1 to 65535", name="Port", reason="port range invalid", rule="port"
        )


def _icmp_code(site: Site) -> None:
    icmp = site.value
    if icmp.code is not None and icmp.type is None:
        whole(site, "an ICMP code needs a type", "add type", reason="ICMP code specified without an ICMP type")


def _http(site: Site) -> None:
    methods = site.value.methods
    if len(set(methods)) != len(methods):
        site.at("methods").refuse("a method stands twice", "name each once", name="Methods")
    for index, path in enumerate(site.value.paths):
        here = site.at("paths").item(index)
        if bool(path.exact) == bool(path.prefix):
            here.refuse("a path has exactly one of exact and prefix", name="Paths", value=None)
            continue
        text = path.exact or path.prefix
        if not text.startswith("/") or set(text) & set("?# "):
            here.refuse(
                f"{text!r} is not a path", "begin with '/'; leave out '?', '#' and blanks", name="Paths", value=text
            )


def _entity(site: Site) -> None:
    selector = site.value.namespace_selector
    if GLOBAL_CALL in selector and _LONE_GLOBAL.fullmatch(selector) is None:
        site.at("namespace_selector").refuse(
            "global() must stand alone",
            "select global endpoints in a rule of their own",
            name="NamespaceSelector field",
        )


def _entity_schema(site: Site) -> None:
    entity = site.value
    if GLOBAL_CALL in entity.selector:
        whole(site, "global() is for namespaceSelector only", "move it from selector to namespaceSelector")
    services = entity.services
    if services is None:
        return
    if not services.name:
        whole(site, "services needs the name of a service", "add services.name")
    others = (entity.namespace_selector, entity.selector, entity.not_selector, entity.nets, entity.not_nets)
    if any(others):
        whole(site, "services cannot stand with selectors or nets", "use two rules")
    if entity.service_accounts is not None:
        whole(site, "services cannot stand with serviceAccounts", "use two rules")


def _rule(site: Site) -> None:
    rule = site.value
    for side, name in _PORT_LISTS:
        if getattr(getattr(rule, side), name):
            _ports(site, side, name)
    families: set[int] = set()
    for side, name in _SIDES:
        if getattr(getattr(rule, side), name):
            _nets(site, side, name, families)


def _ports(site: Site, side: str, name: str) -> None:
    rule = site.value
    here = site.at(side).at(name)
    numeric = any(port_range(value) is not None for value in here.value)
    if rule.protocol is None and numeric:
        reason = "rules with numeric port or port range must set protocol to TCP or UDP or SCTP"
    elif rule.protocol is not None and here.value and not with_ports(rule.protocol):
        reason = "rules with ports must set protocol to TCP or UDP or SCTP"
    else:
        return
    hint = "set protocol to TCP, UDP or SCTP"
    here.refuse("ports need a protocol that has ports", hint, name=_side(side, here), reason=reason)


def _nets(site: Site, side: str, name: str, families: set[int]) -> None:
    rule = site.value
    here = site.at(side).at(name)
    cited = _side(side, here)
    for index, text in enumerate(here.value):
        item = here.item(index)
        network = parse_network(text)
        if network is None:
            address = parse_network(text, bare=True)
            hint = f"write {text}/{address.length}" if address else token_of("net").why(text)
            message = f"{text!r} is not a CIDR with a prefix length"
            # What is no address either has been refused by its form already.
            item.refuse(message, hint, name=cited, reason="invalid CIDR", shown=address is not None)
            continue
        if name == "not_nets" and (text == "0.0.0.0/0" or str(network.masked) == "::/0"):
            item.refuse(f"{text} excludes every address", "remove the rule, or narrow the network", name=cited)
        if rule.ip_version is not None and network.version != rule.ip_version:
            item.refuse(
                f"{text} is IPv{network.version}, the rule says ipVersion {rule.ip_version}",
                name=cited,
                reason="rule IP version doesn't match CIDR version",
            )
        if families and network.version not in families:
            item.refuse(
                "a rule cannot mix IPv4 and IPv6",
                "use one rule per family",
                name=cited,
                reason="rule contains both IPv4 and IPv6 CIDRs",
            )
        families.add(network.version)


def _side(side: str, site: Site) -> str:
    return f"{side.capitalize()}.{site.member}"


def _rule_schema(site: Site) -> None:
    rule = site.value
    icmp_version = {"ICMP": 4, 1: 4, "ICMPv6": 6, 58: 6}
    if rule.icmp is not None and rule.protocol not in icmp_version:
        whole(
            site,
            "icmp needs protocol ICMP or ICMPv6",
            "set protocol",
            reason="protocol must be ICMP or ICMPv6 with icmp",
        )
    for protocol in (rule.protocol, rule.not_protocol):
        wanted = icmp_version.get(protocol)
        if wanted and rule.ip_version is not None and rule.ip_version != wanted:
            whole(
                site,
                f"{protocol} belongs to IPv{wanted}, the rule says ipVersion {rule.ip_version}",
                "change one of them",
            )
    if rule.http is not None and rule.action != "Allow":
        whole(site, "http is for rules with action Allow only", "use Allow, or remove http")
    if rule.http is not None and rule.protocol not in (None, "TCP", 6):
        whole(site, "http needs protocol TCP", "set protocol to TCP")
    destination = rule.destination
    if destination.services is not None and (destination.ports or destination.not_ports):
        whole(site, "destination.services brings its own ports", "remove destination.ports and notPorts")


@states("4 or 6", enum=[4, 6])
def _ip_version(site: Site) -> None:
    if site.value not in (None, 4, 6):
        whole(site, f"{site.value} is not an IP version", "use 4 or 6", reason='supported values: "4", "6"')


_selector = token("selector")
_nets_token = each(token("net"))
_ports_token = each(check_port)
RULES = Rulebook(
    members={
        Rule: {"protocol": check_protocol, "not_protocol": check_protocol},
        ICMPFields: {"type": limits(least=0, most=254), "code": limits(least=0, most=255)},
        EntityRule: {
            "nets": _nets_token,
            "selector": _selector,
            "namespace_selector": _selector,
            "ports": _ports_token,
            "not_nets": _nets_token,
            "not_selector": _selector,
            "not_ports": _ports_token,
        },
        ServiceMatch: {"name": token("name"), "namespace": token("name")},
        ServiceAccountMatch: {"selector": _selector},
        RuleMetadata: {"annotations": check_annotations},
    },
    structures={Rule: _rule, EntityRule: _entity, HTTPMatch: _http},
    schema={
        Rule: {"action": enum(*RULE_ACTIONS, written=True), "ip_version": _ip_version},
        ICMPFields: {"type": span(0, 254, written=True), "code": span(0, 255, written=True)},
        EntityRule: {
            "nets": count(256),
            "selector": length(1024),
            "namespace_selector": length(1024),
            "ports": count(50),
            "not_nets": count(256),
            "not_selector": length(1024),
            "not_ports": count(50),
        },
        ServiceMatch: {"name": length(253), "namespace": length(253)},
        HTTPMatch: {"methods": count(20), "paths": count(20)},
        HTTPPath: {"exact": length(1024), "prefix": length(1024)},
    },
    schema_rules={Rule: _rule_schema, EntityRule: _entity_schema, ICMPFields: _icmp_code},
)
