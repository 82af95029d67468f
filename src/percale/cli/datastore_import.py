# SPDX-License-Identifier: Apache-2.0
"""``datastore migrate import``: an export into an empty datastore (spec/cli.md section 11)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from percale.cli.command import CONFIG, Call, Command, CommandFailed, Flag
from percale.cli.config import datastore_config
from percale.cli.session import Session
from percale.cli.stores import keyvalue_of
from percale.errors import PercaleError, Problem, Refused

if TYPE_CHECKING:
    from percale.client import Client, Outcome
    from percale.resources import Resource

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Read what 'datastore migrate export' of calicoctl or percale printed into an empty embedded datastore, which is\n"
    "locked then. An export has no endpoints and no profiles: between files and etcd 'datastore copy' moves all.",
    usage="-f FILE",
    flags=(Flag("filename", "f", value="PATH", text="the export"), CONFIG),
    example="datastore migrate import -f export.yaml",
)

_SEPARATOR = "===\n"
_PARTS = 3
_IPAM = "/calico/ipam/v2/"
_FIRST = ("BGPFilter",)
"""Kinds that others refer to, and that an export has behind them."""


class _Export(NamedTuple):
    """An export: resources in an order in which they can be made, the cluster's own description, IPAM's records."""

    resources: list[Resource]
    cluster: dict[str, Any]
    records: dict[str, Any]


def run(call: Call) -> int:
    """Import; refuses etcd in calicoctl's words, and Kubernetes, which this version does not write."""
    chosen = datastore_config(call.arguments).type
    if chosen == "kubernetes":
        raise Refused("this version of percale cannot work on kubernetes; use calicoctl datastore migrate import")
    if chosen != "sqlite":
        raise CommandFailed(
            f"invalid datastore type: {chosen} to import to for datastore migration. Datastore type must be kubernetes"
        )
    export = _read(call.arguments.text("filename"))
    with Session(call.arguments) as session:
        _check_empty(session.client)
        session.initialise()
        cluster = session.cluster_information()
        described = cluster.spec.replace(
            cluster_guid=export.cluster.get("clusterGUID") or cluster.spec.cluster_guid,
            cluster_type=export.cluster.get("clusterType", ""),
            calico_version=export.cluster.get("calicoVersion", ""),
            datastore_ready=False,
        )
        session.client.update(cluster.replace(spec=described))
        failed = [outcome for outcome in session.client.write("apply", export.resources) if outcome.error]
        store = keyvalue_of(session.client)
        for key, value in export.records.items():
            store.put(key, json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
    done = len(export.resources) - len(failed)
    print(f"Imported {done} resources and {len(export.records)} records of address management.")
    print("The datastore is locked: 'datastore migrate unlock' lets changes of addresses go on.")
    if failed:
        problems = [problem for outcome in failed for problem in _problems(outcome)]
        raise CommandFailed(f"{len(failed)} of {len(export.resources)} resources were not imported", problems=problems)
    return 0


def _problems(outcome: Outcome) -> tuple[Problem, ...]:
    """What kept a resource from being imported, each problem with its name."""
    from percale.cli.outcomes import problems_of
    from percale.cli.targets import Target
    from percale.resources.kinds import KINDS

    assert outcome.error is not None
    key = outcome.key
    return problems_of(outcome.error, Target(KINDS[key.kind], key.name, key.namespace))


def _read(path: str) -> _Export:
    """The export of a file; raises CommandFailed for what is none."""
    from percale.resources.documents import DocumentError, read_documents

    if not path:
        raise CommandFailed("no export was given: name its file behind -f")
    try:
        parts = Path(path).read_text(encoding="utf-8").split(_SEPARATOR)
    except OSError as error:
        raise CommandFailed(f"open {path}: {(error.strerror or '').lower()}") from error
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{path} is not UTF-8, so it is no export") from error
    if len(parts) != _PARTS:
        raise CommandFailed(f"{path} is no export: it has {len(parts)} parts between lines of ===, and not {_PARTS}")
    try:
        # The last separator of the lists has nothing behind it.
        documents = read_documents(parts[0].removesuffix("---\n"), file=path)
        cluster, groups = json.loads(parts[1]), json.loads(parts[2])
        records = {record["Key"]: record["Value"] for group in groups.values() for record in group}
        described = cluster["spec"]
    except DocumentError as error:
        raise CommandFailed(f"{path} is no export: {error.calico_text}", problems=error.problems) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandFailed(f"{path} is no export: its description of the cluster or its addresses: {error}") from error
    if strange := next((key for key in records if not key.startswith(_IPAM)), ""):
        raise CommandFailed(f"{path} is no export: {strange} is no record of address management")
    resources = [document.resource for document in documents]
    return _Export(sorted(resources, key=lambda each: each.kind not in _FIRST), described, records)


def _check_empty(client: Client) -> None:
    """Raise PercaleError unless there is only what every datastore has from the start."""
    from percale.resources import BUILT_IN_TIERS, DEFAULT_ALLOW_PROFILE, KINDS

    given = {"Tier": set(BUILT_IN_TIERS), "Profile": {DEFAULT_ALLOW_PROFILE}, "ClusterInformation": {"default"}}
    for info in KINDS.values():
        if not client.datastore.supports("list", info.kind):
            continue
        for item in client.list(info.kind).items:
            if item.name not in given.get(info.kind, ()):
                raise PercaleError(
                    f"the datastore is not empty, it has {item.key}: import into one of its own (--datastore)"
                )
