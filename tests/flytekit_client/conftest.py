"""Tests with flytekit's own client: they run where ``FLYTEKIT_PYTHON`` names an interpreter that has flytekit."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("FLYTEKIT_PYTHON") else ["test_*.py"]
