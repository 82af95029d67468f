# SPDX-License-Identifier: Apache-2.0
"""``explain``: is this flow allowed, and why (docs/design.md section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from percale.cli.command import CONFIG, Call, Command, CommandFailed, Flag
from percale.cli.formats import TEXT_OR_JSON, unknown_format
from percale.cli.moments import reading_past
from percale.cli.session import Session

if TYPE_CHECKING:
    from percale.client import Client
    from percale.policy.host_settings import HostSettings

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Say whether policy allows a flow, which rule decides, which one nearly would have, and what to try. An end is\n"
    "an endpoint (NAMESPACE/WORKLOAD), an address, 'host', 'host@NODE' or 'external', with ':PORT' behind the\n"
    "second one. Between them stands 'to', or '→' or '->' inside quotes.",
    usage="[PROTOCOL] SOURCE to DESTINATION[:PORT] [flags]",
    flags=(
        Flag("output", "o", value="FORMAT", text="text (default) or json"),
        Flag("revision", value="REVISION", text="answer for the datastore as it was at this revision"),
        CONFIG,
    ),
    least=1,
    example="explain tcp shop/web to shop/db:5432",
)

_KINDS = (
    "Tier",
    "Profile",
    "NetworkPolicy",
    "GlobalNetworkPolicy",
    "NetworkSet",
    "GlobalNetworkSet",
    "HostEndpoint",
    "WorkloadEndpoint",
    "IPPool",
)


def run(call: Call) -> int:
    """Print the explanation; the status is 0 for an answered question, whatever the verdict."""
    arguments = call.arguments
    form = arguments.text("output", "text")
    if form not in TEXT_OR_JSON:
        raise unknown_format(form, TEXT_OR_JSON, call.program)
    question = " ".join(arguments.positionals)
    if question.endswith(" -"):
        raise CommandFailed("the shell took '>' for itself: write 'to' for the arrow, or put the flow in quotes")
    from percale.policy.question import parse_question

    asked = parse_question(question)
    with Session(arguments, reading=True) as session:
        session.check_version()
        with reading_past(session.client):
            explanation = _explained(session.client, asked, arguments.text("revision"))
    if form == "json":
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(explanation.to_json()), indent=2).decode())
    else:
        print(explanation)
    return 0


def _explained(client: Client, question: Any, revision: str) -> Any:
    from percale.calc.cluster import Cluster
    from percale.policy.explain import explain

    cluster = Cluster.of(_resources(client, revision))
    return explain(cluster, question, _settings(client, revision))


def _resources(client: Client, revision: str) -> Iterator[Any]:
    """Everything that policy depends on, as of one moment."""
    for page in client.datastore.scan(_KINDS, revision=revision):
        for entry in page.entries:
            if entry.resource is not None:
                yield entry.resource


def _settings(client: Client, revision: str) -> HostSettings:
    from percale.errors import NotFound
    from percale.policy.host_settings import HostSettings
    from percale.resources import FelixConfiguration

    try:
        felix = client.get(FelixConfiguration, "default", revision=revision)
    except NotFound:
        return HostSettings()
    return HostSettings.of(felix.spec)
