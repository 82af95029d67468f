# SPDX-License-Identifier: Apache-2.0
"""IP sets: the members of every set that an active policy or profile refers to, kept in step with the cluster.

A set is filled when its first message is due; from then on every endpoint that begins or ceases to match its selector
adds or takes back what it contributes (spec/calculation.md section 2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from operator import attrgetter, methodcaller
from typing import NamedTuple, TypeAlias

from pyroaring import BitMap

from percale.calc.compiled import IPSetID, IPSetKind, IPSetSpec
from percale.calc.contributors import Contributor, protocol_name
from percale.calc.host_state import EndpointID, IPSet, IPSetDelta, IPSetRemove, IPSetUpdate
from percale.calc.label_index import LabelIndex, MatchChange
from percale.calc.labels import Labels
from percale.calc.members import Members
from percale.calc.networks import IPAddress, is_host
from percale.calc.services import EndpointSlice, Services

__all__ = ["IPSets", "SetMessages"]


class SetMessages(NamedTuple):
    """What changed since the last flush: new sets in full, deltas of known ones, removals."""

    full: list[IPSetUpdate]
    deltas: list[IPSetDelta]
    removals: list[IPSetRemove]


_Source: TypeAlias = Contributor | EndpointSlice


class _ActiveSet:
    """A set that something refers to; ``members`` is None until it is sent for the first time.

    ``contribution`` returns what an endpoint, a network set or a slice of a Service adds to the set.
    """

    __slots__ = ("contribution", "matches", "members", "references", "spec")

    def __init__(self, spec: IPSetSpec, matches: BitMap) -> None:
        self.spec = spec
        self.matches = matches
        self.references = 1
        self.members: Members | None = None
        self.contribution: Callable[[_Source], Iterable[str]]
        if spec.kind is IPSetKind.NET:
            self.contribution = attrgetter("nets")
        elif spec.selector is None:
            self.contribution = attrgetter("port_members")
        else:
            self.contribution = methodcaller("port_members", spec.named_port, spec.protocol)


class IPSets:
    """The sets that are referred to, and the index of everything that may contribute to them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._index: LabelIndex[EndpointID] = LabelIndex()
        self._contributors: list[Contributor | None] = []
        self._nets: list[tuple[str, ...]] = []
        # Slots whose contribution changed, or that are gone, with the contributor as of the last flush.
        self._former: dict[int, Contributor] = {}
        self._with_networks = BitMap()
        # Sets referred to; those not sent yet; those the dataplane has; those it no longer needs; those that changed.
        self._active: dict[IPSetID, _ActiveSet] = {}
        self._of_selector: dict[str, list[_ActiveSet]] = {}
        self._of_service: dict[str, list[_ActiveSet]] = {}
        self._unsent: dict[IPSetID, _ActiveSet] = {}
        self._sent: set[IPSetID] = set()
        self._gone: set[IPSetID] = set()
        self._dirty: dict[IPSetID, Members] = {}

    # The cluster

    def put(self, new: Contributor) -> None:
        """Take an endpoint or network set as it is now."""
        slot = self._index.put(new.id, new.labels, new.profiles)
        if slot == len(self._contributors):
            self._contributors.append(None)
            self._nets.append(())
        old = self._contributors[slot]
        if old is not None and (old.nets != new.nets or old.ports != new.ports):
            self._former.setdefault(slot, old)
        self._contributors[slot] = new
        self._nets[slot] = new.nets
        if not new.is_endpoint:
            if all(map(is_host, new.nets)):
                self._with_networks.discard(slot)
            else:
                self._with_networks.add(slot)

    def remove(self, contributor_id: EndpointID) -> None:
        """Take out an endpoint or network set; raises KeyError."""
        slot = self._index.remove(contributor_id)
        self._former.setdefault(slot, self._contributor(slot))
        self._contributors[slot] = None
        self._with_networks.discard(slot)

    def _contributor(self, slot: int) -> Contributor:
        contributor = self._contributors[slot]
        assert contributor is not None
        return contributor

    def set_profile(self, name: str, labels: Labels) -> None:
        """Take the labels that a profile gives, none for a profile that does not exist."""
        self._index.set_profile(name, labels)

    def replace_slice(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        """Take a change of a Service's endpoint slice."""
        for change, source in ((Members.add, new), (Members.remove, old)):
            if source is not None:
                for active, members in self._filled_sets(self._of_service.get(source.service, ())):
                    change(members, active.contribution(source))

    # What refers to them

    def refer(self, spec: IPSetSpec) -> None:
        """Keep a set from now on; each call needs one `release`."""
        active = self._active.get(spec.id)
        if active is not None:
            active.references += 1
            return
        if spec.selector is None:
            active = _ActiveSet(spec, _NO_SLOTS)
            self._of_service.setdefault(spec.service, []).append(active)
        else:
            active = _ActiveSet(spec, self._index.watch(spec.selector))
            self._of_selector.setdefault(spec.selector.uid, []).append(active)
        self._active[spec.id] = self._unsent[spec.id] = active
        self._gone.discard(spec.id)

    def release(self, set_id: IPSetID) -> None:
        """Give back one `refer` of a set; raises KeyError."""
        active = self._active[set_id]
        active.references -= 1
        if active.references:
            return
        del self._active[set_id]
        if set_id in self._sent:
            self._gone.add(set_id)
        self._unsent.pop(set_id, None)
        self._dirty.pop(set_id, None)
        selector = active.spec.selector
        if selector is None:
            _take_out(self._of_service, active.spec.service, active)
        else:
            _take_out(self._of_selector, selector.uid, active)
            self._index.unwatch(selector.uid)

    # What the dataplane is told

    def flush(self) -> SetMessages:
        """Apply all changes and return what the dataplane has to be told since the last flush."""
        self._follow(self._index.flush())
        return SetMessages(self._full_messages(), self._deltas(), self._removals())

    def _full_messages(self) -> list[IPSetUpdate]:
        if not self._unsent:
            return []
        messages = [IPSetUpdate(self._filled(active)) for active in self._unsent.values()]
        self._sent.update(self._unsent)
        self._unsent.clear()
        return messages

    def _deltas(self) -> list[IPSetDelta]:
        messages = []
        for set_id, members in self._dirty.items():
            if members.added or members.removed:
                messages.append(IPSetDelta(set_id, frozenset(members.added), frozenset(members.removed)))
                members.settle()
        self._dirty.clear()
        return messages

    def _removals(self) -> list[IPSetRemove]:
        messages = [IPSetRemove(set_id) for set_id in self._gone]
        self._sent -= self._gone
        self._gone.clear()
        return messages

    def state(self) -> dict[IPSetID, IPSet]:
        """Return the sets as of the last flush."""
        return {
            set_id: IPSet(set_id, active.spec.kind, active.members.visible())
            for set_id, active in self._active.items()
            if active.members is not None
        }

    def contains(self, set_id: IPSetID, address: IPAddress, protocol: int, port: int) -> bool:
        """Answer as `percale.calc.membership.Membership` does, for the active sets as of the last flush."""
        members = self._active[set_id].members
        if members is None:
            raise KeyError(set_id)
        if self._active[set_id].spec.kind is IPSetKind.IP_PORT:
            return f"{address},{protocol_name(protocol)}:{port}" in members
        return f"{address}/{address.max_prefixlen}" in members or members.covers(address)

    def _follow(self, changes: Mapping[str, MatchChange]) -> None:
        """Bring the filled sets up to date with what the index tells."""
        for uid, change in changes.items():
            for active, members in self._filled_sets(self._of_selector.get(uid, ())):
                for slot in change.joined:
                    members.add(active.contribution(self._contributor(slot)))
                for slot in change.left:
                    members.remove(active.contribution(self._former.get(slot) or self._contributor(slot)))
        if self._former:
            self._follow_exchanges(changes)
            self._former.clear()

    def _follow_exchanges(self, changes: Mapping[str, MatchChange]) -> None:
        """Bring up to date the sets in which something stayed whose contribution is another now."""
        joined: dict[str, frozenset[int]] = {}
        for slot, old in self._former.items():
            new = self._contributors[slot]
            if new is None:
                continue  # it has left all its sets
            for selector in self._index.matching(self._index.labels(slot)):
                uid = selector.uid
                if uid not in joined:
                    joined[uid] = frozenset(changes[uid].joined) if uid in changes else frozenset()
                if slot not in joined[uid]:
                    self._exchange(uid, old, new)

    def _exchange(self, uid: str, old: Contributor, new: Contributor) -> None:
        for active, members in self._filled_sets(self._of_selector.get(uid, ())):
            # First what is new: an address that stays has two contributors for a moment and is not touched.
            members.add(active.contribution(new))
            members.remove(active.contribution(old))

    def _filled_sets(self, sets: Iterable[_ActiveSet]) -> Iterator[tuple[_ActiveSet, Members]]:
        """Those that have been sent, now to be sent changes of."""
        for active in sets:
            if active.members is not None:
                self._dirty[active.spec.id] = active.members
                yield active, active.members

    def _filled(self, active: _ActiveSet) -> IPSet:
        spec, slots = active.spec, active.matches
        if spec.selector is None:
            contributions = map(active.contribution, self._services.slices(spec.service))
        elif spec.kind is IPSetKind.NET:
            contributions = map(self._nets.__getitem__, slots.to_array())
        else:
            contributions = map(active.contribution, map(self._contributor, slots))
        nested = spec.kind is IPSetKind.NET and slots.intersect(self._with_networks)
        active.members = Members(chain.from_iterable(contributions), with_networks=nested)
        return IPSet(spec.id, spec.kind, active.members.visible())


_NO_SLOTS = BitMap()


def _take_out(table: dict[str, list[_ActiveSet]], key: str, active: _ActiveSet) -> None:
    table[key].remove(active)
    if not table[key]:
        del table[key]
