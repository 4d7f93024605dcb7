"""How a remote is set up: frozen values, and what reads them from arguments, the environment and Flyte's own files."""

from __future__ import annotations

from flyte_remote_async.config.settings import Config
from flyte_remote_async.config.values import AuthConfig, Secret, StorageConfig, Timeouts

__all__ = ["AuthConfig", "Config", "Secret", "StorageConfig", "Timeouts"]
