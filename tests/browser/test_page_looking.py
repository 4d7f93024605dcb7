"""When the page asks the devserver, and when it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flyte_remote_async.testing import build_execution, build_node
from tests.support.browsing import HOME, expect

if TYPE_CHECKING:
    from flyte_remote_async.devserver import DevServer
    from tests.support.browsing import Opening, Watch

pytestmark = pytest.mark.anyio


async def test_nothing_is_asked_while_nobody_looks(dev: DevServer, open_page: Opening, watch: Watch) -> None:
    await dev.load(build_execution("x"))
    page = await open_page("/console/icon.svg")
    await page.clock.install()
    await page.goto(f"http://{dev.http_endpoint}{HOME}")
    await expect(page.locator("tbody tr")).to_have_count(1)
    async with page.expect_request("**/api/executions?**"):
        await page.clock.fast_forward(60_000)
    turn = """hidden => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    await page.evaluate(turn, True)
    watch.asked.clear()
    await page.clock.fast_forward(600_000)
    # What the page asks after this was not asked before it.
    await page.evaluate("fetch('/console/icon.svg')")
    assert watch.asked == ["/console/icon.svg"]
    async with page.expect_request("**/api/executions?**"):
        await page.evaluate(turn, False)


async def test_what_has_ended_is_not_asked_for_again(dev: DevServer, open_page: Opening, watch: Watch) -> None:
    await dev.load(build_execution("x", nodes=[build_node("n0")]))
    page = await open_page("/console/icon.svg")
    await page.clock.install()
    await page.goto(f"http://{dev.http_endpoint}{HOME}/x")
    await expect(page.locator(".details h3").last).to_have_text("Outputs")
    watch.asked.clear()
    await page.clock.fast_forward(600_000)
    await page.evaluate("fetch('/console/icon.svg')")
    assert watch.asked == ["/console/icon.svg"]


async def test_a_server_that_goes_away_is_told_and_asked_again(
    dev: DevServer, open_page: Opening, watch: Watch
) -> None:
    watch.expected = "Failed to load resource"
    await dev.load(build_execution("x", "RUNNING"))
    page = await open_page(f"{HOME}/x")
    await expect(page.locator(".head .phase")).to_have_text("Running")
    await page.context.set_offline(True)
    await expect(page.get_by_role("alert")).to_contain_text("does not answer")
    await dev.load(build_execution("x"))
    await page.context.set_offline(False)
    await expect(page.locator(".head .phase")).to_have_text("Succeeded")
    await expect(page.get_by_role("alert")).to_be_hidden()
