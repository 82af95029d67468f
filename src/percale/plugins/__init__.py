# SPDX-License-Identifier: Apache-2.0
"""What owns an endpoint's life: the plugins of orchestrators, and what their executables say to the agent."""
