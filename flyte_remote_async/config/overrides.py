"""The types of what can be given by name instead of by a file: for type checkers; nothing loads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from pathlib import Path
    from typing import Literal

    from flyte_remote_async.config.values import AuthConfig, StorageConfig, Timeouts

__all__ = ["Others", "Overrides"]


class Others(TypedDict, total=False):
    """What is seldom given; None is "not given"."""

    insecure_skip_verify: bool | None
    ca_cert_file: Path | str | None
    client_cert_file: Path | str | None
    client_key_file: Path | str | None
    server_name: str | None
    org: str | None
    console_endpoint: str | None
    http_proxy_url: str | None
    timeouts: Timeouts | None
    max_message_bytes: int | None
    decode_in_place_bytes: int | None
    decode_processes: int | None
    max_attempts: int | None
    max_backoff: float | timedelta | None
    max_polls_per_second: float | None
    headers: Mapping[str, str] | None
    auth: AuthConfig | None
    storage: StorageConfig | None


class Overrides(Others, total=False):
    """What can be given by name; None is "not given"."""

    insecure: bool | None
    project: str | None
    domain: str | None
    transport: Literal["grpcio", "grpclib"] | None
