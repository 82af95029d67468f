# SPDX-License-Identifier: Apache-2.0
"""The command line as real processes: names it goes by, pipes, and what it imports."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import percale

SOURCE = str(Path(percale.__file__).parent.parent)


def run(*words, program=None, **options):
    environment = {**os.environ, "PYTHONPATH": SOURCE, **options.pop("environment", {})}
    command = [program] if program else [sys.executable, "-m", "percale.cli"]
    return subprocess.run([*command, *words], env=environment, capture_output=True, text=True, timeout=60, **options)


@pytest.fixture
def store(tmp_path):
    return {"PERCALE_DATASTORE": str(tmp_path / "store.db")}


def test_apply_and_get(store):
    """What standard input says is stored for the next process."""
    text = '{"apiVersion": "projectcalico.org/v3", "kind": "Profile", "metadata": {"name": "a"}}'
    done = run("apply", "-f", "-", input=text, environment=store)
    assert (done.returncode, done.stdout) == (0, "Successfully applied 1 'Profile' resource(s)\n")
    assert run("get", "profile", environment=store).stdout.splitlines()[1].strip() == "a"


def test_version_imports_little():
    """The version is printed without a model, a datastore or a parser."""
    code = (
        "import sys; from percale.cli.main import main; main(['version', '--client']); "
        "print([name for name in ('msgspec', 'yaml', 'sqlite3', 'argparse', 'dataclasses') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_reading_does_not_import_the_parser(store):
    """A command without files does not load the YAML parser."""
    code = "import sys; from percale.cli.main import main; main(['get', 'wep']); print('yaml' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": SOURCE, **store}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("calicoctl", "calicoctl"),
        ("kubectl-calico", "kubectl-calico"),
        ("kubectl-other", "kubectl-calico"),
        ("kubectl-percale", "kubectl-percale"),
        ("percale", "percale"),
        ("percale3", "percale"),
    ],
)
def test_names_of_the_program(tmp_path, name, called):
    """The program calls itself what it was started as."""
    path = tmp_path / name
    path.write_text(f"#!{sys.executable}\nimport sys\nfrom percale.cli.main import main\nsys.exit(main())\n")
    path.chmod(0o755)
    assert run("frobnicate", program=str(path)).stderr == f'unknown command "frobnicate" for "{called}"\n'


def test_a_reader_that_leaves(store):
    """A pipe whose reader has enough ends the command without a complaint."""
    text = "---\n".join(
        f"apiVersion: projectcalico.org/v3\nkind: Profile\nmetadata: {{name: p{number}}}\n" for number in range(3000)
    )
    assert run("apply", "-f", "-", input=text, environment=store).returncode == 0
    command = f"{sys.executable} -m percale.cli get profile -o yaml; echo status $? >&2"
    environment = {**os.environ, "PYTHONPATH": SOURCE, **store}
    done = subprocess.run(
        ["sh", "-c", f"({command}) | head -1"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "apiVersion: projectcalico.org/v3\n"
    assert done.stderr == "status 141\n"


def test_failure_told_on_standard_output():
    """What a command prints of its failure arrives through a pipe too."""
    done = run("get", "wep", "-c", "/nowhere.cfg")
    assert (done.returncode, done.stdout) == (1, "Error reading config file: /nowhere.cfg\n")


@pytest.mark.parametrize("words", [("version", "--client"), ("get", "wep", "-c", "/nowhere.cfg")])
def test_output_without_room(words):
    """Output that cannot be written fails the command, whatever the command did, with at most one line about it."""
    command = [sys.executable, "-m", "percale.cli", *words]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr in ("", "the output could not be written: No space left on device\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(store, closed):
    """A command that was started with closed streams does its work."""
    text = '{"apiVersion": "projectcalico.org/v3", "kind": "Profile", "metadata": {"name": "a"}}'
    file = Path(store["PERCALE_DATASTORE"]).with_name("profile.json")
    file.write_text(text)
    command = f"{sys.executable} -m percale.cli apply -f {file} {closed}"
    done = subprocess.run(
        ["sh", "-c", command], env={**os.environ, **store}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert run("get", "profile", "a", environment=store).returncode == 0


FAILING = """
from percale.cli import main
from percale.errors import PercaleError

def half_done(program, words):
    print("half a result")
    raise PercaleError("the other half is missing")

main._run = half_done
main.program()
"""


def test_what_was_printed_before_a_failure():
    """A command that fails half-way has shown what it had found, through a pipe too."""
    environment = {**os.environ, "PYTHONPATH": SOURCE, "PYTHONUNBUFFERED": ""}
    done = subprocess.run([sys.executable, "-c", FAILING], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (1, "half a result\n", "the other half is missing\n")


def test_complaints_without_room():
    """The exit status is that of the command, also where its complaint cannot be written."""
    environment = {**os.environ, "PYTHONPATH": SOURCE, "PYTHONUNBUFFERED": ""}
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "percale.cli", "frobnicate"]
        assert subprocess.run(command, env=environment, stderr=full, timeout=60).returncode == 1
