# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.fuzz TARGET [SECONDS]``: search for inputs that a target does not survive, guided by coverage.

Seeds come from ``corpus/TARGET``. What is found new stays in ``.fuzz/TARGET``, an input that breaks in the folder where
the search was started; reduce it, mend the fault, and add it to the corpus, which every run of the tests replays.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["percale"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run until the time is over or an input breaks the target; the last line counts the inputs."""
    name, seconds = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "60"
    found = Path(".fuzz") / name
    found.mkdir(parents=True, exist_ok=True)
    seeds = Path(__file__).parent / "corpus" / name
    flags = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=4096", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *flags, str(found), str(seeds)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
