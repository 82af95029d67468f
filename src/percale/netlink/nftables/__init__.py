# SPDX-License-Identifier: Apache-2.0
"""nf_tables as values, operations on them, and the sockets that apply and read them back."""
