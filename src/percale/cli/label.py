# SPDX-License-Identifier: Apache-2.0
"""``label``: set or remove one label (spec/cli.md section 8)."""

from __future__ import annotations

from percale.cli.command import CONFIG, Arguments, Call, Command, CommandFailed, Flag
from percale.cli.outcomes import problems_of
from percale.cli.readonly import check_writable
from percale.cli.session import Session
from percale.cli.targets import NAMESPACE, Target, named_targets
from percale.errors import Conflict, NotFound, PercaleError
from percale.resources import Resource

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Set a label of a resource, or remove it.",
    usage="KIND NAME KEY=VALUE [--overwrite] | KIND NAME KEY --remove [flags]",
    flags=(
        Flag("overwrite", text="change the value of a label that is there"),
        Flag("remove", text="remove the label"),
        NAMESPACE,
        CONFIG,
    ),
    least=3,
    example="label workloadendpoint node1-k8s-web--1-eth0 role=frontend --namespace shop",
)

_ATTEMPTS = 5


def run(call: Call) -> int:
    """Change the label and say what was done."""
    word, name, assignment, *_ = call.arguments.positionals
    subject = f"{word} {name}"
    with Session(call.arguments) as session:
        session.check_version()
        target = _target(word, name, subject, call.arguments)
        for attempt in range(_ATTEMPTS):
            try:
                resource = session.client.get(target.info.kind, name, target.namespace)
            except NotFound as error:
                raise CommandFailed(f"{subject} not found") from error
            except PercaleError as error:
                raise CommandFailed(f"failed to get {subject}, error {error.calico_text}") from error
            labels, done = _changed(resource, assignment, subject, call.arguments)
            try:
                check_writable("replace", target)
                session.client.update(resource.with_metadata(labels=labels))
            except PercaleError as error:
                if isinstance(error, Conflict) and attempt < _ATTEMPTS - 1:
                    continue
                # calicoctl hides the reason.
                raise CommandFailed(
                    f"failed to update {subject}, label not changed", problems=problems_of(error, target)
                ) from error
            print(done)
            break
    return 0


def _target(word: str, name: str, subject: str, arguments: Arguments) -> Target:
    try:
        (target,) = named_targets([word, name])
        return target.at_home(arguments)
    except CommandFailed as failure:
        raise CommandFailed(f"failed to get {subject}, error {failure.text}", problems=failure.problems) from failure
    except PercaleError as error:
        raise CommandFailed(f"failed to get {subject}, error {error}") from error


def _changed(resource: Resource, assignment: str, subject: str, arguments: Arguments) -> tuple[dict[str, str], str]:
    """The labels as they shall be, and what to say then."""
    labels = dict(resource.labels)
    if arguments.switch("remove"):
        if assignment not in labels:
            raise CommandFailed(f"cannot remove label of {subject}, key {assignment} does not exist")
        del labels[assignment]
        return labels, f"Successfully removed label {assignment} from {subject}"
    key, equals, value = assignment.partition("=")
    if not equals:
        raise CommandFailed(f"invalid label {assignment}")
    if key in labels and labels[key] != value and not arguments.switch("overwrite"):
        raise CommandFailed(
            f"failed to update label of {subject}, key {key} is already present."
            " please use '--overwrite' to set a new value"
        )
    done = f"Successfully {'updated' if key in labels else 'set'} label {key} on {subject}"
    return {**labels, key: value}, done
