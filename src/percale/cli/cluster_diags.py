# SPDX-License-Identifier: Apache-2.0
"""``cluster diags``: what helps to find a fault of the cluster, as one file (spec/cli.md section 11)."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from percale.cli.bundle import Bundle
from percale.cli.command import CONFIG, Arguments, Call, Command, CommandFailed, Flag
from percale.cli.session import Session
from percale.errors import PercaleError
from percale.resources import KINDS

if TYPE_CHECKING:
    from percale.client import Client

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Collect what helps to find a fault of the cluster: all resources, the state of address management and, where\n"
    "kubectl reaches a Kubernetes cluster, its nodes, and pods and logs of Calico. The bundle is written into this\n"
    "folder; it tells how the cluster is built, so look into it before you hand it on.",
    usage="[flags]",
    flags=(
        Flag("since", value="DURATION", text="logs of so long a time only: 10s, 5m, 1h"),
        Flag("max-logs", value="N", number=True, text="of how many pods of each kind (default: 5)"),
        Flag("max-parallelism", value="N", number=True, text="how many logs are fetched at once (default: 10)"),
        Flag("focus-nodes", value="A,B", text="nodes whose pods come first"),
        Flag("skip-temp-dir-cleanup", text="of Calico's; no temporary folder is needed"),
        CONFIG,
    ),
    example="cluster diags --since=1h",
)

_OWN = {
    "version.txt": ("version",),
    "ipam.txt": ("ipam", "show", "--show-blocks"),
    "ipam-check.txt": ("ipam", "check", "--show-problem-ips"),
}
_SINCE = re.compile(r"[0-9]+[smh]")
_COMPONENTS = ("calico-node", "calico-typha", "calico-kube-controllers", "calico-apiserver")
_COLUMNS = "custom-columns=NS:.metadata.namespace,NAME:.metadata.name,NODE:.spec.nodeName"


class _Pod(NamedTuple):
    namespace: str
    name: str
    node: str


def run(call: Call) -> int:
    """Write the bundle and say where it is."""
    arguments = call.arguments
    _check(arguments)
    print("Collecting diagnostics of the cluster ...")
    bundle = Bundle("percale-cluster-diags", arguments)
    with Session(arguments, reading=True) as session:
        _add_resources(bundle, session.client)
    for name, words in _OWN.items():
        bundle.add_own(name, *words)
    if shutil.which("kubectl"):
        _add_kubernetes(bundle, arguments)
    print(f"Diagnostics saved to {bundle.save(Path.cwd())}")
    return 0


def _check(arguments: Arguments) -> None:
    since = arguments.text("since")
    if since and not _SINCE.fullmatch(since):
        raise _refused(f"invalid duration for since flag (try 10s, 5m, or 1h): {since}")
    for flag in ("max-logs", "max-parallelism"):
        if arguments.given(flag) and arguments.number(flag) < 1:
            raise _refused(f"invalid value for {flag} flag (must be greater than 0): {arguments.text(flag)}")


def _refused(reason: str) -> CommandFailed:
    return CommandFailed(f"Error executing command: {reason}", on_stdout=True)


def _add_resources(bundle: Bundle, client: Client) -> None:
    from percale.resources.yaml_text import yaml_list

    for info in KINDS.values():
        if not info.aliases:
            continue
        try:
            listed = client.list(info.kind)
        except PercaleError as error:
            bundle.add(f"resources/{info.plural}.txt", f"not available: {error}\n")
            continue
        problems = "".join(f"# {problem}\n" for problem in listed.problems)
        text = "".join(yaml_list(info.kind, listed.items, resource_version=str(listed.revision)))
        bundle.add(f"resources/{info.plural}.yaml", problems + text)


def _add_kubernetes(bundle: Bundle, arguments: Arguments) -> None:
    """Take the nodes, and of each of Calico's components some pods' descriptions and logs."""
    kubectl = ("kubectl", *(f"--context={name}" for name in [arguments.text("context")] if name))
    bundle.add_output("kubernetes/nodes.txt", *kubectl, "get", "nodes", "--output=wide")
    focus = arguments.text("focus-nodes").split(",")
    since = [f"--since={arguments.text('since')}"] if arguments.text("since") else []
    pods: list[_Pod] = []
    for component in _COMPONENTS:
        running = _pods(kubectl, component)
        running.sort(key=lambda pod: (pod.node not in focus, pod))
        pods += running[: arguments.number("max-logs", 5)]

    def fetch(pod: _Pod) -> None:
        where, named = f"kubernetes/{pod.namespace}/{pod.name}", (f"--namespace={pod.namespace}", pod.name)
        bundle.add_output(f"{where}.txt", *kubectl, "describe", "pod", *named)
        bundle.add_output(f"{where}.log", *kubectl, "logs", "--all-containers", *since, *named)

    with ThreadPoolExecutor(arguments.number("max-parallelism", 10)) as threads:
        list(threads.map(fetch, pods))


def _pods(kubectl: tuple[str, ...], component: str) -> list[_Pod]:
    import subprocess

    asked = (*kubectl, "get", "pods", "-A", f"--selector=k8s-app={component}", "--no-headers", f"--output={_COLUMNS}")
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [_Pod(*words) for line in done.stdout.splitlines() if len(words := line.split()) == len(_Pod._fields)]
