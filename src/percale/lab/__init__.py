# SPDX-License-Identifier: Apache-2.0
"""Hosts and workloads in private namespaces: for the demo, the kernel tests and the benchmarks."""
