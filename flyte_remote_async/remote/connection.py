"""A remote before it can do anything: how it is made, opened and closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from flyte_remote_async.config import Config
from flyte_remote_async.errors import ClosedError, ConfigError
from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
from flyte_remote_async.operations.session import open_session
from flyte_remote_async.transport.target import Target

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Unpack

    from flyte_remote_async.config.overrides import Others, Overrides
    from flyte_remote_async.literals import Context, Types
    from flyte_remote_async.operations.session import Session
    from flyte_remote_async.transport.base import Transport

__all__ = ["Connection"]


class Connection:
    """How a remote is made, opened and closed."""

    def __init__(
        self,
        configure: Callable[[], Awaitable[Config]],
        channel: Callable[[], Transport] | None = None,
        *,
        types: Types | None = None,
    ) -> None:
        """Prefer :meth:`connect`, :meth:`auto` and :meth:`for_sandbox`.

        Args:
            configure: Gives the configuration when the remote is opened.
            channel: Makes a channel of another kind than gRPC's.
            types: The user's own types.
        """
        self._configure = configure
        self._channel = channel
        self._types = types
        self._session: Session | None = None
        self._closed = False

    # --- making one ---------------------------------------------------------------------------------------------

    @classmethod
    def connect(
        cls,
        endpoint: str | Config,
        *,
        insecure: bool | None = None,
        project: str | None = None,
        domain: str | None = None,
        transport: Literal["grpcio", "grpclib"] | None = None,
        types: Types | None = None,
        **others: Unpack[Others],
    ) -> Self:
        """Return a remote for an endpoint; nothing is sent before its first verb.

        Args:
            endpoint: Host and port such as ``"localhost:30080"`` or ``"dns:///flyte.example.com"``, a URL, or a whole
                :class:`Config`.
            insecure: Whether to speak plaintext instead of TLS; False when nothing says so.
            project: Project that is meant where none is named.
            domain: Domain that is meant where none is named.
            transport: ``"grpcio"``, which is the usual one, or ``"grpclib"`` in pure Python.
            types: The user's own types, which decoding and encoding know besides Flyte's.
            **others: Other fields of :class:`Config`, such as ``timeouts``.

        Raises:
            ConfigError: The endpoint or another value is malformed.
        """
        overrides: Overrides = {
            **others,
            "insecure": insecure,
            "project": project,
            "domain": domain,
            "transport": transport,
        }
        given = (
            endpoint.replace(**overrides)
            if isinstance(endpoint, Config)
            else Config.for_endpoint(endpoint, **overrides)
        )
        Target.parse(given.endpoint, insecure=given.insecure)
        return cls(_ready(given), types=types)

    @classmethod
    def auto(
        cls, file: Path | str | bytes | None = None, *, types: Types | None = None, **overrides: Unpack[Overrides]
    ) -> Self:
        """Return a remote that is set up as Flyte's other clients are: by environment and configuration file.

        Both are read when the remote is opened, in a worker thread.

        Args:
            file: The configuration file; None looks where Flyte's clients look.
            types: The user's own types, which decoding and encoding know besides Flyte's.
            **overrides: Fields of :class:`Config` that come before both.
        """

        async def configure() -> Config:
            return await Config.load_async(file=file, **overrides)

        return cls(configure, types=types)

    @classmethod
    def for_sandbox(cls, *, types: Types | None = None, **overrides: Unpack[Overrides]) -> Self:
        """Return a remote for a local sandbox, as ``flytectl demo start`` makes one.

        Args:
            types: The user's own types, which decoding and encoding know besides Flyte's.
            **overrides: Fields of :class:`Config` that differ from the sandbox's.
        """
        return cls(_ready(Config.for_sandbox(**overrides)), types=types)

    @classmethod
    def over(cls, channel: Callable[[], Transport], config: Config, *, types: Types | None = None) -> Self:
        """Return a remote over channels of another kind, such as the devserver's in-process one.

        Args:
            channel: Makes a channel, again when one has to be replaced.
            config: What else to set up; its endpoint is how errors call the other side.
            types: The user's own types, which decoding and encoding know besides Flyte's.
        """
        return cls(_ready(config), channel, types=types)

    # --- its life -----------------------------------------------------------------------------------------------

    async def open(self) -> Self:
        """Open the remote in the running event loop; opening an open one does nothing.

        Raises:
            ConfigError: The configuration cannot be used.
            ClosedError: It was closed before; make a new one.
            UnsupportedLoopError: The event loop is not asyncio's.
        """
        if self._closed:
            reason = "this remote was closed; make a new one"
            raise ClosedError(reason)
        if self._session is None:
            session = await open_session(await self._configure(), self._channel, self._types)
            if not self._take(session):
                # Another task opened or closed the remote meanwhile.
                await session.aclose()
                return await self.open()
        return self

    def _take(self, session: Session) -> bool:
        if self._closed or self._session is not None:
            return False
        self._session = session
        return True

    async def aclose(self) -> None:
        """Close the remote; calls in flight end with :class:`ClosedError`. Closing twice is fine."""
        if self._session is not None:
            await self._session.aclose()
        self._closed = True

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def config(self) -> Config:
        """How the remote is set up.

        Raises:
            ClosedError: It is not open yet, so a configuration file may not have been read.
        """
        return self._open.config

    @property
    def context(self) -> Context:
        """What decoding and encoding may use: the stored objects of this remote, and the user's own types.

        Raises:
            ClosedError: It is not open yet.
        """
        return self._open.context

    @property
    def _open(self) -> Session:
        if self._session is None:
            reason = "this remote is not open: use `async with remote:` or `await remote.open()`"
            raise ClosedError(reason)
        return self._session

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open" if self._session else "not open"
        where = f"{self._session.config.endpoint}, " if self._session else ""
        return f"{type(self).__name__}({where}{state})"

    def _execution_id(self, name: str, project: str | None, domain: str | None) -> WorkflowExecutionIdentifier:
        from flyte_remote_async.policy.names import required

        required("the name of an execution", name)
        return WorkflowExecutionIdentifier(*self._place(project, domain), name)

    def _place(self, project: str | None, domain: str | None) -> tuple[str, str]:
        project, domain = project or self.config.project, domain or self.config.domain
        if not project or not domain:
            missing = " and ".join(word for word, value in (("project", project), ("domain", domain)) if not value)
            reason = f"no {missing}: name it in the call, or once with FlyteRemote.connect(…, project=…, domain=…)"
            raise ConfigError(reason)
        return project, domain


def _ready(config: Config) -> Callable[[], Awaitable[Config]]:
    async def configure() -> Config:
        return config

    return configure
