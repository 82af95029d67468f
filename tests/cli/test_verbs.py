# SPDX-License-Identifier: Apache-2.0
"""What the verbs do beyond calicoctl's recorded answers."""

import json
import os
import signal
from dataclasses import replace

import pytest

from percale.cli import get
from percale.cli.main import main
from percale.cli.verbs import VERBS, verbs_like
from percale.plugins.protocol import listen

ENDPOINT = """\
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {{namespace: shop, labels: {{role: {role}}}}}
spec: {{node: n1, orchestrator: k8s, pod: {role}, endpoint: eth0, interfaceName: cali{role}, ipNetworks: [{address}/32],
  profiles: [projectcalico-default-allow]}}
---
"""
POLICY = """\
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  selector: role == 'db'
  ingress:
  - {action: Allow, protocol: TCP, source: {selector: role == 'web'}, destination: {ports: [5432]}}
"""


@pytest.fixture
def shop(percale, tmp_path):
    text = "".join(ENDPOINT.format(role=role, address=f"192.0.2.{n}") for n, role in enumerate(["web", "db"], 1))
    (tmp_path / "shop.yaml").write_text(text + POLICY)
    assert percale("apply", "-f", "shop.yaml").status == 0
    return percale


# Kinds


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["get", "tears"], "failed to get resources: resource type 'tears' is not supported"),
        (["delete", "tears", "a"], "resource type 'tears' is not supported"),
        (["patch", "tears", "a", "-p", "{}"], "resource type 'tears' is not supported"),
        (["label", "tears", "a", "b=c"], "failed to get tears a, error resource type 'tears' is not supported"),
        (["history", "tears", "a"], "resource type 'tears' is not supported"),
    ],
)
def test_an_unknown_kind_on_the_command_line(percale, words, text):
    """Before calicoctl's words stands which kind may be meant."""
    assert percale(*words) == (1, "", f"unknown kind 'tears'\n    did you mean 'Tier'?\n{text}\n")


def test_a_kind_like_no_other(percale):
    """Where nothing is near, the kinds that there are are named, and not those that commands do not know."""
    err = percale("get", "qqqq").err
    assert "known kinds: WorkloadEndpoint, NetworkPolicy, " in err
    assert "IPAMBlock" not in err


# Help


@pytest.mark.parametrize("verb", VERBS)
def test_help_ends_with_an_example(percale, verb):
    """Each command has help, and its last line is a call of that command."""
    for words in ([*verb.split(), "--help"], ["help", *verb.split()]):
        status, out, err = percale(*words)
        assert (status, err) == (0, "")
        assert out.splitlines()[-2] == "Example:"
        # A verb with two names is shown by the longer one.
        assert out.splitlines()[-1].strip().startswith(("percale agent status", f"percale {verb}"))


@pytest.mark.parametrize("words", [[], ["help"], ["--help"]])
def test_help_of_the_program(percale, words):
    """Without a command the program explains itself."""
    status, out, _ = percale(*words)
    assert status == 0
    assert all(f"  {verb} " in out for verb in VERBS if " " not in verb)


def test_help_of_a_group(percale):
    """A group alone prints its verbs."""
    assert "cni install" in percale("cni").out


@pytest.mark.parametrize(
    ("words", "err"),
    [
        (["cni", "frobnicate"], 'unknown command "frobnicate" for "percale cni"\n'),
        (
            ["datastore", "bakup", "monday.db"],
            'unknown command "bakup" for "percale datastore"\n\nDid you mean this?\n\tbackup\n\n',
        ),
        (
            ["datastore", "migrate", "luck"],
            'unknown command "luck" for "percale datastore migrate"\n\nDid you mean this?\n\tlock\n\n',
        ),
    ],
)
def test_mistyped_verbs_of_a_group(percale, words, err):
    """A verb that a group does not have is an error, so that nobody takes help for a backup."""
    assert percale(*words) == (1, "", err)


