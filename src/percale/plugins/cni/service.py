# SPDX-License-Identifier: Apache-2.0
"""The CNI plugin inside the agent: a runtime's call in, its answer out (spec/cni.md section 1)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from percale.datastore.seams import Datastore
from percale.errors import PercaleError, StoreUnavailable
from percale.ipam import Ipam
from percale.plugins.cni.addresses import CalicoIpam
from percale.plugins.cni.call import Call
from percale.plugins.cni.collection import collect
from percale.plugins.cni.endpoints import Endpoints
from percale.plugins.cni.errors import CniError, Code
from percale.plugins.cni.invocation import Invocation
from percale.plugins.cni.lifecycle import MTU_FILE, Lifecycle, WaitProgrammed
from percale.plugins.cni.network import VERSIONS, Network
from percale.plugins.cni.result import Result
from percale.plugins.cni.surroundings import informed
from percale.plugins.cni.workload import Workload, node_name
from percale.plugins.protocol import Request, Response

__all__ = ["CniService"]

log = logging.getLogger(__name__)

Answer = Result | dict[str, Any] | None


class CniService:
    """Answers ``cni`` requests; any number of threads may call it, one container is worked on by one at a time.

    ``node`` is this node's name where neither the configuration nor its file says it. ``wait_programmed`` makes ADD
    return only when the endpoint's policy is enforced; None leaves that out.
    """

    def __init__(
        self,
        datastore: Datastore,
        ipam: Ipam,
        *,
        node: str = "",
        wait_programmed: WaitProgrammed | None = None,
        mtu_file: Path = MTU_FILE,
    ) -> None:
        self._node = node
        self._endpoints = Endpoints(datastore)
        self._ipam = ipam
        self._addresses = CalicoIpam(ipam)
        self._lifecycle = Lifecycle(self._endpoints, self._addresses, wait_programmed, mtu_file)
        self._busy = _Busy()
        self._commands: Mapping[tuple[bool, str], Callable[[Call], Answer]] = {
            (False, "ADD"): self._lifecycle.add,
            (False, "DEL"): self._lifecycle.delete,
            (False, "CHECK"): self._lifecycle.check,
            (False, "GC"): self._collect,
            (False, "STATUS"): self._report,
            (True, "ADD"): self._add_addresses,
            (True, "DEL"): self._addresses.delete,
            (True, "CHECK"): lambda call: None,
            (True, "GC"): self._collect,
            (True, "STATUS"): self._report,
        }

    def handle(self, request: Request) -> Response:
        """Answer one call of a runtime; never raises for what the runtime, the datastore or the kernel do."""
        version = VERSIONS[-1]
        try:
            invocation = Invocation.of(request.fields, next(iter(request.descriptors), None))
            if invocation.command == "VERSION":
                return _answer({"cniVersion": version, "supportedVersions": VERSIONS})
            network = Network.decode(request.payload, invocation.command)
            version = network.version
            answer = self._perform(request, invocation, network)
        except (PercaleError, OSError) as error:
            refusal = _refusal(error)
            command = request.fields.get("CNI_COMMAND", "")
            log.warning("cni refused: command=%s code=%s error=%s", command, refusal.code, refusal)
            return _answer(refusal.to_builtins(version), 1)
        if isinstance(answer, Result):
            answer = answer.to_builtins(version)
        return _answer(answer)

    def _perform(self, request: Request, invocation: Invocation, network: Network) -> Answer:
        node = node_name(network, self._node)
        workload = Workload.of(invocation, network, node)
        call = Call(invocation, network, request.payload, node, workload, request.deadline)
        only_addresses = request.fields.get("plugin", "").endswith("-ipam")
        with self._busy.alone(invocation.container_id):
            if invocation.command != "STATUS":
                self._endpoints.require_ready()
            return self._commands[only_addresses, invocation.command](call)

    def _add_addresses(self, call: Call) -> Result:
        given = self._addresses.add(informed(call))
        return Result(given.addresses, given.routes)

    def _collect(self, call: Call) -> None:
        collect(call, self._endpoints, self._ipam)

    def _report(self, call: Call) -> None:
        try:
            self._endpoints.require_ready()
        except PercaleError as error:
            raise CniError(Code.NOT_AVAILABLE, "no container can be connected now", str(error)) from error


class _Busy:
    """Lets one call at a time work on a container."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._containers: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def alone(self, container_id: str) -> Iterator[None]:
        """Wait until nobody else works on the container, and keep others waiting."""
        with self._lock:
            lock, waiting = self._containers.get(container_id, (threading.Lock(), 0))
            self._containers[container_id] = lock, waiting + 1
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, waiting = self._containers.pop(container_id)
                if waiting > 1:
                    self._containers[container_id] = lock, waiting - 1


def _refusal(error: PercaleError | OSError) -> CniError:
    """Return the error in the words of the specification."""
    if isinstance(error, CniError):
        return error
    if isinstance(error, StoreUnavailable):
        return CniError(Code.TRY_AGAIN, "the datastore does not answer", str(error))
    return CniError(Code.INTERNAL, str(error))


def _answer(members: Answer, status: int = 0) -> Response:
    return Response(msgspec.json.encode(members) + b"\n" if members is not None else b"", status)
