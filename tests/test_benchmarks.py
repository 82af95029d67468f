# SPDX-License-Identifier: Apache-2.0
"""The benchmarks can be run: they are measured by hand, so nothing else would notice one that does not even start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import __main__ as runner
from benchmarks.commands import environment

PROJECT = Path(__file__).parent.parent
PROGRAMS = sorted(path.stem for path in (PROJECT / "benchmarks").glob("bench_*.py"))


def python(*words: str, **surroundings: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the project."""
    command = [sys.executable, "-m", *words]
    return subprocess.run(
        command, cwd=PROJECT, env=environment() | surroundings, capture_output=True, text=True, check=False
    )


def test_every_program_is_chosen_by_a_name():
    """No program is forgotten, and none is named that is not there."""
    assert sorted({benchmark.program for benchmark in runner.BENCHMARKS.values()}) == PROGRAMS


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_starts(program):
    """Everything that a benchmark imports exists, and it can write its figures to a file."""
    started = python(f"benchmarks.{program}", "--help")
    assert started.returncode == 0, started.stderr
    assert "--json" in started.stdout


def test_the_list_has_a_line_for_each():
    """The list tells what each benchmark is about."""
    listed = python("benchmarks", "--list")
    assert listed.returncode == 0, listed.stderr
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(runner.BENCHMARKS)


def test_an_unknown_name_is_refused_with_the_known_ones():
    """A wrong name is no empty run."""
    refused = python("benchmarks", "stores")
    assert refused.returncode == 2
    assert "there is no benchmark 'stores'; there are resources, store," in refused.stderr


def test_figures_of_a_run_are_printed_and_written(tmp_path, monkeypatch, capfd):
    """A benchmark that was named runs, and what it measured stands under its name in the file."""
    (tmp_path / "bench_small.py").write_text(
        '"""Small things: a table."""\n'
        "import sys\n"
        "print('one', 1)\n"
        "open(sys.argv[sys.argv.index('--json') + 1], 'w').write('{\"one\": 1}')\n"
    )
    answer = tmp_path / "all.json"
    assert run(tmp_path, monkeypatch, {"small": runner.Benchmark("bench_small")}, answer) == 0
    assert json.loads(answer.read_text()) == {"small": {"one": 1}}
    assert capfd.readouterr().out == "== small: Small things\none 1\n"


def test_what_the_machine_lacks_is_left_out_with_a_sentence(tmp_path, monkeypatch, capfd):
    """A benchmark that cannot run here is no failure, and the reader is told."""
    absent = runner.Need(lambda: False, "needs a lake")
    answer = tmp_path / "all.json"
    assert run(tmp_path, monkeypatch, {"boat": runner.Benchmark("bench_boat", needs=(absent,))}, answer) == 0
    assert capfd.readouterr().out == "== boat: left out (needs a lake)\n"
    assert json.loads(answer.read_text()) == {}


def test_a_benchmark_that_fails_fails_the_run(tmp_path, monkeypatch, capfd):
    """The others still run, and the exit status tells."""
    (tmp_path / "bench_bad.py").write_text('"""Bad things."""\nraise SystemExit("no")\n')
    assert run(tmp_path, monkeypatch, {"bad": runner.Benchmark("bench_bad")}, tmp_path / "all.json") == 1
    assert "== bad: failed, what it said stands above\n" in capfd.readouterr().out


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, benchmarks: dict[str, runner.Benchmark], answer: Path) -> int:
    """Run benchmarks of a folder's own."""
    package = folder / "benchmarks"
    package.mkdir()
    for path in folder.glob("bench_*.py"):
        path.rename(package / path.name)
    monkeypatch.setattr(runner, "FOLDER", package)
    monkeypatch.setattr(runner, "BENCHMARKS", benchmarks)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--json", str(answer)])
    return runner.main()
