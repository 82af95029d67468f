# SPDX-License-Identifier: Apache-2.0
"""What people write: streams of YAML or JSON documents, read with every fault at once (spec/cli.md section 5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec

from percale.errors import Problem, ValidationError
from percale.resources.exact import exact_resource
from percale.resources.kinds import KINDS, KindInfo, kind_hint
from percale.resources.nodes import Member, Node, located, node_of
from percale.resources.plain_yaml import plain_document
from percale.resources.reader import Reader
from percale.resources.resource import API_VERSION, Resource

__all__ = ["MAX_DOCUMENTS", "MAX_DOCUMENT_BYTES", "Document", "DocumentError", "read_documents", "read_one"]

MAX_DOCUMENT_BYTES = 10 * 1024 * 1024
"""How long one document may be."""
MAX_DOCUMENTS = 100_000
"""How many documents one stream may have."""

R = TypeVar("R", bound=Resource)

_SEPARATOR = "\n---"
_STEP = re.compile(r"\['(?P<key>.*?)'\]|\[(?P<index>\d+)\]|(?P<name>[^.\[\]]+)")
_NOT_UTF_8 = {
    "invalid continuation byte": "invalid trailing UTF-8 octet",
    "unexpected end of data": "incomplete UTF-8 octet sequence",
}
"""What Python calls a fault of the encoding, and what libyaml's reader does; it names the place as little."""
_NOT_UTF_8_ELSE = "invalid leading UTF-8 octet"
_LIST_MEMBERS = {"kind", "apiVersion", "metadata", "items"}


class DocumentError(ValidationError):
    """The input's fault: the text cannot be read as resources; ``problems`` holds every fault of the stream.

    ``decisive`` is the one at which Calico's command line stops, by default the first one.
    """

    def __init__(self, problems: Sequence[Problem], decisive: Problem | None = None) -> None:
        super().__init__(problems)
        self._decisive = decisive or next((problem for problem in problems if not problem.warning), None)

    @property
    def calico_text(self) -> str:
        """What Calico's command line says of the fault that keeps it from reading the text."""
        return self._decisive.calico_reason or self._decisive.message if self._decisive else ""


class Document(msgspec.Struct, frozen=True):
    """One resource of a stream, the warnings it gave, and the way back from a field to its line.

    ``node`` returns the root of what was written, which is read with its places when that is first asked for.
    """

    resource: Resource
    warnings: tuple[Problem, ...] = ()
    file: str = ""
    node: Callable[[], Node | None] = lambda: None

    def placed(self, problem: Problem) -> Problem:
        """Return a problem of this resource with its file, its line and the resource it is about."""
        root = self.node()
        line, column = located(root, problem.path) if root else (0, 0)
        return problem.at(file=self.file, line=line, column=column, subject=_subject(self.resource))

    def check(self, **how: Any) -> tuple[Problem, ...]:
        """Return what ``percale.resources.check`` finds, each problem with its place; warnings come first."""
        from percale.resources.checks import check

        found = check(self.resource, **how)
        return self.warnings + tuple(sorted(map(self.placed, found), key=lambda problem: problem.line))


def read_documents(text: str | bytes, *, file: str = "") -> list[Document]:
    """Return the resources of a stream in their order; an empty text has none.

    Raises DocumentError with all problems of all documents in the order of lines.
    """
    return _read(text, _Stream(file))


def read_one(text: str | bytes, kind: type[R], *, file: str = "") -> R:
    """Return the only resource of a text, which must be of this kind, be it an internal one. Raises DocumentError."""
    asked = "" if kind is Resource else kind.kind
    documents = _read(text, _Stream(file, asked))
    resource = documents[0].resource if len(documents) == 1 else None
    if isinstance(resource, kind):
        return resource
    found = ", ".join(document.resource.kind for document in documents) or "nothing"
    message = f"expected one {asked or 'resource'}, found {found}"
    raise DocumentError([Problem(path="", message=message, rule="document", file=file, line=1, calico_reason=message)])


def _read(text: str | bytes, stream: _Stream) -> list[Document]:
    try:
        content = text.decode("utf-8-sig") if isinstance(text, bytes) else text.removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        wrong = Problem(
            path="",
            message="not UTF-8",
            hint="save the file as UTF-8",
            rule="yaml",
            file=stream.file,
            line=error.object.count(b"\n", 0, error.start) + 1,
            calico_reason=f"error converting YAML to JSON: yaml: {_NOT_UTF_8.get(error.reason, _NOT_UTF_8_ELSE)}",
        )
        raise DocumentError([wrong]) from None
    for number, (first_line, part) in enumerate(_split(content)):
        if number >= MAX_DOCUMENTS:
            stream.refuse(first_line, f"more than {MAX_DOCUMENTS} documents", "cut the file into several")
            break
        stream.read(part, first_line)
    if any(not problem.warning for problem in stream.problems):
        raise DocumentError(stream.problems, stream.decisive)
    return stream.documents


