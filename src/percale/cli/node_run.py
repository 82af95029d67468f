# SPDX-License-Identifier: Apache-2.0
"""``node run``: make this host a node, and run its agent (spec/cli.md section 11)."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from ipaddress import ip_interface
from typing import TYPE_CHECKING

from percale.cli.autodetection import Interface, Method, interfaces_here, read_method
from percale.cli.command import CONFIG, Arguments, Call, Command, CommandFailed, Flag
from percale.cli.config import datastore_flags
from percale.cli.session import Session
from percale.errors import NotFound, PercaleError
from percale.resources import IPPool, IPPoolSpec, Node, NodeBGPSpec, ObjectMeta, Resource

if TYPE_CHECKING:
    from percale.client import Client

__all__ = ["COMMAND", "needs_root", "run"]

_DETECT = "autodetect"
_CONTAINERS = (
    Flag("log-dir", value="PATH", text="of Calico's container; percale's agent logs to standard error"),
    Flag("node-image", value="NAME", text="of Calico's container; percale's agent is this program"),
    Flag("felix-config", value="PATH", text="of Calico's container; percale's agent has flags of its own"),
    Flag("init-system", text="of Calico's container; use a unit of systemd, as the manual shows"),
)
"""What is about Calico's container and has no meaning for an agent that is none; a warning says so."""

COMMAND = Command(
    "Make this host a node of the cluster, with its addresses and AS number, and run percale's agent for it until\n"
    "stopped. Calico runs a container here; percale's agent is a plain program, so there is no image to fetch. Where\n"
    "there is no pool of IPv4 addresses, one is made (192.168.0.0/16).",
    usage="[flags]",
    flags=(
        Flag("name", value="NAME", text="name of the node (default: Calico's nodename file, or the host's name)"),
        Flag("ip", value="ADDRESS", text="the node's IPv4 address, or autodetect"),
        Flag("ip6", value="ADDRESS", text="the node's IPv6 address, or autodetect"),
        Flag("as", value="NUMBER", text="the node's AS number"),
        Flag("ip-autodetection-method", value="METHOD", text="first-found, can-reach=, interface= or skip-interface="),
        Flag("ip6-autodetection-method", value="METHOD", text="the same for IPv6"),
        Flag("backend", value="NAME", text="bird, or none for a node without BGP; percale has no BGP speaker"),
        Flag("no-default-ippools", text="make no pool"),
        Flag("dryrun", text="print what would be written and started, and stop"),
        *_CONTAINERS,
        CONFIG,
    ),
    stays=True,
    example="node run --ip=192.0.2.1 --dryrun",
)

_BACKENDS = ("bird", "none")
_LARGEST_AS = (1 << 32) - 1
_POOL = IPPool(
    metadata=ObjectMeta(name="default-ipv4-ippool"), spec=IPPoolSpec(cidr="192.168.0.0/16", nat_outgoing=True)
)
_NO_PRIVILEGE = "Need super user privileges: Operation not permitted"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the flags say of the node; a method finds an address that is not given."""

    name: str
    addresses: dict[int, str]
    methods: dict[int, Method]
    as_number: int | None
    backend: str


def run(call: Call) -> int:
    """Register the node, and run the agent until it is stopped."""
    arguments = call.arguments
    wanted = _wanted(arguments)
    for flag in _CONTAINERS:
        if arguments.given(flag.name):
            print(f"warning: --{flag.name} is {flag.text}", file=sys.stderr)
    dry = arguments.switch("dryrun")
    if not dry:
        needs_root()
    with Session(arguments) as session:
        documents = _documents(session.client, wanted, pools=not arguments.switch("no-default-ippools"))
        _check_address(documents[0], dry=dry)
        if dry:
            _print_plan(documents, wanted.name, arguments)
            return 0
        session.initialise()
        for document in documents:
            session.client.apply(document)
    _write_name(wanted.name)
    return _run_agent(call, wanted.name)


def needs_root() -> None:
    """Raise CommandFailed, in calicoctl's words and where it has them, unless the caller is root."""
    if os.geteuid() != 0:
        raise CommandFailed(_NO_PRIVILEGE, on_stdout=True)


def _wanted(arguments: Arguments) -> _Wanted:
    addresses = {version: _address(arguments, flag, version) for version, flag in ((4, "ip"), (6, "ip6"))}
    as_number = _as_number(arguments.text("as")) if arguments.text("as") else None
    backend = arguments.text("backend")
    if backend and backend not in _BACKENDS:
        raise CommandFailed(f"error executing command: unknown backend '{backend}'")
    methods = {
        4: read_method(arguments.text("ip-autodetection-method", "first-found"), 4),
        6: read_method(arguments.text("ip6-autodetection-method", "first-found"), 6),
    }
    from percale.agent.config import default_node_name

    return _Wanted(arguments.text("name") or default_node_name(), addresses, methods, as_number, backend)


