# SPDX-License-Identifier: Apache-2.0
"""Where a workload's addresses come from: our own IPAM, or another plugin in the runtime's folders (spec/cni.md)."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec

from percale.ipam import Address, AutoRequest, Ipam, IpamError, Reason, Release, parse_address, parse_network
from percale.ipam import Network as Cidr
from percale.plugins.cni.call import Call
from percale.plugins.cni.errors import CniError, Code

__all__ = ["OWN_TYPES", "AddressSource", "CalicoIpam", "Delegate", "Given", "Unmanaged"]

OWN_TYPES = ("calico-ipam", "percale-ipam")
"""The names under which a configuration asks for our own IPAM."""


@dataclass(frozen=True, slots=True)
class Given:
    """Addresses with the prefix length that their source names, and the destinations that it wants routed.

    ``host_routes`` False leaves the host's routes to the agent, as Calico does for addresses that a pod asks for.
    """

    addresses: tuple[str, ...]
    routes: tuple[str, ...] = ()
    host_routes: bool = True

    @property
    def single(self) -> tuple[str, ...]:
        """The addresses alone, as /32 or /128: what a workload gets."""
        return tuple(f"{address}/{address.max_prefixlen}" for address in map(parse_address, self.addresses))


class AddressSource(Protocol):
    """Gives addresses to a workload and takes them back; all raise CniError or IpamError."""

    def add(self, call: Call) -> Given:
        """Give the workload its addresses, at least one; asking again for the same container gives the same."""

    def delete(self, call: Call) -> None:
        """Take back what the workload has; nothing is fine."""

    def check(self, call: Call, addresses: tuple[str, ...]) -> None:
        """Raise CniError unless the workload still has these addresses."""


class CalicoIpam:
    """Addresses out of the pools of the datastore.

    Calls of one process take turns: together they would only overtake each other on the host's one block.
    """

    def __init__(self, ipam: Ipam, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._ipam = ipam
        self._clock_ns = clock_ns
        self._turn = threading.Lock()

    def add(self, call: Call) -> Given:
        """Assign the address that the runtime asks for, else one of each wanted family; all or nothing."""
        handle = call.workload.handles(call.network.name)[0]
        attributes = call.workload.attributes(_go_time(self._clock_ns()))
        if call.wanted_addresses:
            return self._assign(call, handle, attributes)
        settings = call.network.ipam
        request = AutoRequest(
            host=call.node,
            num4=int(settings.wants_ipv4),
            num6=int(settings.wants_ipv6),
            handle=handle,
            attributes=attributes,
            pools4=self._pools(settings.ipv4_pools, 4),
            pools6=self._pools(settings.ipv6_pools, 6),
            namespace_labels=call.namespace_labels,
            max_per_handle=1,
        )
        with self._turn:
            got = self._ipam.auto_assign(request)
        for family, assigned in ((4, got.v4), (6, got.v6)):
            if assigned.error is not None or assigned.is_partial:
                self._release(handle)
                reasons = assigned.error or "; ".join(assigned.messages)
                raise CniError(Code.INTERNAL, f"no IPv{family} address for {call.workload.container_id}", str(reasons))
        given = (*got.v4.addresses, *got.v6.addresses)
        if not given:
            raise CniError(Code.INTERNAL, "the configuration wants neither IPv4 nor IPv6 addresses")
        return Given(tuple(map(str, given)), tuple(map(str, given)))

    def _assign(self, call: Call, handle: str, attributes: dict[str, str]) -> Given:
        try:
            addresses = [parse_address(text) for text in call.wanted_addresses]
        except ValueError as error:
            raise CniError(Code.INTERNAL, f"IP in CNI_ARGS: {error}") from error
        try:
            for address in addresses:
                self._assign_one(call, address, handle, attributes)
        except IpamError:
            self._release(handle)
            raise
        texts = tuple(f"{address}/{address.max_prefixlen}" for address in addresses)
        return Given(texts, host_routes=False) if call.pod is not None and call.pod.addresses else Given(texts, texts)

    def _assign_one(self, call: Call, address: Address, handle: str, attributes: dict[str, str]) -> None:
        """Assign an address; one that an earlier sandbox of the same pod still has is taken from that."""
        for last in (False, True):
            try:
                with self._turn:
                    self._ipam.assign(address, call.node, handle, attributes, use="Workload", max_per_handle=1)
            except IpamError as error:
                if last or error.reason is not Reason.ALREADY_EXISTS or not self._has_same_pod(call, address):
                    raise
                self._ipam.release([Release(address)])
            else:
                return

    def _has_same_pod(self, call: Call, address: Address) -> bool:
        owner = self._ipam.attributes_of(address).secondary or {}
        pod = owner.get("namespace"), owner.get("pod")
        return bool(call.workload.pod) and pod == (call.workload.namespace, call.workload.pod)

    def _pools(self, names: tuple[str, ...], version: int) -> tuple[Cidr, ...]:
        """Return the networks of pools given by name or CIDR."""
        by_name = {pool.name: pool.network for pool in self._ipam.pools()} if names else {}
        networks = tuple(by_name.get(name) or _cidr(name) for name in names)
        for name, network in zip(names, networks, strict=True):
            if network.version != version:
                raise CniError(Code.INTERNAL, f"pool {name} is not an IPv{version} pool")
        return networks

    def delete(self, call: Call) -> None:
        """Release what our handle has, and that of Calico's second version."""
        for handle in call.workload.handles(call.network.name):
            self._release(handle)

    def _release(self, handle: str) -> None:
        try:
            with self._turn:
                self._ipam.release_by_handle(handle)
        except IpamError as error:
            if error.reason is not Reason.NOT_FOUND:
                raise

    def check(self, call: Call, addresses: tuple[str, ...]) -> None:
        """Compare with what the handle has."""
        handle = call.workload.handles(call.network.name)[0]
        try:
            held = {str(address) for address in self._ipam.addresses_of(handle)}
        except IpamError:
            held = set()
        missing = [address for address in addresses if address.partition("/")[0] not in held]
        if missing:
            raise CniError(Code.INTERNAL, f"not reserved for this container any more: {', '.join(missing)}")


