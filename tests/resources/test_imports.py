# SPDX-License-Identifier: Apache-2.0
"""A command pays only for what it touches."""

import subprocess
import sys

SCRIPT = """
import sys
sys.path[:0] = {path!r}
from percale.resources import KINDS, decode_json, encode_json
encode_json(decode_json(b'{{"spec":{{"node":"n"}}}}', "WorkloadEndpoint"))
print([name for name in sys.modules if name.startswith(("yaml", "percale"))])
"""


def test_reading_one_kind_imports_no_other():
    """Decoding endpoints loads neither YAML nor checks nor the agents' settings."""
    script = SCRIPT.format(path=[entry for entry in sys.path if entry])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    for absent in ("yaml", "percale.resources.checks", "percale.resources.felix_configuration", "percale.selectors"):
        assert f"'{absent}'" not in done.stdout
    assert "'percale.resources.workload_endpoint'" in done.stdout
