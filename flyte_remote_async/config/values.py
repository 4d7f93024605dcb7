"""The parts of a configuration: limits of time, how to authenticate, how to reach storage."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs

from flyte_remote_async.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["IN_PLACE_BYTES", "AuthConfig", "Secret", "StorageConfig", "Timeouts", "to_rate", "to_seconds"]

IN_PLACE_BYTES: Final = 64 * 1024
"""Up to this many bytes a literal is decoded in place, on the event loop, unless one sets another bound.

That takes half a millisecond for a list of numbers and some milliseconds for a list of dataclasses.
"""


class Secret:
    """A text that does not show itself: ``repr``, ``str``, formatting and pickle say ``***``.

    Args:
        value: The text to keep.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value: str | None = value

    def reveal(self) -> str:
        """Return the text itself.

        Raises:
            ConfigError: The secret was unpickled; a pickle never carries one, so it must be given again.
        """
        if self._value is None:
            raise ConfigError(
                "a secret is left out when a configuration is pickled: load the configuration again in this process"
            )
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> tuple[Any, ...]:
        return _masked, ()


def _masked() -> Secret:
    secret = Secret("")
    secret._value = None  # noqa: SLF001 - the one place that makes a secret without its text
    return secret


def to_seconds(value: float | timedelta) -> float:
    """Return a duration in seconds.

    Raises:
        ConfigError: It is not a positive, finite number or a positive timedelta.
    """
    given: object = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 < given < math.inf:
        raise ConfigError(f"a time limit is a positive number of seconds or a timedelta, not {value!r}")
    return float(given)


def to_rate(value: float) -> float:
    """Return a rate, in a second.

    Raises:
        ConfigError: It is not a positive, finite number.
    """
    given: object = value
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 < given < math.inf:
        raise ConfigError(f"a rate is a positive number of times a second, not {value!r}")
    return float(given)


@attrs.frozen
class Timeouts:
    """How long one attempt of a call may take, in seconds (or as timedelta).

    Attributes:
        read: Calls that read, such as GetExecution.
        create: Calls that write, such as CreateExecution.
        data: Calls that carry inputs, outputs or files.
    """

    read: float = attrs.field(default=15.0, converter=to_seconds)
    create: float = attrs.field(default=30.0, converter=to_seconds)
    data: float = attrs.field(default=60.0, converter=to_seconds)


_MODES: Final = {
    "standard": "pkce",
    "pkce": "pkce",
    "basic": "client_secret",
    "client_credentials": "client_secret",
    "clientsecret": "client_secret",
    "client_secret": "client_secret",
    "external_process": "external_command",
    "externalcommand": "external_command",
    "external_command": "external_command",
    "deviceflow": "device_flow",
    "device_flow": "device_flow",
}


def _to_mode(value: str | None) -> str | None:
    # A name that is not Flyte's own is a plug-in's, which knows how it wants to be spelt.
    return None if value is None else _MODES.get(value.lower(), value)


@attrs.frozen
class AuthConfig:
    """How to authenticate, as Flyte's configuration has it.

    Attributes:
        mode: ``"pkce"``, ``"client_secret"``, ``"external_command"``, ``"device_flow"`` or a plug-in's name; flytekit's
            and flytectl's other spellings are taken. None where it is not set.
        client_id: OAuth2 client.
        client_secret: Its secret.
        client_secret_location: File to read the secret from, when a token is wanted; it comes before the secret.
        scopes: Scopes to ask for; those of the server where there are none.
        audience: Audience to ask for.
        use_audience_from_admin: Whether the server's word on the audience counts.
        command: Program and arguments that print a token.
        proxy_command: Program and arguments that print a token for a proxy before Flyte.
        authorization_header: Name of the header; the server's word where it is None.
        token_url: Token endpoint; the server's word where it is None.
        token_refresh_window: Seconds before its end at which a token is renewed.
        browser_timeout: Seconds that a login in the browser may take.
        device_timeout: Seconds that a login on another device may take.
        device_poll_interval: Seconds between two looks for it.
    """

    mode: str | None = attrs.field(default=None, converter=_to_mode)
    client_id: str | None = None
    client_secret: Secret | None = attrs.field(default=None, repr=False)
    client_secret_location: Path | None = None
    scopes: tuple[str, ...] = ()
    audience: str | None = None
    use_audience_from_admin: bool = False
    command: tuple[str, ...] = attrs.field(default=(), repr=False)  # arguments of programs can be secrets
    proxy_command: tuple[str, ...] = attrs.field(default=(), repr=False)
    authorization_header: str | None = None
    token_url: str | None = None
    token_refresh_window: float | None = None
    browser_timeout: float | None = None
    device_timeout: float | None = None
    device_poll_interval: float | None = None


@attrs.frozen
class StorageConfig:
    """How to reach the object store beside the control plane; what is None is left to the store's own environment.

    Attributes:
        s3_endpoint: URL of an S3 server that is not AWS.
        s3_access_key_id: Access key.
        s3_secret_access_key: Its secret.
        s3_addressing_style: ``"virtual"`` or ``"path"``.
        s3_retries: How often a request to S3 is tried again.
        s3_backoff: Seconds between two tries.
        azure_account_name: Storage account.
        azure_account_key: Its key.
        azure_tenant_id: Tenant of the service principal.
        azure_client_id: The service principal.
        azure_client_secret: Its secret.
        local: Whether the backend runs on this machine and shares its files: only then are ``file://`` addresses and
            plain paths read, and inputs that are files stay on this machine.
        web: Whether data behind ``http://`` and ``https://`` addresses is read. Who writes a literal chooses the
            address: turn it off where this process can reach web servers that they must not.
    """

    s3_endpoint: str | None = None
    s3_access_key_id: str | None = None
    s3_secret_access_key: Secret | None = attrs.field(default=None, repr=False)
    s3_addressing_style: str | None = None
    s3_retries: int | None = None
    s3_backoff: float | None = None
    azure_account_name: str | None = None
    azure_account_key: Secret | None = attrs.field(default=None, repr=False)
    azure_tenant_id: str | None = None
    azure_client_id: str | None = None
    azure_client_secret: Secret | None = attrs.field(default=None, repr=False)
    local: bool = False
    web: bool = True