@pytest.mark.parametrize(
    ("word", "close"),
    [
        ("gett", ["get"]),
        ("aply", ["apply"]),
        ("frobnicate", []),
        ("val", ["validate"]),
        ("nod", ["node"]),
        ("pat", ["get", "ipam", "patch"]),
    ],
)
def test_mistyped_verbs(word, close):
    """Verbs that differ by two letters at most are suggested, and those that begin so."""
    assert verbs_like(word, "calicoctl") == close


# Explain


def test_explain_allows(shop):
    """An allowed flow names the rule that allows it; the status is 0."""
    status, out, err = shop("explain", "tcp", "shop/web", "to", "shop/db:5432")
    assert (status, err) == (0, "")
    assert out.startswith("ALLOW  tcp  shop/web → shop/db:5432\n")


def test_explain_denies(shop):
    """A denied flow is an answer too: its status is 0."""
    status, out, _ = shop("explain", "tcp shop/web -> shop/db:5433")
    assert status == 0
    assert out.startswith("DENY  tcp  shop/web → shop/db:5433\n")
    assert "near" in out


def test_explain_as_json(shop):
    """The machine's form has the same verdict."""
    answer = json.loads(shop("explain", "tcp", "shop/web", "->", "shop/db:5433", "-o", "json").out)
    assert answer["verdict"] == "deny"


def test_explain_at_a_revision_that_was_forgotten(shop):
    """A question about history that is gone is answered with what is left."""
    assert shop("datastore", "compact", "--revision", "6").status == 0
    ran = shop("explain", "tcp", "shop/web", "to", "shop/db:5432", "--revision", "5")
    assert ran.err.startswith("history before revision 6 has been compacted; the oldest that can be read is revision 6")


def test_explain_at_a_revision(shop):
    """A question about the past is answered from the past."""
    before = json.loads(shop("get", "np", "-A", "-o", "json").out)["metadata"]["resourceVersion"]
    assert shop("delete", "np", "db", "-n", "shop").status == 0
    assert shop("explain", "tcp", "shop/web", "to", "shop/db:5433").out.startswith("ALLOW")
    assert shop("explain", "tcp", "shop/web", "to", "shop/db:5433", "--revision", before).out.startswith("DENY")


def test_explain_what_nobody_knows(shop):
    """A name that no endpoint has is an error, with names that are close."""
    status, out, err = shop("explain", "tcp", "shop/weg", "to", "shop/db:80")
    assert (status, out) == (1, "")
    assert "did you mean shop/web" in err


def test_explain_after_the_shell_took_the_arrow(shop):
    """What is left of '-> shop/db' when the shell redirects is understood."""
    status, _, err = shop("explain", "tcp", "shop/web", "-")
    assert status == 1
    assert "the shell took '>'" in err


# Writing


def test_dry_run_writes_nothing(shop, tmp_path):
    """--dry-run tells what would change, and changes nothing."""
    (tmp_path / "p.yaml").write_text(POLICY.replace("5432", "5433"))
    status, out, _ = shop("apply", "-f", "p.yaml", "--dry-run")
    assert status == 0
    assert "-      - 5432" in out
    assert "+      - 5433" in out
    assert "5432" in shop("get", "np", "db", "-n", "shop", "-o", "yaml").out


def test_dry_run_refuses(shop, tmp_path):
    """--dry-run says what would be refused."""
    (tmp_path / "p.yaml").write_text(POLICY)
    status, out, err = shop("create", "-f", "p.yaml", "--dry-run")
    assert status == 1
    assert out.startswith("refuse NetworkPolicy(shop/db)")
    assert err.startswith("p.yaml:1: NetworkPolicy shop/db: exists already")


def test_problems_of_a_document_in_order(percale, tmp_path):
    """All problems of a document come at once, in the order of their lines."""
    (tmp_path / "p.yaml").write_text(
        POLICY.replace("role == 'db'", "role ==").replace("protocol: TCP", "protocol: TCPX").replace("shop", "Shop_")
    )
    status, _, err = percale("apply", "-f", "p.yaml")
    assert status == 1
    places = [int(line.split(":")[1]) for line in err.splitlines() if line.startswith("p.yaml:")]
    assert {5, 7} <= set(places)
    assert places == sorted(places)


