# SPDX-License-Identifier: Apache-2.0
"""What a program of a name knows: all of percale, or calicoctl's commands and flags only (spec/cli.md section 1)."""

from importlib import import_module

import pytest

from percale.cli.command import GLOBAL_FLAGS
from percale.cli.main import main
from percale.cli.verbs import VERBS, find_verb, verbs_like

OWN_VERBS = [name for name, verb in VERBS.items() if verb.own]
OWN_FLAGS = [
    (name, flag)
    for name, verb in VERBS.items()
    if not verb.own
    for flag in (*GLOBAL_FLAGS, *import_module(verb.module).COMMAND.flags)
    if flag.own
]
CALICOS = ("calicoctl", "kubectl-calico")


@pytest.mark.parametrize("program", CALICOS)
@pytest.mark.parametrize(("verb", "flag"), OWN_FLAGS)
def test_own_flags_are_unknown_to_calicoctl(capsys, program, verb, flag):
    """By a name of Calico's the program refuses percale's flags in calicoctl's words, whatever else is asked."""
    assert main([*verb.split(), f"--{flag.name}=x", "--help"], program=program) == 1
    assert capsys.readouterr() == ("", f"unknown flag: --{flag.name}\n")
    if flag.short:
        assert main([*verb.split(), f"-{flag.short}"], program=program) == 1
        assert capsys.readouterr() == ("", f"unknown shorthand flag: '{flag.short}' in -{flag.short}\n")


@pytest.mark.parametrize("program", CALICOS)
@pytest.mark.parametrize("verb", [verb for verb in OWN_VERBS if not verb.startswith("datastore ")])
def test_own_verbs_are_unknown_to_calicoctl(capsys, program, verb):
    """By a name of Calico's the program does not know percale's verbs, nor does it suggest them."""
    first = verb.partition(" ")[0]
    assert main(verb.split(), program=program) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f'unknown command "{first}" for "{program}"\n')
    assert f"\t{first}\n" not in err


@pytest.mark.parametrize("verb", [verb for verb in OWN_VERBS if verb.startswith("datastore ")])
def test_own_verbs_of_a_group_print_its_help(capsys, verb):
    """A verb that calicoctl's group lacks prints the group's help, which does not name it."""
    assert main(verb.split(), program="calicoctl") == 0
    out = capsys.readouterr().out
    assert "datastore migrate lock" in out
    assert f"  {verb} " not in out


def test_a_group_without_its_verb_knows_no_flags(capsys):
    """A flag behind a group alone is unknown, so that a mistyped verb with flags is no success."""
    assert main(["datastore", "copy", "--from", "a"], program="calicoctl") == 1
    assert capsys.readouterr() == ("", "unknown flag: --from\n")


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in OWN_VERBS])
def test_help_shows_what_the_name_knows(capsys, verb):
    """Help of a command names percale's own flags only where they work."""
    own = {flag.name for name, flag in OWN_FLAGS if name == verb}
    for program, shown in (("percale", own), ("calicoctl", set())):
        assert main([*verb.split(), "--help"], program=program) == 0
        out = capsys.readouterr().out
        assert {name for name in own if f"--{name} " in out} == shown


def test_help_of_calicoctl_lists_its_verbs(capsys):
    """Help of the program lists the verbs and groups that its name knows."""
    assert main([], program="calicoctl") == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split()[0] for line in lines[lines.index("Commands:") + 1 :] if line.startswith("  ")]
    assert {"get", "ipam", "datastore"} < set(listed)
    assert not {"explain", "cni", "agent", "--datastore"} & set(listed)


@pytest.mark.parametrize(
    ("words", "verb", "rest"),
    [
        (["get", "wep"], "get", ["wep"]),
        (["-n", "shop", "get", "np"], "get", ["-n", "shop", "np"]),
        (["--log-level=debug", "ipam", "-c", "x", "show"], "ipam show", ["--log-level=debug", "-c", "x"]),
        (["--allow-version-mismatch", "get", "wep"], "get", ["--allow-version-mismatch", "wep"]),
        (["-fx.yaml", "apply"], "apply", ["-fx.yaml"]),
        (["-A", "get", "wep"], "", ["-A", "get", "wep"]),
        (["--", "get"], "", ["--", "get"]),
        (["datastore", "migrate", "lock"], "datastore migrate lock", []),
        (["datastore", "nothing"], "datastore", ["nothing"]),
        (["get", "get"], "get", ["get"]),
        ([], "", []),
    ],
)
def test_verbs_among_flags(words, verb, rest):
    """Flags may stand before a verb; a word behind one that is not known there counts as its value."""
    assert find_verb(words, "calicoctl") == (verb, rest)


def test_only_known_verbs_are_suggested():
    """A mistyped verb of percale's own has no suggestion in calicoctl."""
    assert verbs_like("explian", "percale") == ["explain"]
    assert verbs_like("explian", "calicoctl") == []


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if not VERBS[verb].own and verb.partition(" ")[0] not in ("patch", "completion")]
)
def test_surplus_words_are_left_alone(verb):
    """A command of calicoctl takes more words than it looks at, but for `patch` and `ipam split`."""
    most = import_module(VERBS[verb].module).COMMAND.most
    assert most == (1 if verb == "ipam split" else None)
