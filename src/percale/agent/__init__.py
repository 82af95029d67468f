# SPDX-License-Identifier: Apache-2.0
"""The per-host daemon: syncer, calculation, dataplane; it serves the plugins on a local socket."""
