# SPDX-License-Identifier: Apache-2.0
"""An endpoint's life: ADD, DEL and CHECK of the main plugin (spec/cni.md sections 4 to 6)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from percale.datastore.revision import Revision
from percale.errors import PercaleError
from percale.netlink.rtnetlink.connection import RouteSocket
from percale.plugins.cni import attachment
from percale.plugins.cni.addresses import OWN_TYPES, AddressSource, CalicoIpam, Delegate, Given, Unmanaged
from percale.plugins.cni.attachment import Attachment
from percale.plugins.cni.call import Call
from percale.plugins.cni.endpoints import Endpoints
from percale.plugins.cni.errors import CniError, Code
from percale.plugins.cni.result import Interface, Result
from percale.plugins.cni.surroundings import informed, uninformed
from percale.plugins.cni.workload import profile_of
from percale.resources import Profile, WorkloadEndpoint

__all__ = ["Lifecycle", "WaitProgrammed"]

log = logging.getLogger(__name__)

WaitProgrammed: TypeAlias = Callable[[Revision, float], bool]
"""Wait until what was written at a revision is enforced, or ``time.monotonic()`` passes a deadline; report which."""

MTU_FILE = Path("/var/lib/calico/mtu")
"""Where the agent writes what fits through its tunnels."""

_MARGIN_S = 2.0
"""What is kept of the time limit for undoing what could not be finished."""

_PROGRAMMING_S = 30.0
"""How long an endpoint may take until it is enforced."""

_DEVICE_TYPES = ("", "veth", "netkit")


@dataclass(frozen=True)
class Lifecycle:
    """The main plugin's work on one host, for any number of threads."""

    endpoints: Endpoints
    ipam: CalicoIpam
    wait_programmed: WaitProgrammed | None = None
    mtu_file: Path = MTU_FILE

    def source(self, call: Call) -> AddressSource:
        """Return where this network's addresses come from; without ``ipam.type`` it is our own IPAM."""
        type_ = call.network.ipam.type
        is_own = type_ in ("", *OWN_TYPES)
        if call.pod is not None and (call.pod.addresses or call.pod.unmanaged):
            if not is_own:
                raise CniError(Code.INTERNAL, f"a pod cannot ask for addresses where ipam.type is {type_!r}")
            return Unmanaged() if call.pod.unmanaged else self.ipam
        return self.ipam if is_own else Delegate(type_)

    # ADD

    def add(self, call: Call) -> Result:
        """Connect a workload and return when its policy is enforced; what was begun is undone on failure.

        For a container that has an endpoint already (a second network, a repeated call) the endpoint names the network
        as one more profile, and nothing else happens. Raises PercaleError or OSError.
        """
        _require_supported(call)
        call = informed(call)
        mtu = self._mtu(call)
        container = _require_namespace(call)
        existing = self.endpoints.find(call.workload)
        if existing is not None and not call.workload.pod and _is_alive(existing, container):
            return self._join(call, existing)
        source = self.source(call)
        with ExitStack() as undo:
            undo.callback(_quietly, source.delete, call)
            undo.callback(_quietly, self.endpoints.forget, call.workload)
            given = source.add(call)
            self._refuse_clash(call, existing)
            undo.callback(_quietly, attachment.remove_from_host, call.workload.host_interface)
            link = self._attachment(call, given, mtu).connect(container)
            stored = self._write(call, existing, given, link.mac)
            self._wait(call, stored)
            undo.pop_all()
        return _result(call, given.single, given.routes, link.mac, mtu)

    def _join(self, call: Call, existing: WorkloadEndpoint) -> Result:
        stored = self.endpoints.add_profile(existing, call.network.name, self._profile(call))
        self._wait(call, stored)
        return _result(call, stored.spec.ip_networks, (), stored.spec.mac, 0)

    def _attachment(self, call: Call, given: Given, mtu: int) -> Attachment:
        return Attachment(
            host_interface=call.workload.host_interface,
            interface=call.invocation.interface,
            addresses=given.single,
            destinations=_destinations(call),
            mac=call.pod.mac if call.pod is not None else "",
            mtu=mtu,
            queues=call.network.num_queues,
            forwarding=call.network.container_settings.allow_ip_forwarding,
            host_routes=given.host_routes,
        )

    def _mtu(self, call: Call) -> int:
        """Return the MTU of the configuration, else that of the agent's file, else 0: the kernel's choice."""
        if call.network.mtu:
            return call.network.mtu
        try:
            text = self.mtu_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            if call.network.require_mtu_file:
                raise CniError(Code.INTERNAL, f"{self.mtu_file} cannot be read", str(error.strerror)) from error
            return 0
        if not text.isdecimal():
            raise CniError(Code.INTERNAL, f"{self.mtu_file} does not hold a number", text)
        return int(text)

    def _refuse_clash(self, call: Call, existing: WorkloadEndpoint | None) -> None:
        """Refuse if the host's interface is another workload's: their names begin alike, one would lose its own."""
        name = call.workload.host_interface
        with RouteSocket() as socket:
            if socket.link(name) is None:
                return
        own = existing.key if existing is not None else None
        for other in self.endpoints.of_node(call.node):
            if other.spec.interface_name == name and other.key != own:
                raise CniError(Code.INTERNAL, f"host interface {name} belongs to another workload", str(other.key))

    def _write(self, call: Call, existing: WorkloadEndpoint | None, given: Given, mac: str) -> WorkloadEndpoint:
        fresh = call.workload.endpoint(given.single, call.network.name, mac)
        if call.pod is not None:
            fresh = call.pod.applied_to(fresh)
        if existing is not None:
            spec = fresh.spec.replace(endpoint=existing.spec.endpoint)
            changes = {"labels": fresh.metadata.labels, "generate_name": fresh.metadata.generate_name}
            metadata = existing.metadata.replace(**changes)
            fresh = existing.replace(metadata=metadata, spec=spec)
        return self.endpoints.write(fresh, self._profile(call))

    def _profile(self, call: Call) -> Profile | None:
        """Return the network's profile, None where the profiles are those of Kubernetes' namespaces."""
        if call.network.policy.type:
            return None
        return profile_of(call.network.name, open_to_all=bool(call.workload.pod))

    def _wait(self, call: Call, stored: WorkloadEndpoint) -> None:
        if self.wait_programmed is None:
            return
        revision = self.endpoints.datastore.parse_revision(stored.metadata.resource_version)
        deadline = min(call.deadline - _MARGIN_S, time.monotonic() + _PROGRAMMING_S)
        if not self.wait_programmed(revision, deadline):
            raise CniError(Code.TRY_AGAIN, "the endpoint's policy is not in force yet", f"revision {revision}")

    # DEL

    def delete(self, call: Call) -> None:
        """Take a workload away; what is gone already is fine. The network's profile stays.

        The pair of interfaces goes while the datastore is at work: the kernel takes its time for that.
        """
        with ThreadPoolExecutor(1) as background:
            inside = background.submit(_remove_inside, call)
            endpoint = self.endpoints.forget(call.workload)
            outside = background.submit(_remove_outside, inside, endpoint)
            failure = _attempt(self.source(call).delete, uninformed(call))
        outside.result()
        if failure is not None:
            raise failure

    # CHECK

    def check(self, call: Call) -> None:
        """Raise CniError unless endpoint, interfaces and addresses are as ADD left them."""
        container = _require_namespace(call)
        endpoint = self.endpoints.find(call.workload)
        if endpoint is None or endpoint.spec.container_id not in ("", call.workload.container_id):
            raise CniError(Code.INTERNAL, "the container has no endpoint", call.workload.container_id)
        addresses = endpoint.spec.ip_networks
        expected = _previous_addresses(call)
        if expected and set(expected) != set(addresses):
            raise CniError(
                Code.INTERNAL, "the endpoint has other addresses", f"{' '.join(addresses)}, not {' '.join(expected)}"
            )
        _check_interfaces(container, call.invocation.interface, endpoint)
        self.source(call).check(call, addresses)


