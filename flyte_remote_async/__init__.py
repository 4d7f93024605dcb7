"""An async-first SDK for the Flyte 1.x control plane."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
