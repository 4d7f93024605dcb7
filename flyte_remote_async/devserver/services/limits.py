"""What Flyte does not show: literals that are larger than it reads from its store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.core import literals_pb2

if TYPE_CHECKING:
    from flyte_remote_async.devserver.store import Data

__all__ = ["READ_LIMIT", "readable"]

READ_LIMIT: Final = 2 << 20
"""Bytes that Flyte reads of an object unless ``storage.limits.maxDownloadMBs`` says otherwise."""


def readable(data: Data, limit: int) -> tuple[literals_pb2.LiteralMap, literals_pb2.LiteralMap]:
    """Return the inputs and outputs that Flyte would show: a side that it cannot read is empty, and no error.

    Args:
        data: What there is.
        limit: The most bytes of a side; 0 is without limit.
    """
    inputs, outputs = (
        literals_pb2.LiteralMap() if limit and side.ByteSize() > limit else side for side in (data.inputs, data.outputs)
    )
    return inputs, outputs
