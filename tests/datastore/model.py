# SPDX-License-Identifier: Apache-2.0
"""A naive KeyValue: the whole state is copied for every revision. What it answers is right by inspection."""

from __future__ import annotations

from dataclasses import dataclass, field

from percale.datastore.keyvalue import Compare, Delete, Deleted, Get, Item, KeyEvent, Put, Range, Txn, TxnResult


@dataclass
class Model:
    """States by revision, events in order; conditions are judged on the state before the transaction."""

    states: dict[int, dict[str, Item]] = field(default_factory=lambda: {1: {}})
    events: list[tuple[int, KeyEvent]] = field(default_factory=list)
    compacted: int = 0

    @property
    def revision(self) -> int:
        return max(self.states)

    def range(self, start: str, end: str = "", revision: int = 0, limit: int = 0) -> Range:
        return Range(self.revision, *_select(self.states[revision or self.revision], start, end, limit))

    def txn(self, txn: Txn) -> TxnResult:
        before = self.states[self.revision]
        state, revision, changes = dict(before), self.revision + 1, []

        def holds(compare: Compare) -> bool:
            item = before.get(compare.key)
            if item is None and compare.target == "value":
                return False
            actual = getattr(item, compare.target) if item else 0
            return {
                "=": actual == compare.operand,
                "!=": actual != compare.operand,
                "<": actual < compare.operand,
                ">": actual > compare.operand,
            }[compare.operator]

        def perform(operation):
            now = revision if changes else revision - 1
            match operation:
                case Put(key, value, lease):
                    old = state.get(key)
                    state[key] = Item(
                        key,
                        value,
                        old.create_revision if old else revision,
                        revision,
                        old.version + 1 if old else 1,
                        lease,
                    )
                    changes.append(KeyEvent(state[key], old))
                    return None
                case Delete(key, end):
                    gone = _select(state, key, end, 0)[0]
                    for item in gone:
                        del state[item.key]
                        changes.append(KeyEvent(Item(item.key, b"", 0, revision, 0), item))
                    return Deleted(gone)
                case Get(key, end, limit, keys_only):
                    items, more = _select(state, key, end, limit)
                    return Range(now, tuple(i._replace(value=b"") for i in items) if keys_only else items, more)
                case Txn():
                    succeeded = all(map(holds, operation.compares))
                    responses = tuple(map(perform, operation.then if succeeded else operation.orelse))
                    return TxnResult(succeeded, 0, responses)

        result = _stamped(perform(txn), revision if changes else revision - 1)
        if changes:
            self.states[revision] = state
            self.events += [(revision, event) for event in changes]
        return result

    def events_from(self, revision: int, start: str, end: str) -> list[KeyEvent]:
        return [
            event
            for at, event in self.events
            if at >= revision and _select({event.item.key: event.item}, start, end, 0)[0]
        ]


def _select(state: dict[str, Item], start: str, end: str, limit: int) -> tuple[tuple[Item, ...], bool]:
    if not end:
        chosen = [state[start]] if start in state else []
    else:
        chosen = [state[key] for key in sorted(state) if start <= key and (end == "\0" or key < end)]
    return tuple(chosen[:limit] if limit else chosen), bool(limit) and len(chosen) > limit


def _stamped(result: TxnResult, revision: int) -> TxnResult:
    parts = (_stamped(part, revision) if isinstance(part, TxnResult) else part for part in result.responses)
    return TxnResult(result.succeeded, revision, tuple(parts))