def _require_supported(call: Call) -> None:
    network = call.network
    if network.device_type not in _DEVICE_TYPES:
        raise CniError(Code.INTERNAL, f"device_type {network.device_type!r} is not one of veth and netkit")
    if not call.workload.pod and network.feature_control.ip_addrs_no_ipam:
        raise CniError(Code.INTERNAL, "requested feature is not supported for this runtime: ip_addrs_no_ipam")
    if network.policy_setup_timeout_seconds < 0:
        raise CniError(Code.INTERNAL, "policy_setup_timeout_seconds must not be negative")


def _require_namespace(call: Call) -> int:
    """Return the workload's namespace; raises CniError if it cannot be opened, or is our own."""
    container = call.invocation.namespace
    if container is None or not attachment.is_namespace(container):
        raise CniError(Code.INVALID_NAMESPACE, f"no network namespace at {call.invocation.netns!r}")
    if attachment.is_own_namespace(container):
        raise CniError(Code.INVALID_NAMESPACE, "the container must not have the host's network namespace")
    return container


def _destinations(call: Call) -> tuple[str, ...]:
    """Return what a pod reaches through its interface where another plugin gives addresses; () is everything."""
    settings = call.network.ipam
    if not call.workload.pod or settings.type != "host-local" or not settings.routes:
        return ()
    defaults = ("0.0.0.0/0", "::/0") if call.network.include_default_routes else ()
    return tuple(dict.fromkeys((*(route.dst for route in settings.routes), *defaults)))


