# SPDX-License-Identifier: Apache-2.0
"""The datastore: the contracts (seams), the stores behind them, and Calico's layout of keys and values."""
