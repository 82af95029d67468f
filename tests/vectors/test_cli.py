# SPDX-License-Identifier: Apache-2.0
"""Recorded invocations of calicoctl: percale prints the same, with help before it on standard error (topic cli).

The embedded store stands in for etcd: its keys and bytes are the same. Where percale differs on purpose
(docs/differences.md), a predicate on the case demands something else, which is checked as well.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from percale.cli import announced, session
from percale.cli.command import CommandFailed
from percale.cli.main import main
from percale.client import Client, open_client
from percale.datastore.sqlite import SQLiteKeyValue
from percale.resources import KINDS

Case = dict[str, Any]

_ENDPOINT = "http://127.0.0.1:2379"
_CONFIGURATION = re.compile(r"(CALICO_|APIV1_)?(ETCD_|DATASTORE_TYPE|K8S|KUBECONFIG)|PERCALE_")
_WRITING = ("create", "apply", "replace", "delete", "validate")


class Ran(NamedTuple):
    """What an invocation gave back: exit status, the texts as calicoctl has them, and the help before the second."""

    exit: int
    stdout: str
    stderr: str
    help: tuple[str, ...] = ()


class Surroundings:
    """A folder with a case's files, its environment, and an empty store behind the endpoint."""

    def __init__(self, case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = _KeptStore(None)
        self._monkeypatch = monkeypatch
        for name, text in case.get("files", {}).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("<ETCD_ENDPOINTS>", _ENDPOINT), encoding="utf-8", newline="")
        monkeypatch.chdir(folder)
        for name in filter(_CONFIGURATION.match, list(os.environ)):
            monkeypatch.delenv(name)
        for name, value in (("DATASTORE_TYPE", "etcdv3"), ("ETCD_ENDPOINTS", _ENDPOINT), ("HOME", str(folder))):
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(announced, "VERSION", "v3.33.0")
        monkeypatch.setattr(announced, "COMMIT", "0123456789ab")
        monkeypatch.setattr(session, "OPENERS", dict.fromkeys(("etcdv3", "sqlite"), self._opened))

    def change_environment(self, case: Case) -> None:
        """Make the changes of the recorded call; its setup ran without them."""
        for name, value in case.get("env", {}).items():
            self._monkeypatch.setenv(name, value.replace("<ETCD_ENDPOINTS>", _ENDPOINT))
        for name in case.get("unset", []):
            self._monkeypatch.delenv(name, raising=False)

    def _opened(self, config: Any) -> Client:
        endpoint = config.setting("etcdEndpoints")
        if endpoint not in ("", _ENDPOINT):
            raise CommandFailed(f"{endpoint} should not have been used")
        return open_client(self.store)

    def call(self, argv: list[str], stdin: str) -> Ran:
        """Run one command line in this process."""
        out, err = io.StringIO(), io.StringIO()
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(argv, program="calicoctl")
        lines = err.getvalue().splitlines(keepends=True)
        helps = next((number for number, line in enumerate(lines) if not _HELP.match(line)), len(lines))
        return Ran(status, out.getvalue(), "".join(lines[helps:]), tuple(lines[:helps]))


class _KeptStore(SQLiteKeyValue):
    """A store that outlives the commands which close it."""

    def close(self) -> None:
        pass

    def really_close(self) -> None:
        super().close()


_HELP = re.compile(
    r"warning: |    |(?P<place>[^\s:]+):[0-9]+: |(?P<subject>[A-Z]\w+ \S+): |unknown kind '(?P<word>.*)'$"
)
"""Help is a warning, a problem with file and line or (label, patch) with its resource, or the hint below one.

It also says that a word of the command line is no kind.
"""


def _run(case: Case, folder: Path) -> Ran:
    folder.mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        surroundings = Surroundings(case, folder, monkeypatch)
        try:
            for step in case["setup"]:
                for key, value in step.get("put", {}).items():
                    surroundings.store.put(key, json.dumps(value, separators=(",", ":")).encode())
                if "argv" in step:
                    done = surroundings.call(step["argv"], step.get("stdin", ""))
                    assert done.exit == 0 or step.get("may_fail"), f"setup {step['argv']}: {done}"
            surroundings.change_environment(case)
            return surroundings.call(case["argv"], case.get("stdin", ""))
        finally:
            surroundings.store.really_close()