def _split(content: str) -> Iterator[tuple[int, str]]:
    """The documents with the numbers of their first lines; a line that begins with three dashes separates."""
    start, line = 0, 1
    while start < len(content):
        end = content.find(_SEPARATOR, start)
        if end < 0:
            yield line, content[start:]
            return
        yield line, content[start:end]
        after = content.find("\n", end + len(_SEPARATOR))
        after = len(content) if after < 0 else after + 1
        line += content.count("\n", start, after)
        start = after


class _Stream:
    """The documents read so far and all that was wrong with them; the kind ``asked`` for may be an internal one."""

    def __init__(self, file: str, asked: str = "") -> None:
        self.documents: list[Document] = []
        self.problems: list[Problem] = []
        self.decisive: Problem | None = None
        self.file = file
        self._asked = asked

    def read(self, text: str, first_line: int) -> None:
        known = len(self.problems)
        self._read(text, first_line)
        faults = [problem for problem in self.problems[known:] if problem.cited and not problem.warning]
        if faults and self.decisive is None:
            self.decisive = min(faults, key=_turn)

    def _read(self, text: str, first_line: int) -> None:
        if len(text) > MAX_DOCUMENT_BYTES or len(text.encode()) > MAX_DOCUMENT_BYTES:
            self.refuse(
                first_line, f"the document is longer than {MAX_DOCUMENT_BYTES >> 20} MiB", "cut it into several"
            )
            return
        resource = _exact(text)
        if resource is not None:
            self.documents.append(Document(resource, (), self.file, cache(lambda: _parsed(text, first_line)[0])))
            return
        root, problems = _parsed(text, first_line)
        if root is None and problems:
            self._keep(problems)
            return
        self._root(root, problems, first_line)

    def refuse(self, line: int, message: str, hint: str, calico: str = "", column: int = 0) -> None:
        self._keep([_problem(line, message, hint, calico, column)])

    def _keep(self, problems: list[Problem]) -> None:
        """Keep problems, but what is wrong in one line of several things only once."""
        for problem in problems:
            placed = problem.at(file=self.file)
            if not self.problems or str(self.problems[-1]) != str(placed):
                self.problems.append(placed)

    def _root(self, root: Node | None, problems: list[Problem], first_line: int) -> None:
        match root.value if root else None:
            case list() as items:
                self._keep(problems)
                for item in items:
                    self._resource(item, [], None)
            case dict() as members if _named_list(members) is not None:
                assert root is not None
                self._typed_list(root, problems, _named_list(members))
            case None:
                self._keep(problems)
                self.refuse(
                    first_line,
                    "the document has no content",
                    "remove the surplus '---' or the comment that stands alone",
                    "unknown resource type () and/or version ()",
                )
            case _:
                assert root is not None
                self._resource(root, problems, None)

    def _typed_list(self, root: Node, problems: list[Problem], info: KindInfo | None) -> None:
        assert isinstance(root.value, dict)
        self._keep(problems)
        for name, member in root.value.items():
            if name not in _LIST_MEMBERS:
                text = f'error unmarshaling JSON: while decoding JSON: json: unknown field "{name}"'
                self.refuse(member.line, f"unknown field {name!r} in a list", "a list has items", text, member.column)
        items = root.value.get("items", Member(Node(None))).node
        if items.value is not None and not isinstance(items.value, list):
            self.refuse(items.line, "items: expected a list of resources", "write one resource per '- '")
            return
        for item in items.value or []:
            self._resource(item, [], info)

    def _resource(self, node: Node, problems: list[Problem], listed: KindInfo | None) -> None:
        info = self._info(node, listed)
        if info is None:
            self.problems[-1:-1] = [problem.at(file=self.file) for problem in problems]
            return
        reader = Reader("people")
        resource = reader.resource(node, info.type)
        faults = problems + reader.problems
        if any(not fault.warning for fault in faults):
            faults = faults + _wrong_besides(resource, node, faults)
        found = sorted(faults, key=lambda problem: (problem.line, problem.column))
        subject = _subject(resource)
        placed = tuple(problem.at(file=self.file, subject=subject) for problem in found)
        self.problems += placed
        if all(problem.warning for problem in placed):
            self.documents.append(Document(resource, placed, self.file, lambda: node))

    def _info(self, node: Node, listed: KindInfo | None) -> KindInfo | None:
        """The kind that a resource names, or that of the list it stands in."""
        if not isinstance(node.value, dict):
            found = {str: "string", list: "array", bool: "bool"}.get(type(node.value), "number")
            self.refuse(
                node.line,
                "expected a resource with apiVersion, kind, metadata and spec",
                "begin with 'apiVersion: projectcalico.org/v3'",
                _no_resource(found),
                node.column,
            )
            return None
        kind, version = _member_text(node, "kind"), _member_text(node, "apiVersion")
        if listed and not kind and not version:
            return listed
        if not kind:
            self.refuse(
                node.line,
                "the resource has no kind",
                "add a line such as 'kind: NetworkPolicy'",
                _no_resource("object"),
            )
            return None
        info = KINDS.get(kind)
        if info is None or not (info.aliases or kind == self._asked) or version != API_VERSION:
            line, column = located(node, "kind" if version == API_VERSION else "apiVersion")
            message = f"unknown kind {kind!r}" if version == API_VERSION else f"unknown apiVersion {version!r}"
            text = f"unknown resource type ({kind}) and/or version ({version})"
            self.refuse(line, message, _kind_hint(kind, version), text, column)
            return None
        return info


