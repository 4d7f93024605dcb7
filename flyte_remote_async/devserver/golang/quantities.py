"""Amounts of resources as Kubernetes writes them: ``"500m"``, ``"1Gi"``, ``"2e3"``.

Source: k8s.io/apimachinery/pkg/api/resource.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

__all__ = ["QuantityError", "parse_quantity"]

_FORM: Final = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]+))?")
_PREFIXES: Final = "kMGTPE"
_BINARY_PREFIXES: Final = "KMGTPE"
_LONGEST_EXPONENT: Final = 9


class QuantityError(ValueError):
    """Raised for a text that is no quantity; its own text is Kubernetes'."""


def parse_quantity(text: str) -> Decimal:
    """Return the number that a quantity stands for.

    Raises:
        QuantityError: The text is no quantity.
    """
    found = _FORM.fullmatch(text)
    if found is None or len(found[3] or "") > _LONGEST_EXPONENT:
        raise QuantityError(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    number, suffix, exponent = found.groups()
    return Decimal(number) * _factor(suffix) if exponent is None else Decimal(number).scaleb(int(exponent))


def _factor(suffix: str | None) -> Decimal:
    if not suffix:
        return Decimal(1)
    if suffix.endswith("i"):
        return Decimal(1024) ** (_BINARY_PREFIXES.index(suffix[0]) + 1)
    if suffix in _PREFIXES:
        return Decimal(1000) ** (_PREFIXES.index(suffix) + 1)
    return Decimal(1).scaleb({"m": -3, "u": -6, "n": -9}[suffix])
