# SPDX-License-Identifier: MIT
"""What tools/aramid is made of: see tools/README.md."""
