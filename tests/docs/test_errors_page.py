from __future__ import annotations

from flyte_remote_async import errors
from tests.support import errors_page


def test_the_page_is_the_one_that_the_classes_make() -> None:
    assert errors_page.FILE.read_text() == errors_page.render(), "run: python -m tests.support.errors_page"


def test_the_page_names_every_error() -> None:
    page = errors_page.FILE.read_text()
    public = {name for name in errors.__all__ if isinstance(getattr(errors, name), type)}
    assert {cls.__name__ for cls in errors_page.classes()} == public
    assert [name for name in public if f"| `{name}`" not in page] == []


def test_every_error_says_when_it_is_raised() -> None:
    bases = {"FlyteRemoteError", "RPCError", "ClientStateError", "FlyteAssertion", "LiteralError"}
    for cls in errors_page.classes():
        assert cls.__doc__
        assert cls.__name__ in bases or cls.__doc__.startswith("Raised "), cls.__name__
        assert 400 <= cls.http_status < 600