# Where percale differs on purpose. Each takes a case and what calicoctl did, and returns what percale shall do;
# ``run`` runs another case to learn it.

Run = Callable[[Case], Ran]


def _mismatch_warns(case: Case, recorded: Ran, run: Run) -> Ran:
    """A cluster of another version is worked with, after a warning."""
    if "version mismatch." not in recorded.stderr:
        return recorded
    allowed = run({**case, "argv": [*case["argv"], "--allow-version-mismatch"]})
    stored = [value for step in case["setup"] for value in step.get("put", {}).values() if isinstance(value, dict)]
    version = next(value["spec"]["calicoVersion"] for value in stored if value.get("kind") == "ClusterInformation")
    warning = f"warning: the cluster's version is {version}, percale speaks for v3.33.0"
    return allowed._replace(help=(f"{warning} (--allow-version-mismatch silences this)\n", *allowed.help))


def _nothing_configured_is_embedded(case: Case, recorded: Ran, run: Run) -> Ran:
    """Without any configuration the embedded store is used."""
    if "no configuration has been provided" not in recorded.stdout:
        return recorded
    return run({key: value for key, value in case.items() if key != "unset"})


def _json_patch_is_one(case: Case, recorded: Ran, run: Run) -> Ran:
    """``patch --type json`` does a JSON patch, which is a list of operations."""
    if case["argv"][:1] != ["patch"] or not {"json", "--type=json", "-tjson", "-t=json"} & set(case["argv"]):
        return recorded
    if not any(word.lstrip().removeprefix("--patch=").startswith("[") for word in case["argv"]):
        return Ran(1, "", "hit error: performing json patch: invalid JSON document\n")
    kind = next(info.kind for info in KINDS.values() if case["argv"][1] in info.aliases)
    return Ran(0, f"Successfully patched 1 '{kind}' resource\n", "")


def _object_is_named(_case: Case, recorded: Ran, _run: Run) -> Ran:
    """Where calicoctl dumps a whole object as Go prints it, percale names it."""
    dumped = re.compile(r"&\{\{(\w+) projectcalico\.org/v3\} \{(\S+)  (\S+) .*\}\}(?=:)")
    return recorded._replace(stderr=dumped.sub(r"\1(\3/\2)", recorded.stderr))


def _templates_have_no_guard(case: Case, recorded: Ran, run: Run) -> Ran:
    """A template that calicoctl's own guard fails on is evaluated: ``{{len .}}`` of one list is 1."""
    if "ApplyInjectionDetection" not in recorded.stderr:
        return recorded
    return Ran(0, "1" if "go-template={{len .}}" in case["argv"] else run(case).stdout, "")


def _wrong_network_is_cited(case: Case, recorded: Ran, _run: Run) -> Ran:
    """calicoctl cites the source's networks for a wrong one of the destination, percale the wrong one."""
    named = re.search(r"destination: \{nets: \['([^']+)'\]\}", "".join(case.get("files", {}).values()))
    if "Destination.Nets = " not in recorded.stderr or named is None:
        return recorded
    return recorded._replace(stderr=re.sub(r"(?<=Destination\.Nets = )'\[.*?\]'", f"'{named[1]}'", recorded.stderr))


def _check_needs_no_kubernetes(case: Case, recorded: Ran, run: Run) -> Ran:
    """``ipam check`` without Kubernetes leaves out its services only; it counts what it shows on request."""
    if "KUBECONFIG environment variable or --kubeconfig parameter not set" not in recorded.stderr:
        return recorded
    lines = run({**case, "argv": [*case["argv"], "--show-problem-ips"]}).stdout.splitlines(keepends=True)
    told, shown = ([line for line in lines if line.startswith("  ") == indented] for indented in (False, True))
    return Ran(0, "".join([*told[:-1], f"Check complete; found {len(shown)} problems.\n"]), "")


