"""The configuration of a remote."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from flyte_remote_async.config.values import (
    IN_PLACE_BYTES,
    AuthConfig,
    Secret,
    StorageConfig,
    Timeouts,
    to_rate,
    to_seconds,
)
from flyte_remote_async.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Literal, Self, Unpack

    from flyte_remote_async.config.overrides import Overrides

__all__ = ["Config"]

SANDBOX_ENDPOINT: Final = "localhost:30080"

_HEADER: Final = r"[0-9a-z_.-]+"


_KINDS: Final[dict[str, type]] = {
    "endpoint": str,
    "insecure": bool,
    "insecure_skip_verify": bool,
    "server_name": str,
    "project": str,
    "domain": str,
    "org": str,
    "console_endpoint": str,
    "timeouts": Timeouts,
    "max_message_bytes": int,
    "max_attempts": int,
}
_WORDS: Final = {str: "string", bool: "bool", int: "whole number"}


def _to_path(value: Path | str | None) -> Path | None:
    if value is None:
        return None
    from pathlib import Path  # dear to import, and most configurations name no file

    return Path(value)


def _to_headers(value: Mapping[str, str] | tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    pairs = value if isinstance(value, tuple) else value.items()
    headers = tuple((name.lower(), text) for name, text in pairs)
    for name, text in headers:
        if not re.fullmatch(_HEADER, name) or name.startswith("grpc-") or name.endswith("-bin"):
            raise ConfigError(
                f"{name!r} cannot be a header: letters, digits, '_', '.' and '-' make its name, 'grpc-…' belongs to "
                "gRPC, and '…-bin' is for bytes"
            )
        if not (text.isascii() and text.isprintable()):
            raise ConfigError(f"the value of the header {name!r} has characters that a header cannot carry")
    return headers


@attrs.frozen(kw_only=True)
class Config:
    """How a remote is set up: where the control plane is, how to speak to it, what to assume.

    Make one with :meth:`load`, :meth:`for_endpoint` or :meth:`for_sandbox`, or field by field.

    Attributes:
        endpoint: Host and port of the control plane, as ``host:port``, ``dns:///host:port`` or a URL.
        insecure: Whether to speak plaintext instead of TLS.
        insecure_skip_verify: Whether to take any certificate. Only ``transport="grpclib"`` can do that.
        ca_cert_file: PEM file of the authorities to trust, instead of the usual ones.
        client_cert_file: PEM file of this client's certificate chain, for a server that asks for one.
        client_key_file: PEM file of its key.
        server_name: Name to check the server's certificate against, where it is not that of the endpoint.
        project: Project that is meant where none is named.
        domain: Domain that is meant where none is named.
        org: Organisation that is meant where none is named.
        transport: ``"grpcio"``, or ``"grpclib"`` in pure Python.
        console_endpoint: URL of the console, where it is not that of the endpoint.
        http_proxy_url: Proxy for HTTP requests.
        timeouts: Limits of one attempt of a call.
        max_message_bytes: Largest message to take from the server.
        decode_in_place_bytes: Up to this many bytes a value is decoded on the event loop, a larger one beside it; 0
            for all beside it.
        decode_processes: How many processes take tables apart and load pickles that are allowed, so that data which
            kills its reader fails alone; 0 does it in threads, which is faster.
        max_attempts: How often a call that may be repeated is sent at most.
        max_backoff: Longest pause between two attempts, in seconds or as timedelta.
        max_polls_per_second: How many requests all waits and watches together make in a second at most, to look at
            what is waited for; reads of what has ended or moved are not counted.
        headers: Metadata to send with each call; a mapping is taken, pairs are kept.
        auth: How to authenticate.
        storage: How to reach the object store.

    Raises:
        ConfigError: A value cannot be used, or two contradict each other.

    Example:
        >>> Config.for_endpoint("flyte.example.com", project="flytesnacks").project
        'flytesnacks'
    """

    endpoint: str
    insecure: bool = False
    insecure_skip_verify: bool = False
    ca_cert_file: Path | None = attrs.field(default=None, converter=_to_path)
    client_cert_file: Path | None = attrs.field(default=None, converter=_to_path)
    client_key_file: Path | None = attrs.field(default=None, converter=_to_path)
    server_name: str | None = None
    project: str | None = None
    domain: str | None = None
    org: str | None = None
    transport: Literal["grpcio", "grpclib"] = "grpcio"
    console_endpoint: str | None = None
    http_proxy_url: str | None = attrs.field(default=None, repr=False)  # its user info may hold a password
    timeouts: Timeouts = attrs.field(factory=Timeouts)
    max_message_bytes: int = 64 * 1024 * 1024
    decode_in_place_bytes: int = IN_PLACE_BYTES
    decode_processes: int = 0
    max_attempts: int = 5
    max_backoff: float = attrs.field(default=5.0, converter=to_seconds)
    max_polls_per_second: float = attrs.field(default=10.0, converter=to_rate)
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_to_headers, repr=False)
    auth: AuthConfig = attrs.field(factory=AuthConfig)
    storage: StorageConfig = attrs.field(factory=StorageConfig)
    _sources: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            if (value is not None or name == "endpoint") and (
                not isinstance(value, kind) or (kind is int and isinstance(value, bool))
            ):
                raise ConfigError(f"{name} is a {_WORDS.get(kind, kind.__name__)}, not {value!r}")
        if not self.endpoint.strip():
            raise ConfigError("the endpoint is empty: give the host and port of the control plane")
        if self.transport not in {"grpcio", "grpclib"}:
            raise ConfigError(f"there is no transport {self.transport!r}: choose 'grpcio' or 'grpclib'")
        if (self.client_cert_file is None) != (self.client_key_file is None):
            raise ConfigError("client_cert_file and client_key_file belong together: give both or none")
        for name in ("max_message_bytes", "max_attempts"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, not {getattr(self, name)}")
        for name in ("decode_in_place_bytes", "decode_processes"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must be 0 or more, not {getattr(self, name)}")

    @classmethod
    def load(
        cls,
        endpoint: str | None = None,
        *,
        file: Path | str | bytes | None = None,
        env: Mapping[str, str] | None = None,
        strict: bool = False,
        **overrides: Unpack[Overrides],
    ) -> Self:
        """Read arguments, environment and Flyte's configuration file, in this order, and take defaults for the rest.

        It reads a small file: in a running service call it before the loop starts, or use :meth:`load_async`. Given
        `env` and `file` it depends on nothing else.

        Args:
            endpoint: The control plane. Where no source names one it is the local sandbox's.
            file: Path of a YAML or ini file, or the content of one. None looks where flytekit looks: the variables
                ``_FLYTECTL_CONFIG_PYFLYTE_OVERRIDE`` and ``FLYTECTL_CONFIG``, then ``./flytekit.config``,
                ``~/.flyte/config`` and ``~/.flyte/config.yaml``.
            env: The environment; None is ``os.environ``.
            strict: Whether an unknown key under ``admin`` is an error instead of a warning.
            **overrides: Fields of :class:`Config`; None counts as not given.

        Raises:
            ConfigError: A file is missing or malformed, or a value cannot be used.

        Example:
            >>> Config.load(file=b"admin: {endpoint: 'dns:///flyte.example.com'}", env={}).endpoint
            'dns:///flyte.example.com'
        """
        # Whoever makes each Config by hand needs neither the table of keys nor the parsers.
        from flyte_remote_async.config import files, loading

        env = os.environ if env is None else env
        place = files.find(env) if file is None else file
        parsed = None if place is None else files.read(place)
        if parsed is not None:
            loading.check_admin_keys(parsed, strict=strict)
        values, sources = loading.gather(env, parsed)
        for name, value in _given({"endpoint": endpoint, **overrides}).items():
            loading.give(values, sources, name, value)
        if "endpoint" not in values:
            values["endpoint"], sources["endpoint"] = SANDBOX_ENDPOINT, "default: the local sandbox"
            # The sandbox speaks plaintext, so this default comes with the other.
            if "insecure" not in values:
                values["insecure"], sources["insecure"] = True, "default: the local sandbox"
        return cls(**loading.nest(values), sources=tuple(sources.items()))

    @classmethod
    async def load_async(
        cls,
        endpoint: str | None = None,
        *,
        file: Path | str | bytes | None = None,
        env: Mapping[str, str] | None = None,
        strict: bool = False,
        **overrides: Unpack[Overrides],
    ) -> Self:
        """Do what :meth:`load` does, and read the file in a worker thread."""
        import functools

        import anyio.to_thread

        return await anyio.to_thread.run_sync(
            functools.partial(cls.load, endpoint, file=file, env=env, strict=strict, **overrides)
        )

    @classmethod
    def auto(
        cls,
        file: Path | str | bytes | None = None,
        *,
        env: Mapping[str, str] | None = None,
        strict: bool = False,
        **overrides: Unpack[Overrides],
    ) -> Self:
        """Do what :meth:`load` does, under flytekit's name for it."""
        return cls.load(file=file, env=env, strict=strict, **overrides)

    @classmethod
    def for_endpoint(cls, endpoint: str, **overrides: Unpack[Overrides]) -> Self:
        """Return the configuration for an endpoint, from arguments alone: no file and no environment is read.

        Args:
            endpoint: The control plane.
            **overrides: Fields of :class:`Config`, such as ``insecure=True``; None counts as not given.
        """
        given = {"endpoint": endpoint, **_given(overrides)}
        return cls(**given, sources=tuple(_argument(name) for name in given))

    @classmethod
    def for_sandbox(cls, **overrides: Unpack[Overrides]) -> Self:
        """Return the configuration of a local sandbox (``flytectl demo start``): plaintext at ``localhost:30080``."""
        storage = StorageConfig(
            s3_endpoint="http://localhost:30002",
            s3_access_key_id="minio",
            s3_secret_access_key=Secret("miniostorage"),
            s3_addressing_style="path",
        )
        usual = {"insecure": True, "project": "flytesnacks", "domain": "development", "storage": storage}
        return cls.for_endpoint(SANDBOX_ENDPOINT, **{**usual, **_given(overrides)})

    def replace(self, **overrides: Unpack[Overrides]) -> Self:
        """Return a copy with other values for some fields; None counts as not given."""
        given = _given(overrides)
        if not given:
            return self
        kept = tuple(pair for pair in self._sources if pair[0].partition(".")[0] not in given)
        return attrs.evolve(self, **given, sources=kept + tuple(_argument(name) for name in given))

    def explain(self) -> str:
        """Return each value with its source, a line each; secrets are masked.

        Example:
            >>> print(Config.load("host:81", env={}, file=b"").explain().splitlines()[0])
            endpoint = 'host:81'  (argument)
        """
        sources = dict(self._sources)
        lines = []
        for name, value, shown in _leaves(self):
            source = sources.get(name) or sources.get(name.partition(".")[0]) or "default"
            text = repr(value) if shown or not value else "***"
            lines.append(f"{name} = {text}  ({source})")
        return "\n".join(lines)


def _given(overrides: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in overrides.items() if value is not None}


def _argument(name: str) -> tuple[str, str]:
    return name, "argument"


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any, bool]]:
    for field in attrs.fields(type(value)):
        if field.name == "_sources":
            continue
        item = getattr(value, field.name)
        if attrs.has(type(item)):
            yield from _leaves(item, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", item, bool(field.repr)
