"""The errors of the package: drawn, documented, picklable and readable."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from http import HTTPStatus
from typing import Any

import grpc
import pytest

from flyte_remote_async import errors
from flyte_remote_async.errors import FlyteRemoteError, RPCError, rpc_error
from tests.support.errors_page import classes
from tests.support.snapshots import execution_of

CLASSES = classes()

ABOUT: dict[str, Any] = {
    "method": "GetExecution",
    "entity": "p/d/e0",
    "attempts": 3,
    "endpoint": "flyte.example.com:443",
    "trailing_metadata": (("grpc-retry-pushback-ms", "10"), ("x-bin", b"\x00")),
}
SPECIAL: dict[type[FlyteRemoteError], tuple[tuple[Any, ...], dict[str, Any]]] = {
    errors.MessageTooLargeError: (("too large",), {"size": 70, "limit": 64, **ABOUT}),
    errors.MissingExtraError: (("a live tree", "cli"), {}),
    errors.ExecutionFailedError: (("execution p/d/e0", "FAILED", "USER:ValueError", "three is not four"), {}),
    errors.WaitTimeoutError: (
        ("too slow",),
        {"execution": execution_of(), "last_error": rpc_error("UNAVAILABLE", "away", **ABOUT), "stale_for": 4.5},
    ),
    errors.OutputsUnavailableError: (("no outputs; tried:",), {"tried": ["this", "that"]}),
    errors.MissingLiteralError: (("o1", ["o0", "p"]), {}),
    errors.UntrustedPickleError: (("s3://bucket/key",), {"kind": "blob", "expected": "Model"}),
    errors.InvalidInputsError: (("task p/d/t:v1", {"a": "is missing", "b": "is unknown"}), {}),
}


def made(cls: type[FlyteRemoteError]) -> FlyteRemoteError:
    """Return an error with all that its class takes."""
    if cls in SPECIAL:
        args, named = SPECIAL[cls]
        return cls(*args, **named)
    if issubclass(cls, RPCError):
        return cls("the server's words", **ABOUT)
    if issubclass(cls, errors.LiteralError):
        return cls("it is 3", variable="o0", path="[1].x", kind="primitive", expected="str")
    return cls("what happened")


every_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


def state(error: BaseException) -> dict[str, Any]:
    """Return the attributes of an error, with those of an error in it."""
    inner = {name: state(value) for name, value in vars(error).items() if isinstance(value, BaseException)}
    return {**vars(error), **inner, "args": error.args, "text": str(error)}


# --- the tree --------------------------------------------------------------------------------------------------------


def test_every_class_is_exported_and_the_list_is_sorted() -> None:
    assert errors.__all__ == sorted(errors.__all__)
    assert {cls.__name__ for cls in CLASSES} == set(errors.__all__) - {"rpc_error"}


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    parents: list[str] = []
    drawn = []
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        match = re.fullmatch(r"    ((?:[│ ]   )*)(?:[├└]── )?([A-Z]\w+)(.*)", line)
        if match is None:
            continue
        depth = 0 if match[2] == "FlyteRemoteError" else len(match[1]) // 4 + 1
        parents = [*parents[:depth], match[2]]
        builtin = re.search(r"\(([A-Z]\w+(?:, [A-Z]\w+)*)\)$", match[3].strip())
        drawn.append((match[2], parents[-2] if depth else None, builtin[1].split(", ") if builtin else []))
    actual = [
        (
            cls.__name__,
            None if cls is FlyteRemoteError else cls.__bases__[0].__name__,
            [base.__name__ for base in cls.__bases__[1:]],
        )
        for cls in CLASSES
    ]
    assert sorted(drawn, key=str) == sorted(actual, key=str)


@every_class
def test_every_class_is_documented(cls: type[FlyteRemoteError]) -> None:
    words = vars(cls)["__doc__"]
    assert words
    if not cls.__subclasses__():
        assert words.startswith("Raised ")


@every_class
def test_what_an_error_knows_is_documented_where_it_is_added(cls: type[FlyteRemoteError]) -> None:
    above: Any = cls.__bases__[0]
    added = set(vars(made(cls))) - set(vars(made(above)) if issubclass(above, FlyteRemoteError) else ())
    written = (vars(cls)["__doc__"] or "").partition("Attributes:")[2]
    assert set(re.findall(r"^\s+(\w+): ", written, re.MULTILINE)) == added


@every_class
def test_every_class_has_an_http_status_of_an_error(cls: type[FlyteRemoteError]) -> None:
    assert HTTPStatus(cls.http_status).value >= 400


# --- the codes of gRPC -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_code_of_grpc_has_its_own_class(code: str) -> None:
    error = rpc_error(code, "words", method="GetTask", entity="task p/d/t:v1")
    assert type(error) is not RPCError
    assert error.code == code
    assert (error.details, error.method, error.entity) == ("words", "GetTask", "task p/d/t:v1")
    others = {type(rpc_error(other.name, "")) for other in grpc.StatusCode if other.name not in {code, "OK"}}
    assert type(error) not in others


@pytest.mark.parametrize("code", ["", "OK", "WHATEVER", "17"])
def test_a_code_that_grpc_does_not_have_is_unknown(code: str) -> None:
    assert type(rpc_error(code, "words")) is errors.UnknownError


# --- as objects ------------------------------------------------------------------------------------------------------


@every_class
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_pickles_with_all_it_knows(cls: type[FlyteRemoteError], protocol: int) -> None:
    error = made(cls)
    error.add_note("a note")
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is cls
    assert state(again) == state(error)
    assert again.__notes__ == ["a note"]


@every_class
def test_every_error_can_be_copied(cls: type[FlyteRemoteError]) -> None:
    error = made(cls)
    for again in (copy.copy(error), copy.deepcopy(error)):
        assert type(again) is cls
        assert state(again) == state(error)


@every_class
def test_every_error_can_be_raised_and_read(cls: type[FlyteRemoteError]) -> None:
    error = made(cls)
    for base in cls.__mro__[1:-1]:
        with pytest.raises(base) as caught:
            raise error
        assert caught.value is error
    text = str(error)
    assert text
    assert "None" not in text
    assert text == text.strip()
    assert cls.__name__ in repr(error)


def test_an_empty_rpc_error_is_readable() -> None:
    assert str(errors.InternalError()) == "RPC: INTERNAL: no details were given"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            errors.NotFoundError(
                "missing entity", method="GetTask", entity="task p/d/t:v1", endpoint="h:1", attempts=2
            ),
            "GetTask task p/d/t:v1 at h:1: NOT_FOUND: missing entity (tried 2 times) — " + errors.NotFoundError.hint,
        ),
        (errors.InternalError("boom", method="GetTask"), "GetTask: INTERNAL: boom"),
        (
            errors.MissingExtraError("a live tree", "cli"),
            "a live tree needs an extra that is not installed: pip install 'flyte-remote-async[cli]'",
        ),
        (
            errors.ExecutionFailedError("execution p/d/e", "TIMED_OUT"),
            "execution p/d/e has no outputs: it ended as TIMED_OUT",
        ),
        (
            errors.ExecutionFailedError("execution p/d/e", "ABORTED", "", "enough"),
            "execution p/d/e has no outputs: it ended as ABORTED: enough",
        ),
        (errors.OutputsUnavailableError("no data; tried:", tried=["a", "b"]), "no data; tried:\n  - a\n  - b"),
        (errors.LiteralError("it is odd"), "cannot convert value: it is odd"),
        (
            errors.DecodeError("it is 3", variable="o0", path=".x", kind="primitive", expected="str"),
            "cannot decode o0.x: a primitive literal as str: it is 3",
        ),
        (errors.EncodeError("no", variable="a", expected="int"), "cannot encode a: as int: no"),
        (errors.MissingLiteralError("o1", ["o0"]), "no literal is called 'o1'; there are: 'o0'"),
        (errors.MissingLiteralError("o1"), "no literal is called 'o1'; there are: none at all"),
        (
            errors.InvalidInputsError("task t", {"a": "is missing"}),
            "these inputs do not fit task t:\n  - a: is missing",
        ),
    ],
)
def test_what_errors_say(error: FlyteRemoteError, text: str) -> None:
    assert str(error) == text


def test_a_literal_error_finds_its_way_out() -> None:
    error = errors.DecodeError("it is 3", path="")
    assert error.within(".x").within("[3]").named("o0") is error
    assert (error.variable, error.path) == ("o0", "[3].x")


def test_a_timeout_is_a_timeout_and_a_missing_key_is_all_three() -> None:
    assert issubclass(errors.WaitTimeoutError, TimeoutError)
    assert issubclass(errors.DeadlineExceededError, TimeoutError)
    assert issubclass(errors.MissingLiteralError, KeyError)
    assert issubclass(errors.MissingLiteralError, AttributeError)
    assert issubclass(errors.MissingLiteralError, ValueError)