def _address(arguments: Arguments, flag: str, version: int) -> str:
    text = arguments.text(flag)
    if text in ("", _DETECT):
        return text
    try:
        found = ip_interface(text)
        if "/" in text:
            raise ValueError
    except ValueError:
        raise CommandFailed(f"Error executing command: invalid IP address specified: {text}", on_stdout=True) from None
    if found.version != version:
        raise CommandFailed(f"error executing command: --{flag} is wrong IP version")
    return str(found.ip)


def _as_number(text: str) -> int:
    """An AS number, plain or as two halves with a dot (RFC 5396)."""
    halves = text.split(".")
    if all(half.isascii() and half.isdecimal() for half in halves) and len(halves) <= 2:
        numbers = [int(half) for half in halves]
        if len(numbers) == 1 and numbers[0] <= _LARGEST_AS:
            return numbers[0]
        if len(numbers) == 2 and max(numbers) <= 0xFFFF:
            return numbers[0] << 16 | numbers[1]
    raise CommandFailed(f"Error executing command: invalid AS Number specified: {text}", on_stdout=True)


def _documents(client: Client, wanted: _Wanted, *, pools: bool) -> list[Resource]:
    """The node as it shall be, and the pool if there is to be one; what others wrote into the node is kept."""
    try:
        node = client.get(Node, wanted.name)
    except NotFound:
        node = Node(metadata=ObjectMeta(name=wanted.name))
    documents: list[Resource] = []
    if wanted.backend != "none":
        node = node.replace(spec=node.spec.replace(bgp=_bgp(node.spec.bgp or NodeBGPSpec(), wanted)))
    documents.append(node)
    if pools and not any(":" not in pool.spec.cidr for pool in client.ip_pools.list()):
        documents.append(_POOL)
    return documents


def _check_address(node: Resource, *, dry: bool) -> None:
    """Raise CommandFailed for a node with BGP and without an address; a plan is only warned of."""
    bgp = node.spec.bgp
    if bgp is None or bgp.ipv4_address:
        return
    text = "no IPv4 address was found for this node: name one (--ip), or another way to find it"
    if not dry:
        raise CommandFailed(text)
    print(f"warning: {text}", file=sys.stderr)


def _bgp(stored: NodeBGPSpec, wanted: _Wanted) -> NodeBGPSpec:
    interfaces = interfaces_here()
    v4 = _chosen(4, stored.ipv4_address, wanted, interfaces)
    v6 = _chosen(6, stored.ipv6_address, wanted, interfaces)
    as_number = stored.as_number if wanted.as_number is None else wanted.as_number
    return stored.replace(ipv4_address=v4, ipv6_address=v6, as_number=as_number)


def _chosen(version: int, stored: str, wanted: _Wanted, interfaces: list[Interface]) -> str:
    """The address that was given, else the stored one, else one that is found; IPv6 is looked for on request only."""
    given = wanted.addresses[version]
    if given == _DETECT or (not given and not stored and version == 4):
        return wanted.methods[version](interfaces)
    if not given:
        return stored
    own = (str(each) for one in interfaces for each in one.addresses if str(each.ip) == given)
    return next(own, given)


def _print_plan(documents: list[Resource], name: str, arguments: Arguments) -> None:
    from percale.resources import encode_yaml

    print("Use the following commands to make this host a node and to start its agent:\n")
    where = datastore_flags(arguments)
    print(shlex.join(["percale", "apply", *where, "-f", "-"]), "<<EOF")
    own = [each.with_metadata(uid="", resource_version="", creation_timestamp="") for each in documents]
    print("---\n".join(map(encode_yaml, own)), end="EOF\n")
    print(shlex.join(["percale", "agent", *where, "--node", name]))


def _write_name(name: str) -> None:
    """Keep the name where Calico's plugins read it."""
    from percale.agent.config import NODE_NAME_FILE, default_node_name

    if default_node_name() == name:
        return
    try:
        NODE_NAME_FILE.parent.mkdir(parents=True, exist_ok=True)
        NODE_NAME_FILE.write_text(name, encoding="utf-8")
    except OSError as error:
        raise PercaleError(f"the node's name could not be written to {NODE_NAME_FILE}: {error.strerror}") from error


def _run_agent(call: Call, name: str) -> int:
    from percale.cli import agent

    call.arguments.add(Flag("node"), name)
    return agent.run(call)
