# SPDX-License-Identifier: Apache-2.0
"""The demo: three workloads on a private host, real policy, real packets, and every verdict told three times."""
