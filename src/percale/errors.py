# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, sorted by whose fault it is.

An error carries its facts as attributes; its text is built from them. Wherever Calico's client library has an
error of the same meaning (spec/validation.md section 2), ``calico_text`` gives the words a user of calicoctl knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

__all__ = [
    "AlreadyExists",
    "Compacted",
    "Conflict",
    "FutureRevision",
    "NotFound",
    "NotSupported",
    "PercaleError",
    "Problem",
    "Refused",
    "Restored",
    "StoreUnavailable",
    "Unauthorized",
    "Unreadable",
    "ValidationError",
]


class PercaleError(Exception):
    """The base of every error that percale raises on purpose; its text is a sentence for a person."""

    @property
    def calico_text(self) -> str:
        """The text that Calico's own tools print for this error; by default the same as ours."""
        return str(self)


class Problem(NamedTuple):
    """One thing that is wrong in one document: where, what, which rule, and what to do now.

    ``path`` is the field as the user wrote it (``spec.ingress[2].source.nets[0]``), empty for the whole document.
    ``line`` and ``column`` count from 1, 0 means unknown. ``calico_name``, ``calico_reason`` are the name and reason
    that Calico's ErrorValidation cites (spec/validation.md section 2). A ``warning`` does not refuse the document.
    A problem that is not ``cited`` is found by us alone; one that is not ``shown`` says in Calico's words what another
    one says better.
    """

    path: str
    message: str
    hint: str = ""
    rule: str = ""
    value: Any = None
    file: str = ""
    line: int = 0
    column: int = 0
    subject: str = ""
    calico_name: str = ""
    calico_reason: str = ""
    warning: bool = False
    cited: bool = True
    shown: bool = True

    def at(self, *, file: str = "", line: int = 0, column: int = 0, subject: str = "") -> Problem:
        """Return the same problem with its place in a file and its resource filled in where still unknown."""
        return self.replace(
            file=self.file or file,
            line=self.line or line,
            column=self.column or column,
            subject=self.subject or subject,
        )

    def replace(self, **changes: Any) -> Self:
        """Return the same problem with some facts changed."""
        return self._replace(**changes)

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line or "") if part)
        head = ": ".join(part for part in (place, self.subject, self.path, self.message) if part)
        if self.warning:
            head = f"warning: {head}"
        return f"{head}\n    {self.hint}" if self.hint else head


class ValidationError(PercaleError, ValueError):
    """The input's fault: the document breaks one or more rules; ``problems`` holds all of them in order of lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems if problem.shown))

    @property
    def calico_text(self) -> str:
        """Calico's ErrorValidation text: one line for one field, a bulleted list for several."""
        refusals = [problem for problem in self.problems if not problem.warning]
        cited = [problem for problem in refusals if problem.cited] or refusals
        items = [_calico_item(problem) for problem in cited]
        if len(items) == 1:
            return f"error with field {items[0]}"
        return "error with the following fields:\n" + "".join(f"-  {item}\n" for item in items)


def _calico_item(problem: Problem) -> str:
    name = problem.calico_name or problem.path
    reason = problem.calico_reason or problem.message
    value = "" if problem.value is None else f" = '{problem.value}'"
    return f"{name}{value} ({reason})" if reason else f"{name}{value}"


class _AboutResource(PercaleError):
    def __init__(self, kind: str, name: str, namespace: str = "", *, cause: str = "", current: Any = None) -> None:
        self.kind, self.name, self.namespace, self.cause = kind, name, namespace, cause
        self.current = current
        """The resource as it is stored now, where the datastore told it."""
        super().__init__(self._sentence())

    @property
    def identity(self) -> str:
        """The resource as ``Kind(namespace/name)`` or ``Kind(name)``."""
        return f"{self.kind}({self.namespace}/{self.name})" if self.namespace else f"{self.kind}({self.name})"

    def _sentence(self) -> str:
        return self.calico_text


class NotFound(_AboutResource):
    """The state's fault: the resource does not exist."""

    @property
    def calico_text(self) -> str:
        """Calico's ErrorResourceDoesNotExist text."""
        return f"resource does not exist: {self.identity} with error: {self.cause or '<nil>'}"


class AlreadyExists(_AboutResource):
    """The state's fault: a resource of this identity is there already."""

    @property
    def calico_text(self) -> str:
        """Calico's ErrorResourceAlreadyExists text."""
        return f"resource already exists: {self.identity} with error: {self.cause or '<nil>'}"


class Conflict(_AboutResource):
    """The state's fault: somebody changed the resource since it was read; read it again and retry."""

    @property
    def calico_text(self) -> str:
        """Calico's ErrorResourceUpdateConflict text."""
        return f"update conflict: {self.identity}"


class Unreadable(_AboutResource):
    """The state's fault: what is stored under this identity is not a resource; ``cause`` says why."""

    @property
    def calico_text(self) -> str:
        """Close to Calico's ErrorParsingDatastoreEntry text, without the raw value."""
        return f"failed to parse datastore entry {self.identity}: {self.cause}"


class NotSupported(PercaleError):
    """The request's fault: this operation does not exist for this kind, or not on this datastore."""

    def __init__(self, operation: str, kind: str, name: str = "", namespace: str = "", *, reason: str = "") -> None:
        self.operation, self.kind, self.name, self.namespace, self.reason = (
            operation,
            kind,
            name,
            namespace,
            reason,
        )
        identity = f"{kind}({namespace}/{name})" if namespace else f"{kind}({name})" if name else kind
        super().__init__(f"operation {operation} is not supported on {identity}" + (f": {reason}" if reason else ""))


class StoreUnavailable(PercaleError):
    """The backend's fault: the datastore cannot be reached, opened or written.

    A write whose answer was lost may have been done all the same; the text says then that its outcome is not known.
    """


class Unauthorized(StoreUnavailable):
    """The request's fault: the datastore does not let this user do that."""

    @property
    def calico_text(self) -> str:
        """Calico's ErrorConnectionUnauthorized text."""
        return f"connection is unauthorized: {self}"


class Compacted(PercaleError):
    """The backend's fault: history before ``revision`` is gone; a watcher must list again, a reader ask for less."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        super().__init__(f"history before revision {revision} has been compacted")


class Restored(Compacted):
    """The backend's fault: it is at ``revision`` and was at ``reached``, so what was read of it is not its history."""

    def __init__(self, revision: int, reached: int) -> None:
        super().__init__(revision)
        self.reached = reached
        self.args = (f"the datastore was at revision {reached} and is at {revision}: an older state was restored",)


class FutureRevision(PercaleError):
    """The request's fault: the datastore has not reached ``revision`` yet."""

    def __init__(self, revision: int, newest: int) -> None:
        self.revision, self.newest = revision, newest
        super().__init__(f"revision {revision} is in the future; the newest is {newest}")


class Refused(PercaleError):
    """The surroundings' fault: a needed capability, file or process is missing; the text says what to do."""
