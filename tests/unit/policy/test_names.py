"""Names of executions."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.policy.names import RANDOM_BYTES, execution_name, problem_of_name

# Kubernetes' own words for a label of RFC 1123.
RFC_1123_LABEL = re.compile(r"\A[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")


@given(st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES))
def test_every_made_name_is_legal_and_looks_like_those_of_flyte(randomness: bytes) -> None:
    name = execution_name(randomness)
    assert problem_of_name(name) is None
    assert re.fullmatch(r"a[a-z0-9]{19}", name)


@given(st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES), st.integers(0, 94))
def test_each_of_the_first_95_bits_makes_another_name(randomness: bytes, bit: int) -> None:
    number = int.from_bytes(randomness) ^ 1 << (8 * RANDOM_BYTES - 1 - bit)
    assert execution_name(number.to_bytes(RANDOM_BYTES)) != execution_name(randomness)


def test_the_bits_come_back_out_of_a_name() -> None:
    randomness = bytes(range(RANDOM_BYTES))
    digits = execution_name(randomness)[1:].upper()
    assert base64.b32decode(digits + "A====").startswith(randomness[: RANDOM_BYTES - 1])


@pytest.mark.parametrize("name", ["a", "z", "a1", "a-1", "a--b", "x" * 63, "a7nc5pjkw55rps4rlv74", "my-run-2025-01-01"])
def test_good_names(name: str) -> None:
    assert problem_of_name(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1a",
        "-a",
        "a-",
        "-",
        "A",
        "aB",
        "a_b",
        "a.b",
        "a b",
        " a",
        "a ",
        "a\n",
        "a/b",
        "é",
        "aé",
        "a\u0661",
        "a\0",
        "a\u0131",
    ],
)
def test_bad_names(name: str) -> None:
    problem = problem_of_name(name)
    assert problem is not None
    assert problem.startswith("it must begin with a lower-case letter")


def test_a_name_that_is_too_long_tells_its_length() -> None:
    assert problem_of_name("x" * 64) == "it has 64 characters, and 63 are the most"


@given(st.one_of(st.text(max_size=70), st.from_regex(r"[a-z0-9-]{0,70}", fullmatch=True)))
def test_what_is_legal_is_a_label_of_kubernetes_that_begins_with_a_letter(name: str) -> None:
    legal = len(name) <= 63 and bool(RFC_1123_LABEL.match(name)) and not name[0].isdigit()
    assert (problem_of_name(name) is None) == legal
