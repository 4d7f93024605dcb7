"""How Flyte calls the nodes, attempts and objects of an execution. Pure.

Source: flytepropeller ``controller/nodes/common`` (unique ids of at most 20 characters) and ``nodes/task`` (names of
at most 50), flyteplugins ``encoding`` (FNV-1a in base 32) and ``ioutils`` (sharded paths of raw data).
"""

from __future__ import annotations

import base64
import re
import string
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from flyteidl.core import identifier_pb2

__all__ = [
    "BUCKET",
    "Place",
    "attempt_name",
    "checkpoint_uri",
    "child_execution_name",
    "deck_uri",
    "fixed_length_id",
    "label_value",
    "log_uri",
    "raw_output_prefix",
    "root_uri",
]

BUCKET: Final = "my-s3-bucket"
"""The only bucket, called as in Flyte's own sandbox."""

_NODE_ID_LIMIT: Final = 20
_ATTEMPT_NAME_LIMIT: Final = 50
_CHILD_NAME_LIMIT: Final = 20
_LABEL_LIMIT: Final = 63
_ALPHABET: Final = string.ascii_lowercase + "123456"
_SHARD: Final = string.ascii_lowercase + string.digits
_TO_FLYTE: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _ALPHABET)


# By the size of the hash in bytes: where FNV-1a starts, and what it multiplies with.
_FNV1A: Final = {4: (0x811C9DC5, 0x01000193), 8: (0xCBF29CE484222325, 0x00000100000001B3)}


def _fnv1a(text: str, size: int = 4) -> int:
    value, prime = _FNV1A[size]
    for byte in text.encode():
        value = ((value ^ byte) * prime) % (1 << 8 * size)
    return value


def fixed_length_id(name: str, limit: int, size: int = 4) -> str:
    """Return a name as it is, or ``f`` and its hash where it is longer than Flyte allows.

    Args:
        name: The full name.
        limit: The most characters that it may have.
        size: The size of the hash in bytes: 4 for seven characters, 8 for thirteen.
    """
    if len(name) <= limit:
        return name
    digest = base64.b32encode(_fnv1a(name, size).to_bytes(size, "big")).decode().rstrip("=")
    return "f" + digest.translate(_TO_FLYTE)


def attempt_name(execution: str, node_id: str, attempt: int) -> str:
    """Return the generated name of an attempt, which is the name of its pod on Kubernetes."""
    return fixed_length_id(f"{execution}-{node_id}-{attempt}", _ATTEMPT_NAME_LIMIT)


def child_execution_name(execution: str, node_id: str, attempt: int) -> str:
    """Return the name of the execution that a launch-plan node starts."""
    return fixed_length_id(f"{execution}-{node_id}-{attempt}", _CHILD_NAME_LIMIT, 8)


def label_value(name: str) -> str:
    """Return a name as Kubernetes takes it for the value of a label."""
    return re.sub(r"[^-a-z0-9]+", "-", name.lower())[:_LABEL_LIMIT].strip("-")


def raw_output_prefix(name: str, base: str = "") -> str:
    """Return the folder for the files, directories and tables that an attempt makes.

    Args:
        name: The generated name of the attempt.
        base: Where the execution wants them; empty for the usual place.
    """
    shard = _fnv1a(name) % len(_SHARD) ** 2
    first, second = divmod(shard, len(_SHARD))
    return f"{base.rstrip('/') or f's3://{BUCKET}/data'}/{_SHARD[first]}{_SHARD[second]}/{name}"


def checkpoint_uri(name: str, base: str = "") -> str:
    """Return where an attempt keeps its checkpoints.

    Args:
        name: The generated name of the attempt.
        base: Where the execution wants raw data; empty for the usual place.
    """
    return f"{raw_output_prefix(name, base)}/_flytecheckpoints"


def log_uri(namespace: str, name: str) -> str:
    """Return the link to the logs of an attempt, as a local Flyte builds it."""
    return f"http://localhost:30080/log/{namespace}/{name}/pod"


def root_uri(execution_id: identifier_pb2.WorkflowExecutionIdentifier) -> str:
    """Return the folder of an execution's inputs and outputs."""
    return f"s3://{BUCKET}/metadata/propeller/{execution_id.project}-{execution_id.domain}-{execution_id.name}"


def deck_uri(output_prefix: str) -> str:
    """Return where the deck of an attempt is that writes to a folder."""
    return f"{output_prefix}/deck.html"


@attrs.frozen
class Place:
    """Where a node stands in its execution: what it is called there and where its data lies.

    Attributes:
        node_id: The unique id in the execution.
        spec_id: The id in the workflow that defines it.
        parent_id: The unique id of the node that it is inside of; empty at the top level.
        retry_group: The attempt of the parent that it belongs to; empty at the top level.
        data_dir: The folder of its inputs; outputs are in a folder of it for each attempt.
        index: For an item of an array node: its place in the array; else None.
    """

    node_id: str
    spec_id: str
    parent_id: str
    retry_group: str
    data_dir: str
    index: int | None = None

    @classmethod
    def at_top(cls, root: str, spec_id: str) -> Place:
        """Return the place of a node of the top level.

        Args:
            root: The folder of the execution.
            spec_id: The id of the node in the workflow.
        """
        return cls(fixed_length_id(spec_id, _NODE_ID_LIMIT), spec_id, "", "", f"{root}/{spec_id}/data")

    def inside(self, spec_id: str, attempt: int = 0) -> Place:
        """Return the place of a node inside of this one.

        Args:
            spec_id: The id of the inner node in the workflow.
            attempt: The attempt of this node that it belongs to.
        """
        node_id = fixed_length_id(f"{self.node_id}-{attempt}-{spec_id}", _NODE_ID_LIMIT)
        return Place(node_id, spec_id, self.node_id, str(attempt), f"{self.data_dir}/{attempt}/{spec_id}")

    def item(self, index: int) -> Place:
        """Return the place of an item of this node, an array: its inputs are part of the array's.

        Args:
            index: Its place in the array.
        """
        inner = self.inside(f"n{index}")
        return Place(inner.node_id, inner.spec_id, self.node_id, "0", self.data_dir, index)

    @property
    def inputs_uri(self) -> str:
        """Where the inputs lie."""
        return f"{self.data_dir}/inputs.pb"

    def output_prefix(self, attempt: int = 0) -> str:
        """Return the folder that an attempt writes its outputs, errors and decks to."""
        if self.index is not None:
            return f"{self.data_dir}/0/{self.index}/{attempt}"
        return f"{self.data_dir}/{attempt}"

    def deck_uri(self, attempt: int = 0) -> str:
        """Return where an attempt leaves its deck."""
        return deck_uri(self.output_prefix(attempt))

    def outputs_uri(self, attempt: int = 0) -> str:
        """Return where the outputs of an attempt lie."""
        return f"{self.output_prefix(attempt)}/outputs.pb"
