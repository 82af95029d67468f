# SPDX-License-Identifier: Apache-2.0
"""A page of the manual as its parts: headings, links, and code blocks with what their first line asks for.

The info string of a block may carry words behind the language, which readers of the rendered page do not see::

    ```console             commands are run in order of the page, their output is compared
    ```console host        the same, only where private namespaces are permitted
    ```console needs=NAME  run only where a program of this name is installed
    ```console fails       the last command of the block ends with a status other than 0
    ```yaml                resources, which must validate; beginning with "# file: NAME" they are written to NAME
    ```yaml refused        resources that must not validate
    ```json file=NAME      written to NAME
    ```ini path=PATH       what stands in the file of the project of this path
    ```python              run as a script; a block "text output" behind it is what it prints
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGES", "ROOT", "Block", "Page"]

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```(?P<info>.*)\n(?P<text>(?:.*\n)*?)```$", re.MULTILINE)
_FILE = re.compile(r"# file: (\S+)\n")
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]")


@dataclass(frozen=True)
class Block:
    """A code block: its language, the words behind it, its text, and the line of the page where it begins."""

    page: str
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def place(self) -> str:
        """Where the block is, for messages."""
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str:
        """The name under which the block is written before the next command, or empty."""
        named = _FILE.match(self.text)
        return named[1] if named else self.option("file")

    def option(self, name: str) -> str:
        """The value of a word ``NAME=VALUE``, or empty."""
        return next((word.partition("=")[2] for word in self.words if word.startswith(f"{name}=")), "")


@dataclass(frozen=True)
class Page:
    """One file of the manual."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> Page:
        """Read a page."""
        return cls(path, path.read_text(encoding="utf-8"))

    @property
    def name(self) -> str:
        """The path from the project's folder."""
        return str(self.path.relative_to(ROOT))

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All code blocks in order."""
        return tuple(self._block(found) for found in _FENCE.finditer(self.text))

    @property
    def prose(self) -> str:
        """The page without its code blocks."""
        return _FENCE.sub("", self.text)

    @property
    def headings(self) -> tuple[tuple[int, str], ...]:
        """Depth and text of each heading."""
        return tuple((len(found[1]), found[2]) for found in _HEADING.finditer(self.prose))

    @property
    def anchors(self) -> frozenset[str]:
        """The fragments by which links reach the page's headings."""
        return frozenset(
            _NOT_IN_ANCHOR.sub("", text.replace("`", "").lower()).replace(" ", "-") for _, text in self.headings
        )

    @property
    def links(self) -> tuple[str, ...]:
        """The targets of all links."""
        return tuple(_LINK.findall(self.prose))

    def _block(self, found: re.Match[str]) -> Block:
        language, *words = found["info"].split() or [""]
        line = self.text.count("\n", 0, found.start()) + 1
        return Block(self.name, line, language, tuple(words), found["text"])
