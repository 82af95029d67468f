# SPDX-License-Identifier: Apache-2.0
"""What the compiled form means: a flow's verdict, the way that led to it, and the rule that nearly matched."""
