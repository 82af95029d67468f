# SPDX-License-Identifier: Apache-2.0
"""Incremental calculation: from the datastore's resources to what one host must enforce, without any I/O."""
