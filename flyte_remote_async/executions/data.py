"""What goes into an execution, node or attempt, and what comes out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.errors import OutputsUnavailableError
    from flyte_remote_async.models.literals import Literal, Variable

__all__ = ["ExecutionData"]


@attrs.frozen
class ExecutionData:
    """Inputs and outputs of an execution, node or attempt.

    Attributes:
        inputs: The literals that went in, by name; the error, where no source gives them.
        outputs: The literals that came out, by name; the error, where no source gives them.
        input_types: The declared inputs; None when the interface is not known.
        output_types: The declared outputs; None when the interface is not known.
    """

    inputs: Mapping[str, Literal] | OutputsUnavailableError
    outputs: Mapping[str, Literal] | OutputsUnavailableError
    input_types: Mapping[str, Variable] | None = None
    output_types: Mapping[str, Variable] | None = None