def test_json_patch(shop):
    """--type json does a list of operations."""
    patch = '[{"op": "replace", "path": "/spec/ingress/0/destination/ports/0", "value": 6432}]'
    assert shop("patch", "np", "db", "-n", "shop", "-t", "json", "-p", patch).status == 0
    assert "6432" in shop("get", "np", "db", "-n", "shop", "-o", "yaml").out


@pytest.mark.parametrize(
    ("patch", "help_line", "text"),
    [
        (
            '{"kind": "Zebra"}',
            "NetworkPolicy shop/db: unknown kind 'Zebra'",
            "unknown resource type (Zebra) and/or version (projectcalico.org/v3)",
        ),
        (
            '{"apiVersion": "v1"}',
            "NetworkPolicy shop/db: unknown apiVersion 'v1'",
            "unknown resource type (NetworkPolicy) and/or version (v1)",
        ),
    ],
)
def test_a_patch_keeps_the_kind(shop, patch, help_line, text):
    """A patch that changes the kind is refused, and the help before it names the resource."""
    status, out, err = shop("patch", "np", "db", "-n", "shop", "-p", patch)
    assert (status, out) == (1, "")
    assert err.startswith(f"{help_line}\n")
    assert err.endswith(f"\nhit error: creating resource from patched data: {text}\n")


def test_a_patch_to_an_empty_list(shop):
    """A patch that makes a list of a resource is refused."""
    status, _, err = shop("patch", "tier", "default", "-p", '{"kind": "TierList", "metadata": null, "spec": null}')
    assert status == 1
    assert "bug" not in err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["patch", "np", "", "-p", "{}"], "resource name may not be empty"),
        (["label", "np", "", "a=b"], "failed to get np , error resource name may not be empty"),
    ],
)
def test_names_may_not_be_empty(shop, words, text):
    """A name that is an empty text is refused before anything is read."""
    assert shop(*words) == (1, "", f"{text}\n")


def test_version_of_no_datastore(percale, monkeypatch):
    """A datastore of a type that does not exist leaves this program's own version."""
    monkeypatch.delenv("PERCALE_DATASTORE")
    monkeypatch.setenv("DATASTORE_TYPE", "redis")
    status, out, err = percale("version")
    assert (status, err) == (0, "")
    assert out.splitlines()[0].startswith("Client Version:")
    assert out.endswith("Unable to detect installed Calico version\n")


@pytest.mark.parametrize(
    ("flags", "patch", "reason", "text"),
    [
        ([], '{"spec', "the patch is not JSON: ", "strategic merge patch"),
        ([], "[]", "the patch is no JSON object\n", "strategic merge patch"),
        (["-t", "merge"], "spec: {}", "the patch is not JSON: ", "merge patch"),
        (["-t", "json"], '[{"op"', "the patch is not JSON: ", "json patch"),
    ],
)
def test_a_patch_that_is_none(shop, flags, patch, reason, text):
    """What is wrong with a patch and how one is written stands before calicoctl's words."""
    status, out, err = shop("patch", "np", "db", "-n", "shop", *flags, "-p", patch)
    assert (status, out) == (1, "")
    assert err.startswith(f"NetworkPolicy shop/db: {reason}")
    assert "\n    write it like " in err
    assert err.endswith(f"\nhit error: performing {text}: invalid JSON document\n")


def test_unknown_patch_type_warns(shop):
    """A type that does not exist merges, as in calicoctl, after a warning."""
    status, _, err = shop("patch", "np", "db", "-n", "shop", "-t", "jsno", "-p", '{"spec":{"order":3}}')
    assert status == 0
    assert err == "warning: there is no patch type 'jsno', only strategic, merge, json; merging\n"


