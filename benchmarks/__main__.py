# SPDX-License-Identifier: Apache-2.0
"""The workloads behind every figure of the manual: ``python -m benchmarks [NAME...] [--list] [--json FILE]``.

Each benchmark is a program of its own and runs in a process of its own, one after the other. What this machine lacks
something for is left out, and a sentence says so.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent


class Need(NamedTuple):
    """Something that a machine may lack: how to see that it is there, and the sentence if it is not."""

    is_met: Callable[[], bool]
    lack: str


ROOT = Need(lambda: os.geteuid() == 0, "needs root")
ETCD = Need(lambda: shutil.which("etcd") is not None, "needs etcd (Debian: etcd-server)")
GRPC = Need(lambda: importlib.util.find_spec("grpc") is not None, "needs the packages of percale[etcd]")


class Benchmark(NamedTuple):
    """One run of a program ``bench_NAME.py``."""

    program: str
    options: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()

    @property
    def about(self) -> str:
        """The first sentence of the program's own description."""
        text = ast.get_docstring(ast.parse((FOLDER / f"{self.program}.py").read_text(encoding="utf-8"))) or ""
        sentence = text.partition("\n\n")[0].replace("\n", " ").partition(": a table")[0].rstrip(".")
        return " ".join((sentence, *self.options))

    @property
    def lacks(self) -> list[str]:
        """What keeps it from running here."""
        return [need.lack for need in self.needs if not need.is_met()]


BENCHMARKS = {
    "resources": Benchmark("bench_resources"),
    "store": Benchmark("bench_store"),
    "store-etcd": Benchmark("bench_store", ("--etcd",), (ETCD, GRPC)),
    "calc": Benchmark("bench_calc"),
    "dataplane": Benchmark("bench_dataplane", needs=(ROOT,)),
    "agent": Benchmark("bench_agent", needs=(ROOT,)),
    "cni": Benchmark("bench_cni", needs=(ROOT, GRPC)),
    "cni-etcd": Benchmark("bench_cni", ("--etcd",), (ROOT, ETCD, GRPC)),
}
"""All of them, in the order in which they run."""


def main() -> int:
    """Run the benchmarks that were named, or all; 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which ones (default: all)")
    parser.add_argument("--list", action="store_true", help="list them and run none")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures of all of them to a file too")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    chosen = {name: BENCHMARKS[name] for name in options.names or BENCHMARKS}
    if options.list:
        for name, benchmark in chosen.items():
            print(f"{name:<12}{benchmark.about}{_lacking(benchmark.lacks)}")
        return 0
    figures, failed = _run(chosen)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 1 if failed else 0


def _run(chosen: dict[str, Benchmark]) -> tuple[dict[str, Any], list[str]]:
    figures: dict[str, Any] = {}
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for name, benchmark in chosen.items():
            if lacks := benchmark.lacks:
                print(f"== {name}: left out{_lacking(lacks)}", flush=True)
                continue
            print(f"== {name}: {benchmark.about}", flush=True)
            answer = Path(folder) / name
            words = [sys.executable, "-m", f"benchmarks.{benchmark.program}", *benchmark.options, "--json", str(answer)]
            if subprocess.run(words, cwd=FOLDER.parent, check=False).returncode:
                print(f"== {name}: failed, what it said stands above", flush=True)
                failed.append(name)
            else:
                figures[name] = json.loads(answer.read_text(encoding="utf-8"))
    return figures, failed


def _lacking(lacks: Iterable[str]) -> str:
    text = " and ".join(lacks)
    return f" ({text})" if text else ""


if __name__ == "__main__":
    sys.exit(main())