def _is_alive(endpoint: WorkloadEndpoint, container: int) -> bool:
    """Report whether a container has its endpoint's interface: one of an earlier life may have had the same id."""
    return attachment.link_in(container, endpoint.spec.endpoint) is not None


def _remove_inside(call: Call) -> bool:
    """Remove the workload's interface if its namespace is still there; report whether it was."""
    container = call.invocation.namespace
    if container is None or not attachment.is_namespace(container) or attachment.is_own_namespace(container):
        return False
    try:
        attachment.remove_from(container, call.invocation.interface)
    except OSError as error:
        log.warning("interface not removed: container=%s error=%s", call.workload.container_id, error)
        return False
    return True


def _remove_outside(inside: Future[bool], endpoint: WorkloadEndpoint | None) -> None:
    """Remove the host's end of an endpoint that was forgotten, unless the pair went by its other end."""
    if endpoint is not None and not inside.result():
        attachment.remove_from_host(endpoint.spec.interface_name)


def _check_interfaces(container: int, interface: str, endpoint: WorkloadEndpoint) -> None:
    inside = attachment.link_in(container, interface)
    if inside is None:
        raise CniError(Code.INTERNAL, f"interface {interface} is gone from the container")
    link, addresses = inside
    missing = [address for address in endpoint.spec.ip_networks if address not in addresses]
    if missing or not link.up:
        state = f"lacks {', '.join(missing)}" if missing else "is down"
        raise CniError(Code.INTERNAL, f"interface {interface} {state}")
    with RouteSocket() as socket:
        host = socket.link(endpoint.spec.interface_name)
        if host is None or not host.up:
            raise CniError(Code.INTERNAL, f"host interface {endpoint.spec.interface_name} is gone or down")


def _previous_addresses(call: Call) -> list[str]:
    ips: list[dict[str, Any]] = (call.network.previous or {}).get("ips") or []
    return [item["address"] for item in ips if isinstance(item, dict) and "address" in item]


def _result(call: Call, addresses: tuple[str, ...], routes: tuple[str, ...], mac: str, mtu: int) -> Result:
    host = Interface(call.workload.host_interface)
    inside = Interface(call.invocation.interface, mac, mtu, call.invocation.netns)
    return Result(addresses, routes, (host, inside))


def _attempt(action: Callable[[Call], None], call: Call) -> PercaleError | None:
    try:
        action(call)
    except PercaleError as error:
        return error
    return None


def _quietly(action: Callable[..., object], *arguments: object) -> None:
    """Undo a step; a failure of this must not hide why it is undone."""
    try:
        action(*arguments)
    except (PercaleError, OSError) as error:
        log.warning("could not undo: step=%s error=%s", getattr(action, "__name__", action), error)