def _node_run_is_no_container(case: Case, recorded: Ran, run: Run) -> Ran:
    """What ``node run --dryrun`` prints makes a node and starts percale's agent; there is no container."""
    if case["argv"][:2] != ["node", "run"] or "docker run" not in recorded.stdout:
        return recorded
    plan = run(case)
    assert "kind: Node" in plan.stdout
    assert "percale agent" in plan.stdout.splitlines()[-1]
    return Ran(0, plan.stdout, "", plan.help)


_DIFFERENCES = (
    _node_run_is_no_container,
    _check_needs_no_kubernetes,
    _wrong_network_is_cited,
    _mismatch_warns,
    _nothing_configured_is_embedded,
    _json_patch_is_one,
    _object_is_named,
    _templates_have_no_guard,
)


# The test


def _left_out(case: Case) -> str:
    """Why a case cannot be run yet, by what it needs; empty for one that can."""
    return "datastore kubernetes" if case.get("datastore") == "kubernetes" else ""


def _all_cases() -> list[Case]:
    folder = os.environ.get("PERCALE_VECTORS")
    if not folder:
        return []
    return [json.loads(line) for line in (Path(folder) / "cli.jsonl").read_text(encoding="utf-8").splitlines()]


def _params() -> list[Any]:
    cases = _all_cases()
    if not cases:
        return [pytest.param(None, marks=pytest.mark.skip("PERCALE_VECTORS is not set"))]
    return [pytest.param(case, id=case["id"]) for case in cases if not _left_out(case)]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", _params())
def test_recorded_invocation(case, tmp_path):
    """An invocation prints what calicoctl printed, help apart, and ends with its status."""
    numbers = iter(range(10))

    def run(case: Case) -> Ran:
        return _run(case, tmp_path / str(next(numbers)))

    got = run(case)
    if case.get("reference_crash"):
        # Where calicoctl crashed, percale does it or refuses; a crash of ours would ask to be reported.
        assert got.exit in (0, 1)
        assert "bug of percale" not in got.stderr
        return
    expected = Ran(case["exit"], case["stdout"], case["stderr"])
    for difference in _DIFFERENCES:
        expected = difference(case, expected, run)
    assert _normal(case, got.stdout) == _normal(case, expected.stdout)
    assert _normal(case, got.stderr) == _normal(case, expected.stderr)
    assert got.exit == expected.exit
    _check_help(case, got, expected)


def _check_help(case: Case, got: Ran, expected: Ran) -> None:
    """Help names files of the case, stands where documents are read, and never lacks where one was refused."""
    if expected.help:
        assert got.help == expected.help
        return
    verb = next((word for word in case["argv"] if not word.startswith("-")), "")
    reads_files = any(word.startswith(("-f", "--filename")) for word in case["argv"])
    unknown = {match["word"] for line in got.help if (match := _HELP.match(line)) and match["word"]}
    assert unknown <= set(case["argv"])
    for line in got.help:
        match = _HELP.match(line)
        assert match
        assert unknown or reads_files or verb in ("label", "patch")
        if match["place"]:
            assert match["place"] == "stdin" or os.path.normpath(match["place"]) in case["files"]
    nothing_read = "no resources specified" in got.stderr or "no such file" in got.stderr
    if got.exit and reads_files and verb in _WRITING and not nothing_read:
        assert got.help


def _normal(case: Case, text: str) -> str:
    for pattern, replacement in case.get("volatile", []):
        text = re.sub(pattern, replacement, text)
    return text


def test_cases_left_out(capsys):
    """How many recorded invocations are not run, and what they need."""
    left_out = Counter(filter(None, map(_left_out, _all_cases())))
    with capsys.disabled():
        print(f"\ncli: {sum(left_out.values())} of {len(_all_cases())} recorded invocations left out: {dict(left_out)}")
