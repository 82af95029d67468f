# SPDX-License-Identifier: Apache-2.0
"""Struct-packed netlink: rtnetlink, nfnetlink (nf_tables) and ctnetlink, knowing nothing of Calico."""
