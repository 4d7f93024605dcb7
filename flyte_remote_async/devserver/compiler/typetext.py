"""Types as Flyte's compiler writes them into its messages.

Source: flytepropeller/pkg/compiler/common/pretty_print.go of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteidl.core import types_pb2

from flyte_remote_async.devserver.golang.prototext import prototext

if TYPE_CHECKING:
    from flyteidl.core.types_pb2 import LiteralType

__all__ = ["type_text"]


def type_text(declared: LiteralType) -> str:
    """Return the text of a type; of a structure only its fields."""
    if declared.simple != types_pb2.STRUCT:
        return prototext(declared)
    fields = declared.structure.dataclass_type
    # The braces do not close; that is how Flyte writes it.
    told = (f"dataclass_type:{{key:{name} value:{{{type_text(fields[name])}}}" for name in sorted(fields))
    return f"simple: STRUCT structure{{{', '.join(told)}}}"
