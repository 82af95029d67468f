# SPDX-License-Identifier: Apache-2.0
"""``python -m percale.cli``."""

import sys

from percale.cli.main import main

sys.exit(main())
