"""The verbs of a remote that answer gate nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyte_remote_async.remote.connection import Connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async.models.signals import Signal

__all__ = ["SignalVerbs"]


class SignalVerbs(Connection):
    """The verbs about signals. A signal exists from the moment when its gate node is reached; the last value counts."""

    async def approve(
        self, signal_id: str, execution_name: str, project: str | None = None, domain: str | None = None
    ) -> None:
        """Let an execution go on that waits for approval.

        Args:
            signal_id: What the signal is called, as in ``SignalWanted.signal_id``.
            execution_name: The name of the execution.
            project: Its project; None is the remote's.
            domain: Its domain; None is the remote's.

        Raises:
            InvalidArgumentError: The gate is not reached yet, or it waits for something else.
            RPCError: The call did not succeed.

        Example:
            ```python
            async for event in execution.watch():
                if isinstance(event, SignalWanted):
                    await remote.approve(event.signal_id, event.execution_id.name)
            ```
        """
        await self._decide(signal_id, execution_name, project, domain, is_approved=True)

    async def reject(
        self, signal_id: str, execution_name: str, project: str | None = None, domain: str | None = None
    ) -> None:
        """Let the gate of an execution fail that waits for approval; arguments and errors as :meth:`approve`."""
        await self._decide(signal_id, execution_name, project, domain, is_approved=False)

    async def set_input(
        self,
        signal_id: str,
        execution_name: str,
        value: Any,
        project: str | None = None,
        domain: str | None = None,
        *,
        python_type: Any = None,
    ) -> None:
        """Give an execution the value that one of its gate nodes waits for.

        The type that is waited for is read first, so that a value of another type is refused before it is sent.

        Args:
            signal_id: What the signal is called, as in ``SignalWanted.signal_id``.
            execution_name: The name of the execution.
            value: A Python value, or a ready ``Literal``, which is sent as it is.
            project: Its project; None is the remote's.
            domain: Its domain; None is the remote's.
            python_type: The type of the value, where the value alone does not tell.

        Raises:
            NotFoundError: The gate is not reached yet.
            InvalidInputsError: The value is not of the type that is waited for.
            InvalidArgumentError: The control plane does not take the literal.
            RPCError: A call did not succeed.

        Example:
            ```python
            await remote.set_input("number", execution.id.name, 42)
            ```
        """
        from flyte_remote_async.operations.signals import set_input

        id = self._execution_id(execution_name, project, domain)
        await set_input(self._open, id, signal_id, value, python_type)

    async def list_signals(
        self, execution_name: str, project: str | None = None, domain: str | None = None
    ) -> AsyncIterator[Signal]:
        """Yield the signals of an execution, those that were given and those that are waited for.

        Args:
            execution_name: The name of the execution.
            project: Its project; None is the remote's.
            domain: Its domain; None is the remote's.

        Raises:
            RPCError: The call did not succeed.
        """
        from flyte_remote_async.models.signals import Signal

        for message in await self._open.reader.signals(self._execution_id(execution_name, project, domain)):
            yield Signal.from_flyte_idl(message)

    async def _decide(
        self, signal_id: str, execution_name: str, project: str | None, domain: str | None, *, is_approved: bool
    ) -> None:
        from flyte_remote_async.operations.signals import decide

        id = self._execution_id(execution_name, project, domain)
        await decide(self._open, id, signal_id, is_approved=is_approved)
