"""What executions, nodes and attempts have in common: how far they are, how they ended, what went in and came out."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import attrs
from google.protobuf.message import Message

from flyte_remote_async.concurrency import Shared
from flyte_remote_async.errors import ExecutionFailedError, ExecutionNotDoneError, OutputsUnavailableError
from flyte_remote_async.executions.binding import bound
from flyte_remote_async.executions.tree import flatten, fold, rebuild
from flyte_remote_async.models.message import MessageValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flyte_remote_async.executions.binding import Remote
    from flyte_remote_async.executions.data import ExecutionData
    from flyte_remote_async.executions.tree import Part
    from flyte_remote_async.literals import Context
    from flyte_remote_async.models.literals import Literal, Variable
    from flyte_remote_async.models.outcomes import ExecutionError
    from flyte_remote_async.models.phases import OpenEnum
    from flyte_remote_async.resolver import LiteralsResolver, LoadedLiterals

__all__ = ["RemoteExecutionBase"]

M = TypeVar("M", bound=Message)


class _DataCell:
    """Inputs and outputs of one snapshot, asked for once however many of its values are awaited."""

    __slots__ = ("held", "read")

    def __init__(self, held: ExecutionData | None) -> None:
        self.held = held
        self.read: Shared[ExecutionData] = Shared()

    async def get(self, snapshot: RemoteExecutionBase[Any], side: str) -> ExecutionData:
        # Where storage failed one side, the next awaiter asks again.
        if self.held is not None and not isinstance(getattr(self.held, side), OutputsUnavailableError):
            return self.held
        remote = bound(snapshot._remote, snapshot.description, "load its data")  # noqa: SLF001 - its own cell

        async def read() -> ExecutionData:
            self.held = await remote.load_data(snapshot)
            return self.held

        return await self.read.get(read)


@attrs.frozen(init=False, eq=False, repr=False)
class RemoteExecutionBase(MessageValue[M], ABC, Generic[M]):
    """An execution, a node of one, or an attempt of a task, as it was at the moment when it was read.

    Snapshots never change. They compare by content, their trees included; hash by identity; pickle without their
    remote; and can be shared between tasks.
    """

    _remote: Remote | None = attrs.field(default=None, kw_only=True)
    _data_read: ExecutionData | None = attrs.field(default=None, kw_only=True)

    # --- what a subclass tells ----------------------------------------------------------------------------------

    @property
    @abstractmethod
    def description(self) -> str:
        """What this is, in words, such as ``"execution flytesnacks/development/a7nc5pjkw55rps4rlv74"``."""

    @property
    @abstractmethod
    def is_done(self) -> bool:
        """Whether it has ended, well or not."""

    @property
    @abstractmethod
    def is_successful(self) -> bool:
        """Whether it has ended well."""

    @property
    @abstractmethod
    def _phase(self) -> OpenEnum: ...

    @property
    @abstractmethod
    def _closure_error(self) -> ExecutionError | None: ...

    @abstractmethod
    def _record(self) -> tuple[Any, ...]: ...

    @abstractmethod
    def _parts(self) -> tuple[Part, ...]: ...

    @classmethod
    @abstractmethod
    def _assemble(cls, record: tuple[Any, ...], parts: Sequence[Any]) -> Self: ...

    @abstractmethod
    def _to_dict(self, parts: list[dict[str, Any]]) -> dict[str, Any]: ...

    # --- how it ended -------------------------------------------------------------------------------------------

    @property
    def error(self) -> ExecutionError | None:
        """The error that it ended with; None when there was none.

        An execution that was aborted has no error of Flyte's: see ``closure.abort_metadata``.

        Raises:
            ExecutionNotDoneError: It has not ended yet.
        """
        self._require_done("error")
        return self._closure_error

    def _require_done(self, member: str) -> None:
        if self.is_done:
            return
        reason = (
            f"{self.description} is {self._phase.name} and has no {member} yet; "
            "please wait until it has completed: `await execution.wait()`"
        )
        raise ExecutionNotDoneError(reason)

    # --- what went in and came out ------------------------------------------------------------------------------

    @property
    def inputs(self) -> LiteralsResolver:
        """The inputs; they are brought when one is first awaited."""
        return self._inputs

    @property
    def outputs(self) -> LiteralsResolver:
        """The outputs; they are brought when one is first awaited. It is the same resolver every time.

        Raises:
            ExecutionNotDoneError: It has not ended yet.
            ExecutionFailedError: It ended without outputs: it failed, was aborted, timed out or was skipped.
        """
        self._require_done("outputs")
        if not self.is_successful:
            error = self._closure_error
            raise ExecutionFailedError(
                self.description,
                self._phase.name,
                error.code if error else "",
                error.message if error else self._abort_cause,
            )
        return self._outputs

    @property
    def _abort_cause(self) -> str:
        return ""

    @property
    def type_hints(self) -> Mapping[str, Any] | None:
        """Output name to the Python type that its value is decoded as, where they were given."""
        return None

    @functools.cached_property
    def _data_cell(self) -> _DataCell:
        return _DataCell(self._data_read)

    @functools.cached_property
    def _inputs(self) -> LiteralsResolver:
        from flyte_remote_async.resolver import LiteralsResolver

        async def load() -> LoadedLiterals:
            data = await self._data_cell.get(self, "inputs")
            return _loaded(data.inputs, data.input_types)

        return LiteralsResolver.lazy(load, what=f"inputs of {self.description}", context=self._context)

    @functools.cached_property
    def _outputs(self) -> LiteralsResolver:
        from flyte_remote_async.resolver import LiteralsResolver

        async def load() -> LoadedLiterals:
            data = await self._data_cell.get(self, "outputs")
            return _loaded(data.outputs, data.output_types)

        return LiteralsResolver.lazy(
            load, what=f"outputs of {self.description}", type_hints=self.type_hints, context=self._context
        )

    @property
    def _context(self) -> Context | None:
        return None if self._remote is None else self._remote.context

    # --- as a value ---------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return the snapshot with its tree as JSON-ready data; the shape is on the docs page "Snapshots".

        Phases are names, times are RFC 3339 strings in UTC, durations are seconds. What was not read is None.
        """
        return fold(self, _part_to_dict)

    def tree(self) -> str:
        """Return the snapshot with what was read below it as an outline, in lines of text.

        A notebook shows the same as HTML, and a rich console in colours: the first 400 entries, and how many more
        there are.
        """
        from flyte_remote_async.executions.outline import as_text

        return as_text(self)  # type: ignore[arg-type] # there are three classes of snapshots

    def __rich__(self) -> Any:
        from flyte_remote_async.executions.outline import as_rich

        return as_rich(self)  # type: ignore[arg-type] # there are three classes of snapshots

    def _repr_html_(self) -> str:
        from flyte_remote_async.executions.outline import as_html

        return as_html(self)  # type: ignore[arg-type] # there are three classes of snapshots

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RemoteExecutionBase) or type(other) is not type(self):
            return NotImplemented
        return self is other or flatten(self) == flatten(other)

    @abstractmethod
    def __hash__(self) -> int: ...

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild, (flatten(self),)


def _part_to_dict(snapshot: RemoteExecutionBase[Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    return snapshot._to_dict(parts)  # noqa: SLF001 - its own class


def _loaded(
    literals: Mapping[str, Literal] | OutputsUnavailableError, types: Mapping[str, Variable] | None
) -> LoadedLiterals:
    if isinstance(literals, OutputsUnavailableError):
        raise literals
    return literals, types
