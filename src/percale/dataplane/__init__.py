# SPDX-License-Identifier: Apache-2.0
"""From HostState to what a host enforces: tables, routes, neighbors and sysctls, reconciled; and a twin in memory."""
