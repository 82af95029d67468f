# SPDX-License-Identifier: Apache-2.0
"""``patch``: change some fields of a resource (spec/cli.md section 8)."""

from __future__ import annotations

import sys
from typing import Any

from percale.cli.command import CONFIG, Call, Command, CommandFailed, Flag
from percale.cli.outcomes import problems_of
from percale.cli.readonly import check_writable
from percale.cli.session import Session
from percale.cli.targets import NAMESPACE, Target, named_targets
from percale.errors import PercaleError, Problem
from percale.resources import Resource

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Change some fields of a resource. A strategic or merge patch is a JSON object: members are merged, lists\n"
    "replaced, null removes a member. A json patch is a list of operations (RFC 6902).",
    usage="KIND NAME -p PATCH [flags]",
    flags=(
        Flag("patch", "p", value="PATCH", text="the patch as JSON"),
        Flag("type", "t", value="TYPE", text="strategic (default), merge or json"),
        NAMESPACE,
        CONFIG,
    ),
    least=2,
    most=2,
    example="""patch workloadendpoint node1-k8s-web--1-eth0 -n shop -p '{"spec":{"mac":"02:00:00:00:00:07"}}'""",
)

_TYPES = ("strategic", "merge", "json")


def run(call: Call) -> int:
    """Patch the resource, in one attempt."""
    arguments = call.arguments
    word, name = arguments.positionals
    with Session(arguments) as session:
        session.check_version()
        (target,) = named_targets([word, name])
        info = target.info
        try:
            target = target.at_home(arguments)
            stored = session.client.get(info.kind, name, target.namespace)
        except PercaleError as error:
            raise CommandFailed(f"hit error: {error.calico_text}") from error
        patched = _decoded(
            _patched(stored, arguments.text("patch"), arguments.text("type", "strategic"), target), target
        )
        try:
            check_writable("replace", target)
            session.client.update(patched)
        except PercaleError as error:
            text = f"hit error: updating existing resource: {error.calico_text}"
            raise CommandFailed(text, problems=problems_of(error, target)) from error
    print(f"Successfully patched 1 '{info.kind}' resource")
    return 0


def _patched(stored: Resource, text: str, kind: str, target: Target) -> Any:
    import msgspec

    from percale.cli.patching import PatchFault, json_patched, merged
    from percale.resources import encode_json

    value = msgspec.json.decode(encode_json(stored))
    if kind not in _TYPES:
        print(f"warning: there is no patch type {kind!r}, only {', '.join(_TYPES)}; merging", file=sys.stderr)
    try:
        patch = msgspec.json.decode(text)
        if kind == "json":
            return json_patched(value, patch)
    except PatchFault as fault:
        raise CommandFailed(f"hit error: performing json patch: {fault}") from fault
    except msgspec.DecodeError as error:
        raise _no_patch(target, kind, f"the patch is not JSON: {error}") from error
    if not isinstance(patch, dict):
        raise _no_patch(target, kind, "the patch is no JSON object")
    return merged(value, patch)


def _no_patch(target: Target, kind: str, reason: str) -> CommandFailed:
    if kind == "json":
        performing, example = "json patch", '[{"op": "remove", "path": "/metadata/labels/a"}]'
    else:
        performing = "merge patch" if kind == "merge" else "strategic merge patch"
        example = '{"metadata": {"labels": {"a": null}}}'
    problem = Problem("", reason, f"write it like {example}, in single quotes for the shell")
    return CommandFailed(
        f"hit error: performing {performing}: invalid JSON document", problems=[target.placed(problem)]
    )


def _decoded(document: Any, target: Target) -> Resource:
    """The patched document, read as strictly as one that somebody wrote."""

    import msgspec

    from percale.resources.documents import DocumentError, read_documents

    try:
        read = read_documents(msgspec.json.encode(document))
    except DocumentError as error:
        text = f"hit error: creating resource from patched data: {error.calico_text}"
        problems = (target.placed(problem).replace(file="", line=0) for problem in error.problems)
        raise CommandFailed(text, problems=problems) from error
    if [each.resource.kind for each in read] != [target.info.kind]:
        raise CommandFailed("hit error: creating resource from patched data: a patch cannot change the kind")
    return read[0].resource