def _turn(fault: Problem) -> tuple[int, list[tuple[str, int]]]:
    """When Calico meets a fault: it turns all of a document into JSON, with sorted members, before it reads any."""
    stages = ("error converting YAML to JSON: yaml: ", "error converting YAML to JSON: ")
    stage = next((number for number, text in enumerate(stages) if fault.calico_reason.startswith(text)), len(stages))
    if stage < len(stages):
        return stage, []
    steps = _STEP.finditer(fault.path)
    return stage, [(step["name"] or step["key"] or "", int(step["index"] or 0)) for step in steps]


def _wrong_besides(resource: Resource, node: Node, faults: list[Problem]) -> list[Problem]:
    """What the rules find in the sound rest of a document, so that a person need not mend it twice.

    What touches a faulty place is left out: there a rule would judge what was never read. Calico gets no further than
    the faults, so none of it is cited in its words.
    """
    from percale.resources.checks import check

    faulty = [fault.path for fault in faults if not fault.warning]
    # An item that could not be read shifts those behind it, so its whole list is left alone.
    closed = tuple(path.rpartition("[")[0] if path.endswith("]") else path for path in faulty)
    found = []
    for problem in check(resource, operation="validate"):
        if not any(problem.path.startswith(path) or path.startswith(problem.path) for path in closed):
            line, column = located(node, problem.path)
            found.append(problem.replace(line=line, column=column, cited=False))
    return found


def _exact(text: str) -> Resource | None:
    """The one resource of a document of which nothing is to be said before its content is checked, else None."""
    members = plain_document(text)
    if members is None:
        return None
    kind, version = members.pop("kind", ""), members.pop("apiVersion", "")
    info = KINDS.get(kind) if isinstance(kind, str) else None
    if info is None or not info.aliases or version != API_VERSION:
        return None
    return exact_resource(members, info.type)


def _parsed(text: str, first_line: int) -> tuple[Node | None, list[Problem]]:
    from percale.resources.yaml_nodes import NodeParser  # PyYAML is loaded only when something is read

    parser = NodeParser(text, first_line=first_line)
    root = parser.parse()
    if root is None and parser.problems and text.lstrip()[:1] in {"{", "["}:
        # JSON that YAML cannot read: characters written as surrogate pairs.
        import msgspec

        try:
            return node_of(msgspec.json.decode(text)), []
        except (msgspec.DecodeError, RecursionError):
            pass  # the YAML parser's problem says where
    return root, parser.problems


def _named_list(members: dict[str, Member]) -> KindInfo | None:
    """The kind of a typed list's items, None for what is no typed list."""
    kind = members["kind"].node.value if "kind" in members else None
    if not isinstance(kind, str) or not kind.endswith("List"):
        return None
    version = members["apiVersion"].node.value if "apiVersion" in members else None
    info = KINDS.get(kind.removesuffix("List"))
    return info if info and info.aliases and version == API_VERSION else None


def _member_text(node: Node, name: str) -> str:
    assert isinstance(node.value, dict)
    value = node.value[name].node.value if name in node.value else ""
    return value if isinstance(value, str) else ""


def _kind_hint(kind: str, version: str) -> str:
    if version != API_VERSION:
        return f"write 'apiVersion: {API_VERSION}'"
    return kind_hint(kind)


def _no_resource(found: str) -> str:
    return (
        f"error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go value of type"
        " []unstructured.Unstructured"
    )


def _problem(line: int, message: str, hint: str, calico: str, column: int) -> Problem:
    return Problem(path="", message=message, hint=hint, rule="document", line=line, column=column, calico_reason=calico)


def _subject(resource: Resource) -> str:
    namespace = resource.namespace if resource.namespaced else ""
    name = f"{namespace}/{resource.name}" if namespace else resource.name
    return f"{resource.kind} {name}".rstrip()