def test_deleting_a_node_takes_its_endpoints(shop, tmp_path):
    """A node goes with the endpoints on it."""
    (tmp_path / "n.yaml").write_text("apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: n1}\n")
    assert shop("apply", "-f", "n.yaml").status == 0
    assert shop("delete", "node", "n1").status == 0
    assert shop("get", "wep", "-A", "-o", "custom-columns=NAME").out == "NAME   \n\n"


# Addresses


POOL = (
    "apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: v4}\nspec: {cidr: 192.0.2.0/24, blockSize: 27}\n"
)


@pytest.fixture
def pool(percale, tmp_path):
    (tmp_path / "pool.yaml").write_text(POOL)
    assert percale("apply", "-f", "pool.yaml").status == 0
    return percale


def test_configuration_of_addresses(pool):
    """What was configured is shown."""
    assert pool("ipam", "configure", "--strictaffinity=true", "--max-blocks-per-host=3").out == (
        "Successfully set StrictAffinity to: true\nSuccessfully set MaxBlocksPerHost to: 3\n"
    )
    shown = pool("ipam", "show", "--show-configuration").out
    rows = [line.split("|")[1:3] for line in shown.splitlines() if line.startswith("|")]
    assert {name.strip(): value.strip() for name, value in rows[1:]} == {
        "StrictAffinity": "true",
        "AutoAllocateBlocks": "true",
        "MaxBlocksPerHost": "3",
        "KubeVirtVMAddressPersistence": "Enabled",
        "IPCooldownSeconds": "0",
    }


def test_split_needs_the_lock(pool):
    """A pool is split only while nobody can assign addresses."""
    status, _, err = pool("ipam", "split", "2", "--name=v4")
    assert status == 1
    assert "datastore migrate lock" in err
    assert pool("get", "pool", "-o", "custom-columns=NAME").out.split() == ["NAME", "v4"]


@pytest.mark.parametrize(("number", "status"), [("8", 0), ("16", 1), ("3", 1), ("1", 1)])
def test_split_down_to_a_block(pool, number, status):
    """A part is at least a block, and their number a power of two."""
    assert pool("datastore", "migrate", "lock").status == 0
    assert pool("ipam", "split", number, "--cidr=192.0.2.0/24").status == status
    pools = pool("get", "pool", "-o", "custom-columns=NAME").out.split()[1:]
    assert len(pools) == (8 if status == 0 else 1)


def test_unlocking(percale):
    """The lock can be taken back."""
    assert percale("datastore", "migrate", "lock").out == "Datastore locked.\n"
    assert percale("datastore", "migrate", "unlock").out == "Datastore unlocked.\n"
    assert "true" in percale("get", "clusterinfo", "-o", "custom-columns=DATASTOREREADY").out


# The agent


def test_status_without_an_agent(percale, tmp_path):
    """Without an agent one sentence says so."""
    text = f"the agent is not running (nothing listens at {tmp_path / 'agent.sock'}): start it with 'percale agent'\n"
    assert percale("agent", "status", "--runtime-dir", str(tmp_path)) == (1, "", text)


@pytest.fixture
def answering(tmp_path):
    """An agent's socket that answers one request with a status."""
    import threading

    from percale.agent.status import Status
    from percale.datastore.seams import NumberRevision
    from percale.plugins.protocol import Response, serve_connection

    status = Status("n1", 7, 0.0, in_sync=True, seen=NumberRevision(12), programmed=NumberRevision(11), endpoints=2)
    answer = json.dumps(replace(status, invalid={"Tier(x)": "no order"}).to_builtins()).encode()
    listener = listen(tmp_path / "agent.sock")

    def serve():
        connection, _ = listener.accept()
        serve_connection(connection, lambda request: Response(answer))

    thread = threading.Thread(target=serve)
    thread.start()
    yield tmp_path
    thread.join()
    listener.close()