class Unmanaged:
    """Addresses that a pod brings along, past every IPAM."""

    def add(self, call: Call) -> Given:
        """Return what the pod asks for."""
        assert call.pod is not None
        addresses = map(parse_address, call.pod.unmanaged)
        return Given(tuple(f"{address}/{address.max_prefixlen}" for address in addresses), host_routes=False)

    def delete(self, call: Call) -> None:
        """Do nothing: nobody keeps these addresses."""

    def check(self, call: Call, addresses: tuple[str, ...]) -> None:
        """Do nothing: nobody keeps these addresses."""


class Delegate:
    """Addresses from another plugin's executable, called as the runtime would call it."""

    def __init__(self, type_: str) -> None:
        self._type = type_

    def add(self, call: Call) -> Given:
        """Pass the call on and return what the plugin gives."""
        answer = self._run(call, "ADD")
        if "ips" in answer:
            addresses = [item.get("address", "") for item in answer["ips"] or ()]
            routes = answer.get("routes") or ()
        else:
            families = [answer[name] for name in ("ip4", "ip6") if answer.get(name)]
            addresses = [family.get("ip", "") for family in families]
            routes = [route for family in families for route in family.get("routes") or ()]
        if not addresses:
            raise CniError(Code.INTERNAL, f"{self._type} gave no address")
        return Given(tuple(addresses), tuple(route["dst"] for route in routes if route.get("dst")))

    def delete(self, call: Call) -> None:
        """Pass the call on."""
        self._run(call, "DEL")

    def check(self, call: Call, addresses: tuple[str, ...]) -> None:
        """Pass the call on."""
        self._run(call, "CHECK")

    def _run(self, call: Call, command: str) -> dict[str, Any]:
        if "/" in self._type or not self._type:
            raise CniError(Code.INVALID_CONFIGURATION, f"ipam.type {self._type!r} is not the name of a plugin")
        places = (Path(folder, self._type) for folder in call.invocation.path)
        path = next((place for place in places if os.access(place, os.X_OK)), None)
        if path is None:
            folders = ":".join(call.invocation.path)
            raise CniError(Code.INTERNAL, f"failed to find plugin {self._type!r} in path", folders)
        environment = {**os.environ, **call.invocation.environment, "CNI_COMMAND": command}
        environment.pop("plugin", None)
        try:
            done = subprocess.run(
                [path],
                input=call.text,
                env=environment,
                capture_output=True,
                timeout=max(call.deadline - time.monotonic(), 1.0),
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CniError(Code.INTERNAL, f"plugin {self._type!r} cannot be run", str(error)) from error
        return self._answer(done.returncode, done.stdout)

    def _answer(self, status: int, output: bytes) -> dict[str, Any]:
        try:
            answer = msgspec.json.decode(output) if output.strip() else {}
        except msgspec.DecodeError as error:
            raise CniError(Code.INTERNAL, f"plugin {self._type!r} answered no JSON", str(error)) from error
        if not isinstance(answer, dict):
            raise CniError(Code.INTERNAL, f"plugin {self._type!r} answered no JSON object")
        if status:
            message = str(answer.get("msg") or f"plugin {self._type!r} failed with status {status}")
            raise CniError(Code.INTERNAL, message, str(answer.get("details") or ""))
        return answer


def _cidr(text: str) -> Cidr:
    try:
        if "/" not in text:
            raise ValueError(text)
        return parse_network(text)
    except ValueError as error:
        raise CniError(Code.INTERNAL, f"pool {text!r} is neither the name of a pool nor a CIDR") from error


def _go_time(nanoseconds: int) -> str:
    """Return a moment as Go prints it: ``2026-01-02 03:04:05.6 +0000 UTC``, zeros at the end of a fraction left out."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    digits = f"{fraction:09}".rstrip("0")
    return f"{text}.{digits} +0000 UTC" if digits else f"{text} +0000 UTC"
