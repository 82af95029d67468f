# SPDX-License-Identifier: Apache-2.0
"""What a command is about: resources named on the command line, or written in files (spec/cli.md sections 4 and 5)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from percale.cli.command import Arguments, CommandFailed, Flag
from percale.errors import PercaleError, Problem
from percale.resources import KindInfo, Resource, kind_named
from percale.resources.kinds import kind_hint

if TYPE_CHECKING:
    from percale.resources.documents import Document

__all__ = [
    "ALL_NAMESPACES",
    "FILE_FLAGS",
    "NAMESPACE",
    "NothingGiven",
    "Target",
    "kind_of_word",
    "named_targets",
    "read_targets",
    "shared_kind",
]

FILE_FLAGS = (
    Flag("filename", "f", value="PATH", text="file or folder of YAML or JSON documents, - for standard input"),
    Flag("recursive", "R", text="read the folders inside the folder too"),
    Flag("skip-empty", text="finding no document is no error"),
)
NAMESPACE = Flag("namespace", "n", value="NAME", text="namespace of namespaced resources (default: default)")
ALL_NAMESPACES = (
    Flag("all-namespaces", "A", text="resources of all namespaces"),
    Flag("all-namespaces-short", "a", hidden=True),
)

_SUFFIXES = (".yaml", ".yml", ".json")
_STDIN = "stdin"
_DEFAULT = "default"


class NothingGiven(CommandFailed):
    """Files were named and hold no resource."""


class Target(msgspec.Struct, frozen=True):
    """One resource that a command is about; ``namespace`` is as written, ``document`` the one that was read, if any."""

    info: KindInfo
    name: str
    namespace: str = ""
    document: Document | None = None

    def at_home(self, arguments: Arguments) -> Target:
        """Return the target with the namespace that it gets; "" is all of them, or none for a global kind.

        Raises PercaleError where document and flags disagree.
        """
        wanted, everywhere = arguments.text(NAMESPACE.name), any(arguments.switch(flag.name) for flag in ALL_NAMESPACES)
        if not self.info.namespaced:
            self._check_global(wanted, everywhere)
            return self
        if everywhere and wanted:
            raise PercaleError("cannot use both --namespace and --all-namespaces flags at the same time")
        if everywhere:
            return self._in("")
        if wanted and self.namespace and self.namespace != wanted:
            raise PercaleError(f"resource namespace does not match client namespace. {self.namespace} != {wanted}")
        return self._in(self.namespace or wanted or _DEFAULT)

    @property
    def resource(self) -> Resource:
        """The document's resource in the namespace of this target."""
        assert self.document is not None
        resource = self.document.resource
        return resource if resource.namespace == self.namespace else resource.with_metadata(namespace=self.namespace)

    def placed(self, problem: Problem) -> Problem:
        """Return a problem of the resource with its file and line, or only with the name of the resource."""
        if self.document:
            return self.document.placed(problem)
        name = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return problem.at(subject=f"{self.info.kind} {name}")

    def _check_global(self, wanted: str, everywhere: bool) -> None:
        kind = self.info.kind
        if self.namespace:
            raise PercaleError(
                f"namespace should not be specified for a non-namespaced resource. {kind} is not a namespaced resource"
            )
        if wanted or everywhere:
            raise PercaleError(f"{kind} is not namespaced")

    def _in(self, namespace: str) -> Target:
        return Target(self.info, self.name, namespace, self.document)


def shared_kind(targets: Iterable[Target]) -> str:
    """Return the kind of all targets, or "" if there are several."""
    kinds = {target.info.kind for target in targets}
    return kinds.pop() if len(kinds) == 1 else ""


def kind_of_word(word: str) -> KindInfo:
    """Return the kind that a word on the command line names; raises CommandFailed."""
    info = kind_named(word)
    if info is None:
        unknown = Problem("", f"unknown kind {word!r}", kind_hint(word))
        raise CommandFailed(f"resource type '{word}' is not supported", problems=[unknown])
    return info


def named_targets(words: Sequence[str]) -> list[Target]:
    """Return what ``KIND [NAME...]`` names; without a name it is the kind. Raises CommandFailed."""
    info = kind_of_word(words[0])
    if "" in words[1:]:
        raise CommandFailed("resource name may not be empty")
    return [Target(info, name) for name in words[1:] or [""]]


def read_targets(arguments: Arguments) -> list[Target]:
    """Return the resources of the files that the arguments name, in order.

    Everything is read before anything is returned. Raises CommandFailed for a file that cannot be read and with all
    problems of all files, NothingGiven where there is no document.
    """
    # Reading documents needs much that naming resources does not.
    from percale.resources.documents import DocumentError, read_documents

    path = arguments.text("filename")
    if not path:
        raise CommandFailed("no resource was given: name a file, a folder or - (standard input) behind -f")
    documents: list[Document] = []
    refusals: list[DocumentError] = []
    for file in _files(path, arguments.switch("recursive")):
        try:
            documents += read_documents(_content(file), file=_STDIN if file == "-" else file)
        except DocumentError as error:
            refusals.append(error)
    if refusals:
        # All of them in our words, then calicoctl's for the one at which it stops.
        problems = [problem for refusal in refusals for problem in refusal.problems]
        raise CommandFailed(f"failed to execute command: {refusals[0].calico_text}", problems=problems)
    if not documents:
        what = "directory" if os.path.isdir(path) else "file"
        raise NothingGiven(f"no resources specified in {what} {path}")
    return [_target(document) for document in documents]


def _target(document: Document) -> Target:
    resource = document.resource
    return Target(resource.info, resource.name, resource.namespace, document)


def _files(path: str, recursive: bool) -> Iterator[str]:
    if path == "-" or not os.path.isdir(path):
        yield path
        return
    for name in sorted(os.listdir(path)):
        inside = os.path.join(path, name)
        if os.path.isdir(inside):
            if recursive:
                yield from _files(inside, recursive)
        elif name.lower().endswith(_SUFFIXES):
            yield inside


def _content(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        with open(file, "rb") as opened:
            return opened.read()
    except OSError as error:
        raise CommandFailed(f"failed to execute command: open {file}: {(error.strerror or '').lower()}") from error