def test_status_of_an_agent(percale, answering):
    """The agent's answer is told with what it could not use."""
    status, out, _ = percale("agent", "status", "--runtime-dir", str(answering))
    assert status == 0
    assert "Programmed:  revision 11 of 12" in out
    assert "Tier(x): no order" in out


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("--endpoint-to-host-action=Reject", "'Reject' is not one of Drop, Accept, Return"),
        ("--interface-prefix=", "an empty prefix"),
        ("--resync-seconds=0", "0 is less than 1"),
        ("--resync-seconds=x", "not a whole number"),
    ],
)
def test_agent_refuses(percale, flag, text):
    """Settings that make no sense are refused before anything starts."""
    status, _, err = percale("agent", flag)
    assert status == 1
    assert text in err


def test_agent_is_told(percale, monkeypatch, tmp_path):
    """The flags become the agent's settings."""
    from percale.agent import daemon

    told = []
    monkeypatch.setattr(daemon, "run", lambda config: told.append(config) or 0)
    words = ["--log-level", "warn", "agent", "--node", "n7", "--runtime-dir", str(tmp_path), "--no-ipv6"]
    assert percale(*words, "--interface-prefix=tap", "--interface-prefix", "cali", "--resync-seconds=5").status == 0
    (config,) = told
    assert (config.node, config.socket, config.resync_s) == ("n7", tmp_path / "agent.sock", 5.0)
    assert config.log_level == "warning"
    assert config.dataplane.interface_prefixes == ("tap", "cali")
    assert config.dataplane.versions == (4,)


def test_cni_install(percale, tmp_path):
    """The executables are written and named."""
    status, out, _ = percale("cni", "install", str(tmp_path / "bin"))
    assert status == 0
    assert all(os.access(line, os.X_OK) for line in out.splitlines())


# What must never reach a user


def test_a_bug_is_one_line(percale, monkeypatch):
    """An error that nobody foresaw is one line that asks to be reported."""
    monkeypatch.setattr(get, "printer", lambda form, program: 1 / 0)
    status, out, err = percale("get", "wep")
    assert (status, out) == (1, "")
    assert err.startswith("this is a bug of percale, please report it: ZeroDivisionError: ")
    assert len(err.splitlines()) == 1


