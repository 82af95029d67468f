# SPDX-License-Identifier: Apache-2.0
"""What a command is about: namespaces, files and folders (spec/cli.md sections 4 and 5)."""

import pytest

from percale.cli.command import Arguments, CommandFailed, read_arguments
from percale.cli.targets import (
    ALL_NAMESPACES,
    FILE_FLAGS,
    NAMESPACE,
    NothingGiven,
    Target,
    named_targets,
    read_targets,
)
from percale.errors import PercaleError
from percale.resources import KINDS

PROFILE = "apiVersion: projectcalico.org/v3\nkind: Profile\nmetadata:\n  name: {}\n"


def arguments(*words):
    found = Arguments()
    read_arguments(words, (*FILE_FLAGS, NAMESPACE, *ALL_NAMESPACES), found)
    return found


@pytest.mark.parametrize(
    ("kind", "written", "flags", "namespace"),
    [
        ("NetworkPolicy", "", (), "default"),
        ("NetworkPolicy", "", ("-n", "shop"), "shop"),
        ("NetworkPolicy", "shop", (), "shop"),
        ("NetworkPolicy", "shop", ("-n", "shop"), "shop"),
        ("NetworkPolicy", "shop", ("-A",), ""),
        ("NetworkPolicy", "", ("-a",), ""),
        ("Tier", "", (), ""),
    ],
)
def test_namespaces(kind, written, flags, namespace):
    """The namespace comes from the document, then from the flag, then it is default."""
    assert Target(KINDS[kind], "x", written).at_home(arguments(*flags)).namespace == namespace


@pytest.mark.parametrize(
    ("kind", "written", "flags", "text"),
    [
        ("NetworkPolicy", "", ("-n", "a", "-A"), "cannot use both --namespace and --all-namespaces flags"),
        ("NetworkPolicy", "a", ("-n", "b"), "resource namespace does not match client namespace. a != b"),
        ("Tier", "a", (), "Tier is not a namespaced resource"),
        ("Tier", "", ("-n", "a"), "Tier is not namespaced"),
        ("Tier", "", ("-A",), "Tier is not namespaced"),
    ],
)
def test_namespaces_that_disagree(kind, written, flags, text):
    """A document and flags that contradict each other are refused."""
    with pytest.raises(PercaleError, match=text):
        Target(KINDS[kind], "x", written).at_home(arguments(*flags))


def test_names():
    """Each name is a target of its own; without one the kind is."""
    assert [target.name for target in named_targets(["wep", "a", "b"])] == ["a", "b"]
    assert [target.name for target in named_targets(["WEP"])] == [""]


@pytest.mark.parametrize(
    ("words", "text"),
    [(["zebra"], "resource type 'zebra' is not supported"), (["wep", ""], "resource name may not be empty")],
)
def test_names_that_are_none(words, text):
    """An unknown kind and an empty name are refused."""
    with pytest.raises(CommandFailed, match=text):
        named_targets(words)


@pytest.fixture
def folder(tmp_path):
    for name in ("b.yml", "a.yaml", "c.JSON", "inner/d.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(PROFILE.format(path.name[0]))
    (tmp_path / "readme.txt").write_text("x: [")
    return tmp_path


def test_folder(folder):
    """A folder's documents come in the order of their files, those of other files not at all."""
    assert [target.name for target in read_targets(arguments("-f", str(folder)))] == ["a", "b", "c"]


def test_folders_in_a_folder(folder):
    """--recursive reads the folders inside."""
    assert [target.name for target in read_targets(arguments("-R", "-f", str(folder)))] == ["a", "b", "c", "d"]


def test_empty_folder(tmp_path):
    """A folder without documents is refused by its name."""
    with pytest.raises(NothingGiven, match="no resources specified in directory"):
        read_targets(arguments("-f", str(tmp_path)))


def test_missing_file():
    """A file that does not exist is refused as calicoctl does."""
    with pytest.raises(CommandFailed, match=r"^failed to execute command: open none.yaml: no such file or directory$"):
        read_targets(arguments("-f", "none.yaml"))


def test_no_file():
    """A command that needs resources says how to give them."""
    with pytest.raises(CommandFailed, match="behind -f"):
        read_targets(arguments())


def test_all_problems_of_all_files(folder):
    """Every file is read before anything is refused."""
    (folder / "a.yaml").write_text("kind: Gadget\n")
    (folder / "b.yml").write_text("a: [\n")
    with pytest.raises(CommandFailed) as failure:
        read_targets(arguments("-f", str(folder)))
    assert [problem.file for problem in failure.value.problems] == [str(folder / "a.yaml"), str(folder / "b.yml")]
