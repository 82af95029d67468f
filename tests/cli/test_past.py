# SPDX-License-Identifier: Apache-2.0
"""The past on the command line, and the datastore as a whole: history, diff, backup, copy, watch."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from percale.cli.command import CommandFailed
from percale.cli.main import main
from percale.cli.moments import seconds_of
from percale.datastore.sqlite import SQLiteKeyValue

KIND = "globalnetworkset"
TEXT = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {{name: offices}}\nspec: {{nets: [{}]}}\n"


@pytest.fixture
def percale(tmp_path, monkeypatch, capsys):
    """Call percale on a store of its own; returns status, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if re.match("(CALICO_)?(ETCD|DATASTORE|K8S)|KUBECONFIG", name)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PERCALE_DATASTORE", str(tmp_path / "store"))

    def call(*words):
        status = main(list(words), program="percale")
        return (status, *capsys.readouterr())

    return call


@pytest.fixture
def changed(percale, tmp_path):
    """A set that was created (revision 6), changed (7) and deleted (8)."""
    for net in ("192.0.2.0/24", "192.0.2.0/25"):
        (tmp_path / "set.yaml").write_text(TEXT.format(net))
        assert percale("apply", "-f", "set.yaml")[0] == 0
    assert percale("delete", KIND, "offices")[0] == 0
    return percale


class TestPast:
    def test_history(self, changed):
        """Every change with its revision and time, as a difference."""
        status, out, _ = changed("history", KIND, "offices")
        headlines = [line for line in out.splitlines() if line.startswith("revision")]
        assert status == 0
        done = [re.search(r" (\w+) by \S+@\S+ (\(.*\))$", line).groups() for line in headlines]
        apply, delete = "(percale apply)", "(percale delete)"
        assert done == [("created", apply), ("changed", apply), ("deleted", delete)]
        assert "    -  - 192.0.2.0/24\n    +  - 192.0.2.0/25\n" in out

    def test_history_of_a_write_that_changed_nothing(self, percale, tmp_path):
        """The same document once more is a revision of its own, and said to be no change."""
        (tmp_path / "set.yaml").write_text(TEXT.format("192.0.2.0/24"))
        for verb in ("apply", "apply", "replace"):
            assert percale(verb, "-f", "set.yaml")[0] == 0
        _, out, _ = percale("history", KIND, "offices")
        done = [line for line in out.splitlines() if line.startswith("revision")]
        assert [("created" in line, "rewritten as it was" in line) for line in done][:2] == [
            (True, False),
            (False, True),
        ]
        assert out.count("    +spec:") == 1

    def test_history_that_was_compacted(self, changed):
        """What is gone is said, what is left is shown."""
        changed("datastore", "compact", "--revision", "7")
        _, out, _ = changed("history", KIND, "offices")
        assert out.startswith("history before revision 7 has been compacted\nrevision 8 ")

    def test_no_history(self, changed):
        """A resource that never was has none."""
        assert changed("history", KIND, "shops")[0] == 1

    def test_get_at_a_revision(self, changed):
        """A revision shows the state of then; one that is gone or not there yet is an error."""
        assert "192.0.2.0/24" in changed("get", KIND, "offices", "-o", "yaml", "--revision", "6")[1]
        assert "192.0.2.0/25" in changed("get", KIND, "offices", "-o", "yaml", "--revision", "7")[1]
        assert changed("get", KIND, "offices", "--revision", "8")[0] == 1
        assert "future" in changed("get", KIND, "--revision", "9")[2]

    def test_diff_of_revisions(self, changed):
        """Differences end with status 1, none with 0, trouble with 2, as with diff(1)."""
        status, out, _ = changed("diff", "--from", "6", "--to", "7")
        assert status == 1
        assert "-  - 192.0.2.0/24\n+  - 192.0.2.0/25\n" in out
        assert changed("diff", "--from", "7", "--to", "7")[:2] == (0, "")
        assert changed("diff", "--from", "70")[0] == 2

    def test_diff_up_to_now(self, changed):
        """Without an end the comparison is with what is there now."""
        assert changed("diff", "--from", "7")[0] == 1
        assert changed("diff", "--from", "8")[:2] == (0, "")

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            ((), "compare either files"),
            (("--to", "7"), "compare either files"),
            (("-f", "set.yaml", "--from", "7"), "compare either files"),
            (("-f", "set.yaml", "--to", "7"), "compare either files"),
            (("set.yaml",), "diff takes no names, and 'set.yaml' is one: name files behind -f"),
            (("--from", "x"), 'invalid argument "x" for "--from" flag: not a whole number'),
            (("--from", "0"), "--from: there is no revision 0; the first one is 1"),
            (("--from", "7", "--to", "0"), "--to: there is no revision 0; the first one is 1"),
            (("--from", "-1"), "--from: there is no revision -1; the first one is 1"),
            (("--from", "7", "--to", "9"), "revision 9 is in the future; the newest is 8"),
            (("--bogus",), "unknown flag: --bogus"),
            (("-f", "absent.yaml"), "failed to execute command: open absent.yaml: no such file or directory"),
            (("-f", "set.yaml", "-n", "x"), "set.yaml:1: GlobalNetworkSet offices: GlobalNetworkSet is not namespaced"),
            (("--from", "7", "-c", "absent.cfg"), "Error reading config file: absent.cfg"),
        ],
    )
    def test_trouble_with_diff(self, changed, words, text):
        """Whatever keeps the two sides from being compared has a status of its own."""
        status, out, err = changed("diff", *words)
        assert (status, out) == (2, "")
        assert err.startswith(text)

    @pytest.mark.parametrize(
        "words", [("get", KIND, "--revision", "6"), ("get", KIND, "--at", "30d"), ("diff", "--from", "6")]
    )
    def test_reading_behind_the_border(self, changed, words):
        """Who asks for history that was forgotten is told what is left, and from when it is."""
        changed("datastore", "compact", "--revision", "7")
        status, out, err = changed(*words)
        assert (status, out) == (2 if words[0] == "diff" else 1, "")
        assert re.fullmatch(
            r"history before revision 7 has been compacted; the oldest that can be read is revision 7, of 20.*\n", err
        )

    def test_forgetting_what_is_forgotten(self, changed):
        """Who forgets history twice is told so, and gets no advice for readers."""
        changed("datastore", "compact", "--revision", "7")
        assert changed("datastore", "compact", "--revision", "6")[2] == "history before revision 7 has been compacted\n"

    def test_diff_of_files(self, changed):
        """A file that is not applied yet differs, an applied one does not."""
        assert changed("diff", "-f", "set.yaml")[0] == 1
        changed("apply", "-f", "set.yaml")
        assert changed("diff", "-f", "set.yaml")[:2] == (0, "")

    @pytest.mark.parametrize(("text", "seconds"), [("90s", 910), ("2m", 880), ("1970-01-01T00:01:00+00:00", 60)])
    def test_times(self, text, seconds):
        """A time is a date, or how long ago."""
        assert seconds_of(text, 1000) == seconds

    def test_a_time_in_the_future_is_refused(self):
        """What will be nobody knows: now is the last time that is answered."""
        assert seconds_of("1970-01-01T00:16:40+00:00", 1000) == 1000
        with pytest.raises(CommandFailed, match="'1970-01-01T00:16:41\\+00:00' is in the future; it is 19"):
            seconds_of("1970-01-01T00:16:41+00:00", 1000)

    @pytest.mark.parametrize("text", ["", "soon", "0001-01-01", "9999999999d", "9" * 5000 + "d", "-5m"])
    def test_what_is_no_time_is_refused(self, text):
        """Whatever cannot be counted in seconds is told how a time is written."""
        with pytest.raises(CommandFailed, match="is no time: write"):
            seconds_of(text, 1000)

    def test_get_at_a_time_where_none_are_kept(self, changed, monkeypatch):
        """Where revisions have no times, a revision is what may be asked for."""
        monkeypatch.setattr(SQLiteKeyValue, "keeps_times", False)
        status, out, err = changed("get", KIND, "--at", "1s")
        assert (status, out) == (1, "")
        assert err == "--at: this datastore does not keep the times of its revisions; use --revision\n"

    def test_get_at_a_time_in_the_future(self, changed):
        """What will be is refused, as a revision that is not there yet is."""
        status, out, err = changed("get", KIND, "--at", "2999-01-01")
        assert (status, out) == (1, "")
        assert err.startswith("'2999-01-01' is in the future; it is ")


