# SPDX-License-Identifier: Apache-2.0
"""Links, addresses, routes and neighbors as values, the requests that change them, and the socket that sends those."""
