# SPDX-License-Identifier: Apache-2.0
"""The manual is run: commands, resources and programs in it do what the page shows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from tests.docs.page import PAGES, ROOT, Block, Page
from tests.docs.session import Shell, agrees, commands, may_be_private, surroundings

from percale.cli.command import Arguments
from percale.cli.config import CONFIG, datastore_config
from percale.errors import PercaleError
from percale.resources import Resource, check, defaulted, read_documents

BLOCKS = [block for path in PAGES for block in Page.read(path).blocks]
YAML = [block for block in BLOCKS if block.language == "yaml"]
NEED_HOST = sorted({block.page for block in BLOCKS if "host" in block.words})
LANGUAGES = {"", "console", "ini", "json", "python", "text", "yaml"}
WORDS = {"config", "fails", "host", "output", "refused"}
OPTIONS = {"file", "needs", "path"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_does_what_it_shows(path: Path, tmp_path: Path):
    """Commands and programs of a page, run in its order, print what stands below them."""
    _read_along(Page.read(path), tmp_path, private=False)


@pytest.mark.kernel
@pytest.mark.parametrize("name", NEED_HOST)
def test_a_page_does_what_it_shows_on_a_host(name: str, tmp_path: Path):
    """The same, with the commands that program a host, on one made of private namespaces."""
    if not _host_is_permitted():
        pytest.skip("private namespaces are not permitted here (needs CAP_SYS_ADMIN)")
    _read_along(Page.read(ROOT / name), tmp_path, private=True)


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.place)
def test_resources_validate(block: Block):
    """Every resource in the manual is valid, unless the page says that it is refused."""
    if "config" in block.words:
        return
    try:
        problems = [found for resource in _resources(block) for found in check(resource, operation="validate")]
    except PercaleError as error:
        problems = [error]
    refused = [problem for problem in problems if not getattr(problem, "warning", False)]
    assert bool(refused) == ("refused" in block.words), "\n".join(map(str, refused)) or "nothing is wrong with it"


@pytest.mark.parametrize("block", [each for each in YAML if "config" in each.words], ids=lambda block: block.place)
def test_configurations_are_read(block: Block, tmp_path: Path):
    """Every configuration of the command line in the manual can be read."""
    path = tmp_path / "calicoctl.cfg"
    path.write_text(block.text)
    arguments = Arguments()
    arguments.add(CONFIG, str(path))
    assert datastore_config(arguments, {}).settings


@pytest.mark.parametrize("block", [each for each in YAML if "refused" in each.words], ids=lambda block: block.place)
def test_a_refusal_is_shown(block: Block):
    """Behind a resource that is refused stands a command that reads its file, with what it says."""
    behind = [each for each in BLOCKS if each.page == block.page and each.line > block.line]
    assert behind
    assert behind[0].language == "console"
    assert "fails" in behind[0].words
    assert block.file
    assert block.file in behind[0].text


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.option("path")], ids=lambda block: block.place)
def test_quoted_files_are_what_they_were(block: Block):
    """What a page shows of a file of the project is what stands there."""
    assert (ROOT / block.option("path")).read_text(encoding="utf-8").endswith(block.text)


def test_blocks_are_marked_as_the_harness_understands():
    """A misspelled mark would leave a block untested."""
    for block in BLOCKS:
        options = {word.partition("=")[0] for word in block.words if "=" in word}
        assert block.language in LANGUAGES, block.place
        assert {word for word in block.words if "=" not in word} <= WORDS, block.place
        assert options <= OPTIONS, block.place


def test_every_command_is_run_somewhere():
    """A console block without a prompt is no command: its output belongs into a text block."""
    for block in BLOCKS:
        assert block.language != "console" or commands(block), block.place


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a\n", "a  \n\n", True),
        ("a", "b", False),
        ("a … c", "a b c", True),
        ("a … c", "a b\nc", False),
        ("a\n…\nc", "a\nb\nb\nc", True),
        ("a\n…", "a", True),
        ("a\n…\nc", "a\nb\nd", False),
        ("", "a", False),
    ],
)
def test_outputs_are_compared(expected: str, printed: str, same: bool):
    """The dots match within a line, or any number of lines where they stand alone; nothing else is overlooked."""
    assert agrees(expected, printed) is same


def _resources(block: Block) -> list[Resource]:
    return [defaulted(document.resource) for document in read_documents(block.text, file=block.place)]


@cache
def _host_is_permitted() -> bool:
    return may_be_private()


def _read_along(page: Page, folder: Path, *, private: bool) -> None:
    environment = surroundings(folder)
    work = folder / "work"
    work.mkdir()
    blocks = page.blocks
    with Shell(work, environment, private=private) as shell:
        for block, behind in pairwise((*blocks, Block(page.name, 0, "", (), ""))):
            if block.file:
                target = work / block.file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(block.text, encoding="utf-8")
            if block.language == "console" and (private or "host" not in block.words) and _is_there(block):
                _type(shell, block)
            if block.language == "python":
                _execute(block, behind.text if "output" in behind.words else "", work, environment)


def _is_there(block: Block) -> bool:
    needed = block.option("needs")
    return not needed or shutil.which(needed) is not None


def _type(shell: Shell, block: Block) -> None:
    asked = commands(block)
    for number, command in enumerate(asked):
        status, printed = shell.run(command.text)
        story = (
            f"{block.place}: {command.text}\n--- the page shows\n{command.expected}\n--- the command printed\n{printed}"
        )
        assert agrees(command.expected, printed), story
        may_fail = "fails" in block.words and number == len(asked) - 1
        assert bool(status) == may_fail, f"{story}--- status {status}"


def _execute(block: Block, expected: str, folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-"],
        input=block.text,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, f"{block.place}: {done.stderr}"
    assert agrees(expected, done.stdout), f"{block.place} printed\n{done.stdout}"
