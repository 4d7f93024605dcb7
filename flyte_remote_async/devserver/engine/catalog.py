"""The cache: what tasks gave before is given again, with datacatalog's semantics.

Source: flytepropeller ``controller/nodes/cache.go`` and ``nodes/catalog/datacatalog/datacatalog.go``.
"""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING

import anyio
import attrs
from flyteidl.core import catalog_pb2, identifier_pb2, literals_pb2
from flyteidl.datacatalog import datacatalog_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.engine.catalog_keys import CatalogKey
    from flyte_remote_async.devserver.store.artifacts import Artifacts

__all__ = ["CacheNote", "Catalog", "Hit"]


@attrs.frozen
class CacheNote:
    """What a node says of its cache.

    Attributes:
        status: A CatalogCacheStatus.
        key: The entry.
    """

    status: catalog_pb2.CatalogCacheStatus
    key: catalog_pb2.CatalogMetadata


@attrs.frozen
class Hit:
    """An entry that was found.

    Attributes:
        outputs: What the task gave.
        note: What the node says of it.
    """

    outputs: literals_pb2.LiteralMap
    note: CacheNote


@attrs.define
class _Reservation:
    """One key of a serialized task: who holds it, and how many want it."""

    lock: anyio.Lock = attrs.field(factory=anyio.Lock)
    users: int = 0


class Catalog:
    """The cache of an engine.

    Args:
        artifacts: Where the entries are kept.
        clock: What entries are dated with.
    """

    def __init__(self, artifacts: Artifacts, clock: Clock) -> None:
        self._artifacts = artifacts
        self._clock = clock
        self._reservations: dict[CatalogKey, _Reservation] = {}

    async def look_up(self, key: CatalogKey, task_id: identifier_pb2.Identifier) -> Hit | None:
        """Return what is kept under a key, or None.

        Args:
            key: The key.
            task_id: The task that asks; the entry may come from another version of it.
        """
        found = await self._artifacts.find(_dataset_id(key), key.tag)
        if found is None:
            return None
        dataset, artifact = found
        metadata = key.metadata(artifact.id)
        metadata.source_task_execution.CopyFrom(_source(dataset.metadata, artifact.metadata, task_id))
        outputs = literals_pb2.LiteralMap(literals={part.name: part.value for part in artifact.data})
        return Hit(outputs, CacheNote(catalog_pb2.CACHE_HIT, metadata))

    async def populate(
        self,
        key: CatalogKey,
        outputs: literals_pb2.LiteralMap,
        source: identifier_pb2.TaskExecutionIdentifier,
        *,
        overwrite: bool,
    ) -> CacheNote:
        """Keep what a task gave; an entry that is there stays, unless it is to be overwritten.

        Args:
            key: The key.
            outputs: What the task gave.
            source: The attempt that gave it.
            overwrite: Whether it replaces what is there.
        """
        dataset_id = _dataset_id(key)
        before = await self._artifacts.find(dataset_id, key.tag) if overwrite else None
        dataset = datacatalog_pb2.Dataset(id=dataset_id)
        dataset.metadata.key_map["task-version"] = source.task_id.version
        artifact = datacatalog_pb2.Artifact(id=before[1].id if before else str(uuid.uuid4()), dataset=dataset_id)
        artifact.created_at.FromDatetime(self._clock.now())
        artifact.metadata.key_map.update(_artifact_metadata(source))
        for name, value in outputs.literals.items():
            artifact.data.add(name=name, value=value)
        artifact.tags.add(name=key.tag, artifact_id=artifact.id, dataset=dataset_id)
        await self._artifacts.add(dataset, artifact, key.tag, replace=overwrite)
        metadata = key.metadata(artifact.id)
        if overwrite:
            metadata.source_task_execution.CopyFrom(source)
        return CacheNote(catalog_pb2.CACHE_POPULATED, metadata)

    @contextlib.asynccontextmanager
    async def reserved(self, key: CatalogKey) -> AsyncIterator[bool]:
        """Hold the reservation of a key, as one task at a time may that is serialized.

        Yields:
            Whether another held it before, so that the outputs may be there by now.
        """
        reservation = self._reservations.setdefault(key, _Reservation())
        waited = reservation.users > 0
        reservation.users += 1
        try:
            async with reservation.lock:
                yield waited
        finally:
            reservation.users -= 1
            if not reservation.users:
                del self._reservations[key]


def _dataset_id(key: CatalogKey) -> datacatalog_pb2.DatasetID:
    return datacatalog_pb2.DatasetID(project=key.project, domain=key.domain, name=key.dataset, version=key.version)


def _artifact_metadata(source: identifier_pb2.TaskExecutionIdentifier) -> dict[str, str]:
    execution = source.node_execution_id.execution_id
    return {
        "exec-project": execution.project,
        "exec-domain": execution.domain,
        "execution-name": execution.name,
        "exec-node": source.node_execution_id.node_id,
        "exec-attempt": str(source.retry_attempt),
    }


def _source(
    dataset: datacatalog_pb2.Metadata, artifact: datacatalog_pb2.Metadata, task_id: identifier_pb2.Identifier
) -> identifier_pb2.TaskExecutionIdentifier:
    """Return the attempt that an entry comes from, as datacatalog remembers it."""
    known = artifact.key_map
    source = identifier_pb2.TaskExecutionIdentifier(task_id=task_id)
    # The dataset remembers the version of the task that made it first, and not that of each entry.
    source.task_id.version = dataset.key_map.get("task-version", "unknown")
    source.retry_attempt = int(known.get("exec-attempt", "0"))
    source.node_execution_id.node_id = known.get("exec-node", "unknown")
    execution = source.node_execution_id.execution_id
    execution.project = known.get("exec-project", task_id.project)
    execution.domain = known.get("exec-domain", task_id.domain)
    execution.name = known.get("execution-name", "unknown")
    return source