def test_a_bug_can_be_traced(percale, monkeypatch):
    """PERCALE_TRACEBACK lets it through."""
    monkeypatch.setattr(get, "printer", lambda form, program: 1 / 0)
    monkeypatch.setenv("PERCALE_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        percale("get", "wep")


def test_interruption(percale, monkeypatch):
    """Ctrl-C ends with the status that a shell expects, without a word."""
    monkeypatch.setattr(get, "printer", lambda form, program: os.kill(os.getpid(), signal.SIGINT))
    # A shell starts what it puts in the background deaf to Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert percale("get", "wep") == (130, "", "")
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_new_store_is_ready(percale):
    """The embedded store has the built-in tiers as soon as it is opened."""
    assert percale("get", "tiers", "-o", "custom-columns=NAME").out.split() == [
        "NAME",
        "kube-admin",
        "default",
        "kube-baseline",
    ]


def test_etcd_that_does_not_answer(percale, monkeypatch):
    """An etcd that cannot be reached is named, after seconds at most."""
    pytest.importorskip("grpc")
    monkeypatch.delenv("PERCALE_DATASTORE")
    monkeypatch.setenv("ETCD_ENDPOINTS", "http://127.0.0.1:1")
    status, _, err = percale("get", "wep")
    assert status == 1
    assert "http://127.0.0.1:1" in err


def test_unusable_datastore(percale, tmp_path):
    """A file that is no store is refused in one sentence."""
    (tmp_path / "other").write_text("this is not a database, but long enough to be taken for one. " * 40)
    status, _, err = percale("--datastore", str(tmp_path / "other"), "get", "wep")
    assert status == 1
    assert "Traceback" not in err
    assert "other" in err


def test_deleting_what_is_not_there(percale, tmp_path):
    """A document of something that is gone already gets a remedy that fits a delete."""
    (tmp_path / "x.yaml").write_text("apiVersion: projectcalico.org/v3\nkind: Profile\nmetadata: {name: a}\n")
    _, _, err = percale("delete", "-f", "x.yaml")
    assert err.startswith("x.yaml:1: Profile a: does not exist\n    --skip-not-exists counts it as deleted\n")


def test_a_template_file_of_other_bytes(percale, tmp_path):
    """What is not UTF-8 in a template file is printed as a mark, and ends nothing."""
    (tmp_path / "t").write_bytes(b"\xff{{len .}}")
    assert percale("datastore", "migrate", "unlock").status == 0
    assert percale("get", "tiers", "-o", "go-template-file=t") == (0, "\ufffd1", "")
    status, _, err = percale("get", "tiers", "-o", "go-template-file=.")
    assert (status, err) == (1, "read .: is a directory\n")


@pytest.fixture
def allocated(percale, tmp_path):
    """One block with an address of a virtual machine on another host, and one that cools down."""
    from percale.client import connect
    from percale.ipam import AutoRequest, Ipam, IpamConfig

    (tmp_path / "p.yaml").write_text(
        "apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: p}\n"
        "spec: {cidr: 192.0.2.0/28, blockSize: 28}\n---\n"
        "apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: n1}\n"
    )
    assert percale("apply", "-f", "p.yaml").status == 0
    with connect() as client:
        ipam = Ipam.of(client.datastore)
        ipam.set_config(IpamConfig(cooldown_s=600))
        notes = {"node": "n2", "namespace": "lab", "vmi-name": "vm"}
        for handle in ("vm", "old"):
            ipam.auto_assign(AutoRequest("n1", num4=1, handle=handle, attributes=notes))
        vm, old = ipam.addresses_of("vm")[0], ipam.release_by_handle("old")[0]
        ipam.set_owner(vm, "vm", alternate={"node": "n3"})
    return percale, vm, old


def test_addresses_of_virtual_machines(allocated):
    """A borrowed address of a virtual machine is told with its name, and an alternate owner below the active one."""
    percale, vm, _ = allocated
    assert f"| {vm} | n2             | 192.0.2.0/28 | n1          | vmi  | lab/vm       |" in (
        percale("ipam", "show", "--show-borrowed").out
    )
    out = percale("ipam", "show", f"--ip={vm}").out
    assert out.endswith("  vmi-name: vm\nAlternate Owner Attributes:\n  node: n3\n")


def test_addresses_that_cool_down(allocated):
    """An address that cools down is nobody's, and neither to be released nor a leak."""
    percale, _, old = allocated
    assert percale("ipam", "show", f"--ip={old}") == (0, f"{old} is not assigned\n", "")
    assert percale("ipam", "release", f"--ip={old}") == (1, "", f"IP address {old} is not assigned\n")
    assert f"{old} (handle none): cools down\n" in percale("ipam", "check", "--show-all-ips").out


@pytest.mark.parametrize(
    ("words", "formats"),
    [
        (("get", "tiers"), "ps, wide, yaml, json, custom-columns=, go-template=, go-template-file="),
        (("explain", "tcp", "shop/web", "to", "shop/db:5432"), "text, json"),
        (("status",), "text, json"),
        (("validate", "-f", "absent.yaml"), "text, json, sarif"),
    ],
)
def test_a_format_that_does_not_exist(percale, words, formats):
    """Whoever mistypes a format is told those that exist."""
    ran = percale(*words, "-o", "foo")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == f"unrecognized output format 'foo', expected one of: {formats}\n"


def test_a_format_that_calicoctl_does_not_have(capsys):
    """By a name of Calico's the refusal is calicoctl's."""
    assert main(("get", "tiers", "-o", "foo"), program="calicoctl") == 1
    assert capsys.readouterr().err == "unrecognized output format 'foo'\n"
