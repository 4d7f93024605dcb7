"""What the catalog keeps: the outputs of tasks that are cached, as datacatalog has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteidl.datacatalog import datacatalog_pb2

from flyte_remote_async.devserver.store import rows
from flyte_remote_async.devserver.store.sql import insert, select, upsert

if TYPE_CHECKING:
    from flyte_remote_async.devserver.store.database import Database
    from flyte_remote_async.devserver.store.rows import Row

__all__ = ["Artifacts"]


class Artifacts:
    """The datasets and the tagged artifacts of a store; part of :class:`Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(
        self, dataset_id: datacatalog_pb2.DatasetID, tag: str
    ) -> tuple[datacatalog_pb2.Dataset, datacatalog_pb2.Artifact] | None:
        """Return the artifact that has a tag, and its dataset; None where there is none.

        Args:
            dataset_id: The dataset.
            tag: The name of the tag.
        """
        dataset = await self._message("datasets", _key(dataset_id))
        artifact = await self._message("artifacts", _key(dataset_id, tag))
        if dataset is None or artifact is None:
            return None
        return datacatalog_pb2.Dataset.FromString(dataset), datacatalog_pb2.Artifact.FromString(artifact)

    async def add(
        self, dataset: datacatalog_pb2.Dataset, artifact: datacatalog_pb2.Artifact, tag: str, *, replace: bool = False
    ) -> None:
        """Keep an artifact under a tag; a dataset that is there stays as it is.

        Args:
            dataset: The dataset.
            artifact: The artifact.
            tag: The name of the tag.
            replace: Whether it takes the place of an artifact that has the tag; otherwise that one keeps it.
        """
        key = _key(dataset.id, tag)
        row = key | {"message": artifact.SerializeToString()}
        kept = _key(dataset.id) | {"message": dataset.SerializeToString()}
        tagged = upsert("artifacts", ("owner",), row) if replace else insert("artifacts", row)
        await self._database.write([insert("datasets", kept), tagged])

    async def _message(self, table: str, key: Row) -> bytes | None:
        found = await self._database.column(select(table, '"message"', key))
        return found[0] if found else None


def _key(dataset_id: datacatalog_pb2.DatasetID, *tag: str) -> Row:
    parts = (dataset_id.project, dataset_id.domain, dataset_id.name, dataset_id.version, *tag)
    return {"owner": rows.owner(*parts)}
