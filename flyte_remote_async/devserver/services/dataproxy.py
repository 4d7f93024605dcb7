"""The data proxy: data by its flyte:// address. Signed URLs are not served."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from flyteidl.core import identifier_pb2
from flyteidl.service import dataproxy_pb2
from google.protobuf.duration_pb2 import Duration

from flyte_remote_async.devserver.filters import equals
from flyte_remote_async.devserver.prototext import prototext
from flyte_remote_async.devserver.services.refusals import absent
from flyte_remote_async.devserver.store import Query
from flyte_remote_async.devserver.store.rows import node_key
from flyte_remote_async.errors import InvalidArgumentError, NotFoundError, UnimplementedError
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from flyteidl.core import literals_pb2

    from flyte_remote_async.devserver.dispatch import Registry
    from flyte_remote_async.devserver.store import Data, Store

__all__ = ["DataProxyService"]

_WORD: Final = "[a-zA-Z0-9_-]+"
_ADDRESS: Final = re.compile(
    rf"flyte://v1/(?P<project>{_WORD})/(?P<domain>{_WORD})/(?P<name>{_WORD})/(?P<node>{_WORD})"
    rf"(?:/(?P<attempt>[0-9]+))?/(?:(?P<side>[io])(?:/(?P<variable>{_WORD}))?|(?P<deck>d))$"
)
_LONGEST_LIFE: Final = Duration(seconds=3600)


class DataProxyService:
    """The RPCs of the data proxy that need no object store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def register(self, registry: Registry) -> None:
        """Add the RPCs of this service."""
        registry.add(methods.GET_DATA, self.get)
        registry.add(methods.CREATE_DOWNLOAD_LINK, self.link)

    async def get(self, request: dataproxy_pb2.GetDataRequest) -> dataproxy_pb2.GetDataResponse:
        """Serve GetData: the inputs or outputs of a node or an attempt, all of them or one by name."""
        parts = _parse(request.flyte_url)
        run = identifier_pb2.WorkflowExecutionIdentifier(
            project=parts["project"], domain=parts["domain"], name=parts["name"]
        )
        node = identifier_pb2.NodeExecutionIdentifier(node_id=parts["node"] or "", execution_id=run)
        if parts["deck"]:
            asked = dataproxy_pb2.CreateDownloadLinkRequest(
                artifact_type=dataproxy_pb2.ARTIFACT_TYPE_DECK, node_execution_id=node
            )
            return dataproxy_pb2.GetDataResponse(pre_signed_urls=(await self.link(asked)).pre_signed_urls)
        if parts["attempt"] is None:
            data, owner = await self._of_node(node), f"node execution [{prototext(node)}]"
        else:
            data, owner = await self._of_attempt(node, int(parts["attempt"])), f"task execution [{prototext(node)}]"
        side: literals_pb2.LiteralMap = data.inputs if parts["side"] == "i" else data.outputs
        variable = parts["variable"]
        if variable is None:
            return dataproxy_pb2.GetDataResponse(literal_map=side)
        if variable not in side.literals:
            raise InvalidArgumentError(f"name [{variable}] not found in {owner}")
        return dataproxy_pb2.GetDataResponse(literal=side.literals[variable])

    async def link(self, request: dataproxy_pb2.CreateDownloadLinkRequest) -> dataproxy_pb2.CreateDownloadLinkResponse:
        """Serve CreateDownloadLink as far as there is no deck to link to."""
        asked = dataproxy_pb2.CreateDownloadLinkRequest(expires_in=_LONGEST_LIFE)
        asked.MergeFrom(request)
        if asked.artifact_type == dataproxy_pb2.ARTIFACT_TYPE_UNDEFINED:
            raise InvalidArgumentError(
                "error while validating request: invalid artifact type [ARTIFACT_TYPE_UNDEFINED]"
            )
        if not asked.HasField("node_execution_id"):
            raise InvalidArgumentError("error while validating request: source is required. Provided nil")
        node = await self._store.get_node(asked.node_execution_id)
        if node is None:
            raise absent("node execution", asked.node_execution_id)
        if not node.closure.deck_uri:
            raise NotFoundError(f"no deckUrl found for request [{prototext(asked)}]")
        raise UnimplementedError("the devserver does not serve CreateDownloadLink: it signs no URLs")

    async def _of_node(self, node: identifier_pb2.NodeExecutionIdentifier) -> Data:
        if await self._store.get_node(node) is None:
            raise absent("node execution", node)
        return await self._store.get_node_data(node)

    async def _of_attempt(self, node: identifier_pb2.NodeExecutionIdentifier, number: int) -> Data:
        # The address does not say which task the node ran.
        from flyteidl.admin import task_execution_pb2

        where = equals("task_executions", **node_key(node), retry_attempt=number)
        found = await self._store.page(Query("task_executions", where, limit=1))
        if not found:
            attempt = identifier_pb2.TaskExecutionIdentifier(node_execution_id=node, retry_attempt=number)
            raise InvalidArgumentError(f"no task executions were listed [{prototext(attempt)}]. Error: <nil>")
        return await self._store.get_attempt_data(task_execution_pb2.TaskExecution.FromString(found[0]).id)


def _parse(url: str) -> dict[str, str | None]:
    refusal = "failed to validate resolve artifact request. Error: "
    if not url:
        raise InvalidArgumentError(refusal + "source is required. Provided empty string")
    if not url.startswith("flyte://"):
        raise InvalidArgumentError(refusal + "request does not start with the correct prefix")
    match = _ADDRESS.search(url)
    if match is None:
        raise InvalidArgumentError(f"failed to parse artifact url Error: failed to parse [{url}]")
    return match.groupdict()
