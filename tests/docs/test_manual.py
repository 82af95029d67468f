# SPDX-License-Identifier: Apache-2.0
"""The manual is complete: every command, flag and field is in it, links lead somewhere, pages have one order."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest
from tests.docs.page import PAGES, ROOT, Page

from percale.cli.command import GLOBAL_FLAGS, Arguments, Command, read_arguments
from percale.cli.help import command_help
from percale.cli.verbs import GROUPS, VERBS, find_verb
from percale.resources import WorkloadEndpointPort, WorkloadEndpointSpec, wire_name

ORDER = ("Smallest example", "Rules", "Reference", "Limits and differences", "See also")
MANUAL = [path for path in PAGES if path.parent.name == "docs" and path.name != "design.md"]
TEST = re.compile(r"`(tests/[\w/]+\.py)`((?:, `_?\w+`)*)")


def _page(name: str) -> Page:
    return Page.read(ROOT / "docs" / name)


def _command(verb: str) -> Command:
    command: Command = import_module(VERBS[verb].module).COMMAND
    return command


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_is_in_the_manual(verb: str):
    """Each command has a heading of its own on the page of commands."""
    assert (3, f"percale {verb}") in _page("commands.md").headings


@pytest.mark.parametrize("verb", VERBS)
def test_help_ends_with_an_example(verb: str):
    """Each command says what it does, describes its flags, and ends with a line that can be pasted."""
    command = _command(verb)
    *_, title, example = command_help("percale", verb, command).splitlines()
    assert title == "Example:"
    assert command.about.endswith(".")
    assert all(flag.text for flag in command.flags if not flag.hidden)
    words = example.partition("<")[0].partition(">")[0].replace("'", "").split()
    assert words[0] == "percale"
    named, rest = find_verb(words[1:], "percale")
    assert VERBS[named].module == VERBS[verb].module
    arguments = Arguments()
    read_arguments(rest, (*GLOBAL_FLAGS, *command.flags), arguments)
    command.check_count(len(arguments.positionals))


def test_groups_are_explained():
    """Each first word of longer commands has a line of help."""
    assert all(GROUPS.values())


def test_the_reference_is_fresh():
    """The generated parts of the manual are what the program says today."""
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "reference", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("of", [WorkloadEndpointSpec, WorkloadEndpointPort], ids=lambda of: of.__name__)
def test_every_field_of_an_endpoint_is_described(of: type):
    """The page of workload endpoints names each field as people write it."""
    text = _page("workload-endpoint.md").text
    missing = [name for name in of.__struct_fields__ if f"`{wire_name(name)}`" not in text]
    assert not missing


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path):
    """Each link of a page reaches a file of the project, and a heading where it names one."""
    for link in Page.read(path).links:
        if "://" in link:
            continue
        target, _, fragment = link.partition("#")
        found = (path.parent / target).resolve() if target else path
        assert found.exists(), link
        assert not fragment or fragment in Page.read(found).anchors, link


@pytest.mark.parametrize("path", MANUAL, ids=lambda path: path.name)
def test_pages_have_one_order(path: Path):
    """A page begins with one title and a sentence; its parts stand in the manual's order, the last is See also."""
    page = Page.read(path)
    (depth, _), *others = page.headings
    assert depth == 1
    assert all(depth > 1 for depth, _ in others)
    found = [ORDER.index(text) for depth, text in others if depth == 2 and text in ORDER]
    assert all(left < right for left, right in pairwise(found))
    assert others[-1] == (2, ORDER[-1])
    assert re.match(r"# .+\n\n[A-Z*`]", page.text)


@pytest.mark.parametrize("path", MANUAL, ids=lambda path: path.name)
def test_every_page_is_reached(path: Path):
    """The first page links to each other page."""
    assert path.name == "index.md" or path.name in _page("index.md").links


def _differences() -> list[str]:
    rows = [line for line in _page("differences.md").prose.splitlines() if line.startswith("| ")]
    return [row for row in rows if not row.endswith("| why | test |")]


@pytest.mark.parametrize("row", _differences())
def test_a_difference_has_a_reason_and_a_test(row: str):
    """Each entry says what differs and why, and names tests that are there."""
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert len(cells) == 4
    assert all(cells)
    named = TEST.findall(cells[-1])
    assert named
    for file, functions in named:
        source = (ROOT / file).read_text(encoding="utf-8")
        assert functions
        for function in re.findall(r"`(\w+)`", functions):
            assert f"def {function}(" in source, f"{file} has no {function}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_lines_fit(path: Path):
    """Lines of prose are as long as those of the code at most; tables, links and outputs may be longer."""
    if path.name == "design.md":
        return
    for line in Page.read(path).prose.splitlines():
        assert len(line) <= 120 or line.startswith("|"), line
