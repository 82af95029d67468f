# SPDX-License-Identifier: Apache-2.0
"""Percale: Calico's workload endpoints in Python."""

__version__ = "0.1.0"
