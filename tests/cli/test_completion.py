# SPDX-License-Identifier: Apache-2.0
"""Shells complete command lines by the scripts that ``completion`` prints; each runs in its real shell."""

import shutil
import subprocess

import pytest

from percale.cli.completion import levels
from percale.cli.main import main
from percale.cli.verbs import verbs_of

BASH = """
source /dev/stdin <<'SCRIPT'
{script}
SCRIPT
COMP_WORDS=({words}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_{program}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
# zsh's own completion system wants a terminal; what the script gives to it is printed instead.
ZSH = """
compdef() {{ }}
_files() {{ print FILES }}
_describe() {{ print -l -- ${{${{(P)2}}%%:*}} }}
source /dev/stdin <<'SCRIPT'
{script}
SCRIPT
words=({words}) CURRENT=$#words
_{program}
"""
FISH = """
printf '%s' '{script}' | source
complete --do-complete '{line}'
"""


def completed(capsys, shell, line, program="percale"):
    """The words that a shell offers at the end of a line."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert main(["completion", shell], program=program) == 0
    script = capsys.readouterr().out
    words = " ".join(f"'{word}'" for word in line.split(" "))
    if shell == "fish":
        script = script.replace("\\", "\\\\").replace("'", "\\'")
    text = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell].format(
        script=script, words=words, line=line, program=program
    )
    plain = {"bash": ["--noprofile", "--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run([shell, *plain], input=text, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    found = [word.partition("\t")[0] for word in done.stdout.splitlines() if word]
    wanted = line.rpartition(" ")[2]
    return sorted(word for word in found if word.startswith(wanted) or word == "FILES")


SHELLS = pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])


@SHELLS
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("percale ap", ["apply"]),
        ("percale ipam ", ["check", "configure", "release", "show", "split"]),
        ("percale datastore migrate ", ["export", "import", "lock", "unlock"]),
        ("percale datastore mig", ["migrate", "migrate-policy-names"]),
        ("percale get ipp", ["ipp", "ippools"]),
        ("percale get --out", ["--output"]),
        ("percale ipam show --show-b", ["--show-blocks", "--show-borrowed"]),
        ("percale -n shop get gnet", ["gnetsets"]),
        ("percale schem", ["schema"]),
    ],
)
def test_words_and_flags(capsys, shell, line, offered):
    """Verbs, words behind a group, kinds and flags are offered where they may stand."""
    found = completed(capsys, shell, line)
    assert set(offered) <= set(found)
    assert all(word.startswith(line.rpartition(" ")[2]) for word in found)


@SHELLS
@pytest.mark.parametrize("line", ["calicoctl expl", "calicoctl get --watc", "calicoctl --datas"])
def test_percales_own_is_not_offered_to_calicoctl(capsys, shell, line):
    """By the name of calicoctl only what it knows is offered."""
    assert not {"explain", "--watch", "--datastore"} & set(completed(capsys, shell, line, "calicoctl"))


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_values_of_flags_are_files(capsys, shell):
    """Behind a flag that takes a value no word is offered, so that files are."""
    assert completed(capsys, shell, "percale apply -f ") == ([] if shell == "bash" else ["FILES"])


def test_every_verb_is_a_level():
    """Each verb has a level, whose flags are those of its help."""
    found = {level.verb: level for level in levels("percale", described=True)}
    assert set(verbs_of("percale")) < set(found)
    assert {"-f", "--filename", "-R", "--recursive"} < set(found["apply"].flags)
    assert {"-f", "--filename"} < set(found["apply"].taking)
    assert "-R" not in found["apply"].taking
    assert found["ipam"].words["show"].startswith("show how many")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_descriptions_can_be_left_out(capsys, shell):
    """Without descriptions only words are in the script."""
    main(["completion", shell])
    with_them = capsys.readouterr().out
    main(["completion", shell, "--no-descriptions"])
    assert "create resources from files" in with_them
    assert "create resources from files" not in capsys.readouterr().out
