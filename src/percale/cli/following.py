# SPDX-License-Identifier: Apache-2.0
"""``get --watch``: what is there, then every change once and in order."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from percale.cli.columns import Layout, layout_of
from percale.cli.command import Arguments, CommandFailed
from percale.errors import Compacted

if TYPE_CHECKING:
    from percale.cli.session import Session
    from percale.cli.targets import Target
    from percale.datastore.seams import ResourceEvent

__all__ = ["follow"]

_GAP = 3
Print = Callable[[Iterable["ResourceEvent"]], None]


def follow(session: Session, targets: Sequence[Target], arguments: Arguments) -> int:
    """Print a kind, or one resource, and its changes until interrupted; raises CommandFailed for several."""
    if len(targets) != 1 or arguments.given("revision") or arguments.given("at"):
        raise CommandFailed("--watch follows one kind or one resource, from now on")
    gc.enable()  # this command stays
    target = targets[0].at_home(arguments)
    write = _printer(arguments.text("output"), target.info.kind, session)
    while True:
        with session.client.watch(target.info.kind, target.namespace, name=target.name) as watch:
            try:
                while True:
                    write(watch.poll() or ())
                    sys.stdout.flush()
            except Compacted as compacted:
                print(f"{compacted}; all is listed again", file=sys.stderr)


def _printer(form: str, kind: str, session: Session) -> Print:
    if form in ("", "ps", "wide"):
        layout = layout_of(kind, lambda: session.as_number)
        return _Table(layout, layout.wide if form == "wide" else layout.default)
    if form in ("yaml", "yml"):
        return _yaml
    if form == "json":
        return _json
    raise CommandFailed(f"--watch prints tables, yaml or json, not '{form}'")


class _Table:
    """A table that grows: its columns are as wide as what was there first."""

    def __init__(self, layout: Layout, headings: Sequence[str]) -> None:
        named = ("NAMESPACE",) if "NAMESPACE" in layout.cells and "NAMESPACE" not in headings else ()
        self._cells = [layout.cells[heading] for heading in (*named, *headings)]
        self._headings = ("EVENT", *named, *headings)
        self._widths: list[int] = []

    def __call__(self, events: Iterable[ResourceEvent]) -> None:
        rows = [self._row(event) for event in events]
        if not self._widths:
            columns = zip(self._headings, ("MODIFIED",) + ("",) * len(self._cells), *rows, strict=True)
            self._widths = [max(map(len, column)) + _GAP for column in columns]
            rows.insert(0, list(self._headings))
        for row in rows:
            print("".join(cell.ljust(width) for cell, width in zip(row, self._widths, strict=True)).rstrip())

    def _row(self, event: ResourceEvent) -> list[str]:
        resource = event.resource or event.previous
        if resource is None:
            return [event.type, event.key.name, *[""] * (len(self._cells) - 1)]
        return [event.type, *(cell(resource) for cell in self._cells)]


def _yaml(events: Iterable[ResourceEvent]) -> None:
    from percale.resources import encode_yaml

    for event in events:
        resource = event.resource or event.previous
        print(f"--- # {event.type} {event.key}")
        print(encode_yaml(resource) if resource is not None else "", end="")


def _json(events: Iterable[ResourceEvent]) -> None:
    """One object for each event in a line, as the Kubernetes API streams them."""
    from percale.resources.json_text import to_builtins

    for event in events:
        resource = event.resource or event.previous
        shown = to_builtins(resource) if resource is not None else {"problem": str(event.problem)}
        print(json.dumps({"type": event.type, "object": shown}, ensure_ascii=False))
