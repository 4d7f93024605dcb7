from __future__ import annotations

import attrs

from flyte_remote_async.config import Config
from tests.support import config_page


def test_the_table_is_the_one_that_the_keys_make() -> None:
    page = config_page.FILE.read_text()
    assert page == config_page.render(page), "run: python -m tests.support.config_page"


def test_the_page_names_every_field() -> None:
    fields = [field.name for field in attrs.fields(Config) if not field.name.startswith("_")]
    page = config_page.FILE.read_text()
    assert [name for name in fields if f"`{name}`" not in page] == []
