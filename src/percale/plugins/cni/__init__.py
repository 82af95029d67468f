# SPDX-License-Identifier: Apache-2.0
"""The CNI plugin: network interfaces for containers, by the rules of the Container Network Interface (spec/cni.md)."""
