# SPDX-License-Identifier: Apache-2.0
"""What ``get`` prints: tables, YAML, JSON, templates (spec/cli.md section 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from percale.cli.columns import Layout, layout_of
from percale.cli.command import CommandFailed
from percale.cli.formats import unknown_format
from percale.cli.table import columns
from percale.datastore.seams import ResourceList
from percale.resources import Resource

__all__ = ["FORMATS", "Printer", "Result", "Surroundings", "printer"]

Result: TypeAlias = Resource | ResourceList
"""One thing that was asked for: a resource by name, or a list of a kind."""


class Surroundings(msgspec.Struct, frozen=True):
    """What some outputs need besides the results: whether namespaces are shown, and the cluster's AS number."""

    with_namespace: bool
    as_number: Callable[[], int]


Printer: TypeAlias = Callable[[Sequence[Result], Surroundings], Iterator[str]]
"""Yields the text for some results, piece by piece."""

FORMATS = ("ps", "wide", "yaml", "json", "custom-columns=", "go-template=", "go-template-file=")
"""What may stand behind ``-o``."""


def printer(form: str, program: str) -> Printer:
    """Return the printer of a format as written behind ``-o``; raises CommandFailed where there is none."""
    name, _, argument = form.partition("=")
    if form in ("", "ps"):
        return lambda results, around: _tables(results, around, lambda layout: layout.default)
    if form == "wide":
        return lambda results, around: _tables(results, around, lambda layout: layout.wide)
    if form in ("yaml", "yml"):
        return lambda results, _: _yaml(results)
    if form == "json":
        return lambda results, _: _json(results)
    if name == "custom-columns":
        return _custom_columns(argument)
    if name == "go-template":
        return _template(argument)
    if name == "go-template-file":
        return _template_file(argument)
    raise unknown_format(form, FORMATS, program)


def _tables(
    results: Sequence[Result], around: Surroundings, choose: Callable[[Layout], Sequence[str]]
) -> Iterator[str]:
    """One table for each result, each followed by an empty line."""
    for result in results:
        layout = layout_of(result.kind, around.as_number)
        headings = list(choose(layout))
        if around.with_namespace and "NAMESPACE" in layout.cells:
            headings.insert(0, "NAMESPACE")
        yield from _table(result, layout, headings)


def _table(result: Result, layout: Layout, headings: Sequence[str]) -> Iterator[str]:
    cells = [layout.cells[heading] for heading in headings]
    resources = result.items if isinstance(result, ResourceList) else [result]
    yield from columns(headings, zip(*(map(cell, resources) for cell in cells), strict=True))
    yield "\n"


def _custom_columns(argument: str) -> Printer:
    headings = argument.split(",") if argument else []
    if not headings:
        raise CommandFailed("need to specify at least one column")

    def tables(results: Sequence[Result], around: Surroundings) -> Iterator[str]:
        for result in results:
            layout = layout_of(result.kind, around.as_number)
            for heading in headings:
                if heading not in layout.cells:
                    known = ", ".join(sorted(layout.cells))
                    raise CommandFailed(f"unknown heading {heading}, valid values are: {known}")
            yield from _table(result, layout, headings)

    return tables


def _yaml(results: Sequence[Result]) -> Iterator[str]:
    from percale.resources.json_text import to_builtins
    from percale.resources.yaml_text import encode_yaml, yaml_list, yaml_text

    if not results:
        yield "null\n"
        return
    if len(results) > 1:
        for result in results:
            yield yaml_text([_list_builtins(result) if isinstance(result, ResourceList) else to_builtins(result)])
        return
    (result,) = results
    if isinstance(result, ResourceList):
        yield from yaml_list(result.kind, result.items, resource_version=str(result.revision))
    else:
        yield encode_yaml(result)


def _list_builtins(result: ResourceList) -> dict[str, Any]:
    from percale.resources import API_VERSION
    from percale.resources.json_text import to_builtins

    return {
        "kind": f"{result.kind}List",
        "apiVersion": API_VERSION,
        "metadata": {"resourceVersion": str(result.revision)},
        "items": [to_builtins(item) for item in result.items],
    }


def _json(results: Sequence[Result]) -> Iterator[str]:
    texts = [_compact(result) for result in results]
    whole = texts[0] if len(texts) == 1 else b"[" + b",".join(texts) + b"]" if texts else b"null"
    yield msgspec.json.format(whole, indent=2).decode()


def _compact(result: Result) -> bytes:
    from percale.resources.json_text import encode_json, encode_json_list

    if isinstance(result, ResourceList):
        return encode_json_list(result.kind, result.items, resource_version=str(result.revision))
    return encode_json(result)


def _template(template: str) -> Printer:
    if not template:
        raise CommandFailed("need to specify a template")
    return lambda results, around: _rendered(template, results, around)


def _template_file(path: str) -> Printer:
    if not path:
        raise CommandFailed("need to specify a template file")

    def rendered(results: Sequence[Result], around: Surroundings) -> Iterator[str]:
        # Read late, as calicoctl does: the resources are asked for first.
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                template = file.read()
        except OSError as error:
            step = "read" if isinstance(error, IsADirectoryError) else "open"
            raise CommandFailed(f"{step} {path}: {(error.strerror or '').lower()}") from error
        yield from _rendered(template, results, around)

    return rendered


def _rendered(template: str, results: Sequence[Result], around: Surroundings) -> Iterator[str]:
    from percale.cli.gotemplate import TemplateError, render

    def config(name: str) -> int:
        if name.lower() != "asnumber":
            raise ValueError(f"unhandled config parameter: {name}")
        return around.as_number()

    try:
        yield render(template, list(results), {"config": config})
    except TemplateError as error:
        raise CommandFailed(str(error)) from error
