"""Names of executions, and names that a request must have.

Flyte tests a name in lower case and then hands it to Kubernetes as it is, which refuses capitals and a hyphen at the
end; so those are refused here. Source: flyteadmin's ``execution_validator.go``, and RFC 1123 labels.
"""

from __future__ import annotations

import base64
import re
from typing import Final

__all__ = ["RANDOM_BYTES", "execution_name", "problem_of_name", "required"]

# 19 letters of five bits each.
RANDOM_BYTES: Final = 12
_LONGEST: Final = 63
_NAME: Final = r"[a-z]([a-z0-9-]*[a-z0-9])?"


def problem_of_name(name: str) -> str | None:
    """Return why Flyte cannot run an execution of that name; None when it can."""
    if len(name) > _LONGEST:
        return f"it has {len(name)} characters, and {_LONGEST} are the most"
    if not re.fullmatch(_NAME, name):
        return (
            "it must begin with a lower-case letter, go on with lower-case letters, digits and '-', and not end in '-'"
        )
    return None


def execution_name(randomness: bytes) -> str:
    """Return the name that random bytes make: ``a`` and 19 letters and digits, as Flyte makes its own."""
    return "a" + base64.b32encode(randomness).decode().lower()[:19]


def required(what: str, value: str) -> None:
    """Check a text that a request must have.

    Args:
        what: What it is, in words.
        value: The text.

    Raises:
        TypeError: It is no text.
        ValueError: It is empty.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} is a string, not {value!r}")
    if not value:
        raise ValueError(f"{what} is needed, and it is empty: is a variable not set?")
