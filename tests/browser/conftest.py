"""A devserver, and a real browser that looks at its page.

Without Playwright and Chromium these tests are skipped, which says so; with ``REQUIRE_BROWSER`` set they fail instead.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from flyte_remote_async.devserver import DevServer
from tests.support.browsing import Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

    from tests.support.browsing import Opening


def pytest_pycollect_makemodule() -> None:
    """Skip the modules of this folder, in one line, where there is no browser."""
    missing = _missing()
    if missing and not os.environ.get("REQUIRE_BROWSER"):
        pytest.skip(f"{missing}: `nox -s browser` brings what is needed and runs these tests")


@pytest.fixture
async def dev() -> AsyncIterator[DevServer]:
    """Run a devserver."""
    async with DevServer() as dev:
        yield dev


def _missing() -> str:
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is not installed"
    return "" if _chromium() else "Chromium is not installed"


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Run a browser."""
    assert not _missing(), _missing()
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_chromium())
        yield browser
        await browser.close()


@pytest.fixture
def watch(dev: DevServer) -> Watch:
    """Watch what pages do."""
    return Watch(dev.http_endpoint)


@pytest.fixture
async def open_page(dev: DevServer, browser: Browser, watch: Watch) -> AsyncIterator[Opening]:
    """Open pages; whatever they do that they must not do fails the test."""
    async with AsyncExitStack() as stack:

        async def open_page(path: str = "/", **options: Any) -> Page:
            options = {"viewport": {"width": 1280, "height": 800}, "timezone_id": "UTC", "locale": "en-US"} | options
            context = await stack.enter_async_context(await browser.new_context(**options))
            page = await context.new_page()
            watch.on(page)
            await page.goto(f"http://{dev.http_endpoint}{path}")
            return page

        yield open_page
    assert watch.wrong == []
