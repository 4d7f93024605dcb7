"""Which names and labels Kubernetes takes, what it says of the others, and what it makes names of.

Source: k8s.io/apimachinery/pkg/util (validation, rand), which flyteadmin asks.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

__all__ = ["dns_label_problems", "label_key_problems", "label_value_problems", "random_name"]

_LONGEST: Final = 63
_LONGEST_SUBDOMAIN: Final = 253
_DNS_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"
_NAME: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE: Final = f"({_NAME})?"
_ENDS: Final = "and must start and end with an alphanumeric character"
_LETTERS: Final = f"alphanumeric characters, '-', '_' or '.', {_ENDS}"


# No vowels, and no digits that look like vowels: so no name becomes a word.
_NAME_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"


def random_name(length: int) -> str:
    """Return a name of so many letters and digits."""
    return "".join(secrets.choice(_NAME_LETTERS) for _ in range(length))


def dns_label_problems(text: str) -> list[str]:
    """Return what is wrong with a DNS label such as the name of a namespace."""
    words = f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {_ENDS}"
    if "." in text and re.fullmatch(_SUBDOMAIN, text):
        return [*_too_long(text, _LONGEST), "must not contain dots"]
    return _too_long(text, _LONGEST) + _mismatch(text, _DNS_LABEL, words, "my-name", "123-abc")


def label_key_problems(key: str) -> list[str]:
    """Return what is wrong with the key of a label."""
    words = f"must consist of {_LETTERS}"
    examples = ("MyName", "my.name", "123-abc")
    *prefixes, name = key.split("/")
    if len(prefixes) > 1:
        optional = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return [f"a qualified name {_told(words, _NAME, *examples)}{optional}"]
    problems = [f"prefix part {problem}" for prefix in prefixes for problem in _prefix_problems(prefix)]
    found = _too_long(name, _LONGEST) if name else ["must be non-empty"]
    found += _mismatch(name, _NAME, words, *examples)
    return problems + [f"name part {problem}" for problem in found]


def label_value_problems(value: str) -> list[str]:
    """Return what is wrong with the value of a label."""
    words = f"a valid label must be an empty string or consist of {_LETTERS}"
    return _too_long(value, _LONGEST) + _mismatch(value, _VALUE, words, "MyValue", "my_value", "12345")


def _prefix_problems(prefix: str) -> list[str]:
    if not prefix:
        return ["must be non-empty"]
    words = f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', {_ENDS}"
    return _too_long(prefix, _LONGEST_SUBDOMAIN) + _mismatch(prefix, _SUBDOMAIN, words, "example.com")


def _too_long(text: str, longest: int) -> list[str]:
    return [f"must be no more than {longest} characters"] if len(text.encode()) > longest else []


def _mismatch(text: str, pattern: str, words: str, *examples: str) -> list[str]:
    return [] if re.fullmatch(pattern, text) else [_told(words, pattern, *examples)]


def _told(words: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{words} (e.g. {shown}regex used for validation is '{pattern}')"
