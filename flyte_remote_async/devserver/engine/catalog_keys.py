"""Under which names Flyte's catalog keeps the outputs of a task. Pure.

Source: flytepropeller ``nodes/catalog/datacatalog/transformer.go``, flyteplugins ``catalog/hashing.go`` and flytestdlib
``pbhash``, which hashes the JSON of a message as Ben Laurie's objecthash does.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, Final

import attrs
from flyteidl.core import catalog_pb2, identifier_pb2, literals_pb2

from flyte_remote_async.devserver.engine.types import bare_type

if TYPE_CHECKING:
    from collections.abc import Collection

    from flyteidl.core import interface_pb2, tasks_pb2
    from google.protobuf.message import Message

__all__ = ["CatalogKey", "catalog_key", "object_hash"]

_SHORT: Final = 8


@attrs.frozen
class CatalogKey:
    """Where the catalog keeps the outputs that a task has for some inputs.

    Attributes:
        project: Project of the task.
        domain: Domain of the task.
        dataset: Name of the task's dataset.
        version: Version of the dataset: the task's cache version and what its interface is.
        tag: What the inputs are.
    """

    project: str
    domain: str
    dataset: str
    version: str
    tag: str

    def metadata(self, artifact_id: str) -> catalog_pb2.CatalogMetadata:
        """Return what a node says of its entry in the catalog.

        Args:
            artifact_id: The entry.
        """
        found = catalog_pb2.CatalogMetadata()
        found.dataset_id.resource_type = identifier_pb2.DATASET
        found.dataset_id.project, found.dataset_id.domain = self.project, self.domain
        found.dataset_id.name, found.dataset_id.version = self.dataset, self.version
        found.artifact_tag.artifact_id, found.artifact_tag.name = artifact_id, self.tag
        return found


def catalog_key(task: tasks_pb2.TaskTemplate, inputs: literals_pb2.LiteralMap) -> CatalogKey | None:
    """Return where the outputs of a task are kept, or None for a task that is not cached.

    Args:
        task: The task.
        inputs: What it is given.
    """
    metadata, name = task.metadata, task.id
    version = metadata.discovery_version.strip(" ")
    if not metadata.discoverable or not version:
        return None
    sides = (_variables(task.interface.inputs), _variables(task.interface.outputs))
    signature = "-".join(_base64(object_hash(side))[:_SHORT] for side in sides)
    return CatalogKey(
        name.project,
        name.domain,
        f"flyte_task-{name.name}",
        f"{version}-{signature}",
        f"flyte_cached-{_base64(_inputs_hash(inputs, metadata.cache_ignore_input_vars))}",
    )


def _variables(declared: interface_pb2.VariableMap) -> Any:
    variables = {name: {"type": _json(bare_type(variable.type))} for name, variable in declared.variables.items()}
    return {"variables": variables} if variables else {}


def _inputs_hash(inputs: literals_pb2.LiteralMap, ignored: Collection[str]) -> bytes:
    counted = {name: _hashed(literal) for name, literal in inputs.literals.items() if name not in ignored}
    return object_hash(_json(literals_pb2.LiteralMap(literals=counted)))


def _hashed(literal: literals_pb2.Literal) -> literals_pb2.Literal:
    """Return a literal with the hashes that it has in place of the values they stand for."""
    if literal.hash:
        return literals_pb2.Literal(hash=literal.hash)
    match literal.WhichOneof("value"):
        case "collection":
            items = [_hashed(item) for item in literal.collection.literals]
            return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=items))
        case "map":
            entries = {key: _hashed(item) for key, item in literal.map.literals.items()}
            return literals_pb2.Literal(map=literals_pb2.LiteralMap(literals=entries))
        case _:
            return literal


def _json(message: Message) -> Any:
    from google.protobuf.json_format import MessageToDict  # seldom needed, and dear to import

    return MessageToDict(message)


def _base64(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def object_hash(value: Any) -> bytes:
    """Return the objecthash of a value of JSON, whose numbers are all floats."""
    match value:
        case None:
            return _digest(b"n", b"")
        case bool():
            return _digest(b"b", b"1" if value else b"0")
        case str():
            return _digest(b"u", value.encode())
        case int() | float():
            return _digest(b"f", _normalized(float(value)).encode())
        case list():
            return _digest(b"l", b"".join(map(object_hash, value)))
        case _:
            pairs = sorted(object_hash(key) + object_hash(item) for key, item in value.items())
            return _digest(b"d", b"".join(pairs))


def _digest(kind: bytes, content: bytes) -> bytes:
    return hashlib.sha256(kind + content).digest()


def _normalized(number: float) -> str:
    """Return a number as objecthash writes it: its sign, its exponent, and the bits of its fraction."""
    if number == 0:
        return "+0:"
    fraction, exponent = abs(number), 0
    while fraction > 1:
        fraction, exponent = fraction / 2, exponent + 1
    while fraction <= 0.5:  # noqa: PLR2004 - the half of one
        fraction, exponent = fraction * 2, exponent - 1
    bits = ""
    while fraction:
        bit = int(fraction >= 1)
        bits, fraction = bits + str(bit), (fraction - bit) * 2
    return f"{'-' if number < 0 else '+'}{exponent}:{bits}"