class TestWhole:
    def test_backup_and_restore(self, changed):
        """A backup brings the store back, history included; it never replaces one by accident."""
        changed("datastore", "backup", "saved")
        changed("apply", "-f", "set.yaml")
        assert changed("datastore", "restore", "saved")[0] == 1
        assert changed("datastore", "restore", "saved", "--overwrite")[0] == 0
        assert "192.0.2.0/25" in changed("get", KIND, "offices", "-o", "yaml", "--revision", "7")[1]
        assert changed("get", KIND, "offices")[0] == 1

    def test_copy(self, changed):
        """A copy is equal; a second one needs to be told to overwrite."""
        changed("apply", "-f", "set.yaml")
        words = "datastore", "copy", "--from", "store", "--to", "copy"
        assert changed(*words)[1] == "Copied 5 keys of revision 9; both datastores are equal.\n"
        assert changed(*words)[0] == 1
        assert changed(*words, "--overwrite")[0] == 0
        assert changed("datastore", "check", "--datastore", "copy")[0] == 0

    def test_missing_source_is_not_made(self, percale, tmp_path):
        """A mistyped source stays absent."""
        assert percale("datastore", "copy", "--from", "no", "--to", "copy")[0] == 1
        assert not (tmp_path / "no").exists()


def test_watch(changed, tmp_path):
    """``get --watch`` shows what is there, then each change."""
    watching = subprocess.Popen(
        [sys.executable, "-m", "percale.cli", "get", KIND, "-w"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        changed("apply", "-f", "set.yaml")
        (tmp_path / "set.yaml").write_text(TEXT.format("192.0.2.0/26"))
        first = [watching.stdout.readline().split() for _ in range(2)]
        changed("apply", "-f", "set.yaml")
        changed("delete", KIND, "offices")
        later = [watching.stdout.readline().split() for _ in range(2)]
    finally:
        watching.kill()
        watching.communicate()
    assert first == [["EVENT", "NAME"], ["ADDED", "offices"]]
    assert later == [["MODIFIED", "offices"], ["DELETED", "offices"]]
