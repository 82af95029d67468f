# SPDX-License-Identifier: Apache-2.0
"""``python -m percale.cli``."""

from percale.cli.main import program

program()
