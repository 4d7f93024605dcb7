"""Signals, for which gate nodes wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteidl.admin import signal_pb2

from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.devserver.services.expected_inputs import shown_type
from flyte_remote_async.devserver.services.listing import check_limit, page, query
from flyte_remote_async.devserver.services.refusals import check_fields, duplicate, missing
from flyte_remote_async.devserver.store.filters import equals
from flyte_remote_async.devserver.store.rows import execution_key
from flyte_remote_async.devserver.validators.typecheck import castable
from flyte_remote_async.errors import InvalidArgumentError, UnknownError
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyteidl.core import identifier_pb2

    from flyte_remote_async.devserver.faces.dispatch import Registry
    from flyte_remote_async.devserver.store import Store

__all__ = ["SignalService"]


class SignalService:
    """The RPCs of the signal service.

    Args:
        store: Where signals are.
        told: Called with each signal that was set.
    """

    def __init__(self, store: Store, told: Callable[[identifier_pb2.SignalIdentifier], None]) -> None:
        self._store = store
        self._told = told

    def register(self, registry: Registry) -> None:
        """Add the RPCs of this service."""
        registry.add(methods.GET_OR_CREATE_SIGNAL, self.get_or_create)
        registry.add(methods.LIST_SIGNALS, self.list)
        registry.add(methods.SET_SIGNAL, self.set)

    async def get_or_create(self, request: signal_pb2.SignalGetOrCreateRequest) -> signal_pb2.Signal:
        """Serve GetOrCreateSignal; one of another type is refused."""
        _check(request)
        if not request.HasField("type"):
            raise missing("type")
        signal = signal_pb2.Signal(id=request.id, type=request.type)
        if await self._store.add_signal(signal):
            return signal
        found = await self._store.get_signal(request.id)
        if found is None or found.type != request.type:
            raise duplicate("signals")
        return found

    async def list(self, request: signal_pb2.SignalListRequest) -> signal_pb2.SignalList:
        """Serve ListSignals."""
        run = request.workflow_execution_id
        if not (run.project and run.domain and run.name):
            raise missing("execution_id")
        check_limit(request)
        asked = query("ListSignals", "signals", request, equals("signals", **execution_key(run)))
        signals, token = await page(self._store, asked, signal_pb2.Signal)
        return signal_pb2.SignalList(signals=signals, token=token)

    async def set(self, request: signal_pb2.SignalSetRequest) -> signal_pb2.SignalSetResponse:
        """Serve SetSignal: the last value wins; a signal exists once its gate is reached."""
        _check(request)
        if not request.HasField("value"):
            raise missing("value")
        found = await self._existing(request.id)
        if not castable(found.type, shown_type("", request.value)):
            kind = " ".join(map(str, found.type.SerializeToString()))
            raise InvalidArgumentError(
                f"requested signal value [{prototext(request.value)}] is not castable to "
                f"existing signal type [[{kind}]]"
            )
        found.value.CopyFrom(request.value)
        await self._store.put_signal(found)
        self._told(found.id)
        return signal_pb2.SignalSetResponse()

    async def _existing(self, identifier: identifier_pb2.SignalIdentifier) -> signal_pb2.Signal:
        reason = "signal does not exist"
        try:
            found = await self._store.get_signal(identifier)
        except UnknownError as error:  # of the database
            found, reason = None, error.details
        if found is None:
            run = identifier.execution_id
            named = f"{{{{{run.project} {run.domain} {run.name}}} {identifier.signal_id}}}"
            raise InvalidArgumentError(f"failed to validate that signal [{named}] exists, err: [{reason}]")
        return found


def _check(request: signal_pb2.SignalGetOrCreateRequest | signal_pb2.SignalSetRequest) -> None:
    if not request.HasField("id"):
        raise missing("id")
    identifier: identifier_pb2.SignalIdentifier = request.id
    if not identifier.HasField("execution_id"):
        raise missing("execution_id")
    check_fields(identifier, "signal_id")
    check_fields(identifier.execution_id, "project", "domain", "name")
