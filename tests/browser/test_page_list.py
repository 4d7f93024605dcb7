"""The list of executions, in a browser."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from flyte_remote_async.testing import build_execution
from tests.support.browsing import HOME, expect, focused, row

if TYPE_CHECKING:
    from flyte_remote_async.devserver import DevServer
    from tests.support.browsing import Opening, Watch

pytestmark = pytest.mark.anyio

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


async def test_executions_are_listed_with_the_newest_first(dev: DevServer, open_page: Opening) -> None:
    for index, phase in enumerate(("SUCCEEDED", "FAILED", "RUNNING", "ABORTED", "QUEUED")):
        at = NOON + dt.timedelta(hours=index)
        await dev.load(build_execution(f"x{index}", phase, workflow="etl.daily", created_at=at, duration=90))
    page = await open_page()
    await expect(page.locator("tbody tr")).to_have_count(5)
    assert await page.locator("tbody .name").all_inner_texts() == ["x4", "x3", "x2", "x1", "x0"]
    assert await page.locator("tbody .phase").all_inner_texts() == [
        "Queued",
        "Aborted",
        "Running",
        "Failed",
        "Succeeded",
    ]
    await expect(row(page, "x0")).to_contain_text("etl.daily")
    await expect(row(page, "x0")).to_contain_text("2026-01-01 12:00:00")
    await expect(row(page, "x0")).to_contain_text("1 min 30 s")
    # Each has a colour and a shape of its own.
    for what in ("getComputedStyle(each).color", "each.querySelector('path').getAttribute('d')"):
        assert len(set(await page.locator("tbody .phase").evaluate_all(f"all => all.map(each => {what})"))) >= 4


async def test_a_filter_is_typed_and_stays_in_the_address(dev: DevServer, open_page: Opening) -> None:
    await dev.load(build_execution("abc", "FAILED", workflow="etl.daily"))
    await dev.load(build_execution("def", workflow="reports.daily"))
    page = await open_page()
    await expect(page.locator("tbody tr")).to_have_count(2)
    await page.keyboard.press("/")
    assert await focused(page) == "Filter by name or workflow"
    await page.keyboard.type("repo")
    await expect(page.locator("tbody .name")).to_have_text(["def"])
    assert "text=repo" in page.url
    await page.keyboard.press("Escape")
    await expect(page.locator("tbody tr")).to_have_count(2)
    await page.get_by_label("Phase").select_option("FAILED")
    await expect(page.locator("tbody .name")).to_have_text(["abc"])
    await page.reload()
    await expect(page.get_by_label("Phase")).to_have_value("FAILED")
    await expect(page.locator("tbody .name")).to_have_text(["abc"])
    await page.get_by_label("Filter by name or workflow").fill("nothing")
    await expect(page.locator("main .count")).to_have_text("No executions match")


async def test_what_flyte_cannot_filter_by_is_told(dev: DevServer, open_page: Opening, watch: Watch) -> None:
    watch.expected = "400"
    await dev.load(build_execution("abc"))
    page = await open_page(f"{HOME}?text=a%3Bb")
    await expect(page.get_by_role("alert")).to_contain_text("have no escapes")
    await page.get_by_label("Filter by name or workflow").fill("ab")
    await expect(page.get_by_role("alert")).to_be_hidden()


async def test_pages_of_executions_are_turned(dev: DevServer, open_page: Opening) -> None:
    for index in range(120):
        await dev.load(build_execution(f"x{index:03}", created_at=NOON + dt.timedelta(minutes=index)))
    page = await open_page()
    await expect(page.locator("tbody tr")).to_have_count(50)
    await page.get_by_role("link", name="Older").click()
    await expect(page.locator("tbody .name").first).to_have_text("x069")
    await page.get_by_role("link", name="Older").click()
    await expect(page.locator("tbody tr")).to_have_count(20)
    await expect(page.get_by_role("link", name="Older")).to_have_count(0)
    await page.reload()
    await page.get_by_role("link", name="Newer").click()
    await page.get_by_role("link", name="Newer").click()
    await expect(page.locator("tbody .name").first).to_have_text("x119")


async def test_the_page_begins_where_something_ran_last(dev: DevServer, open_page: Opening) -> None:
    await dev.load(build_execution("old", created_at=NOON))
    await dev.load(build_execution("new", domain="staging", created_at=NOON + dt.timedelta(days=1)))
    page = await open_page()
    await expect(page.locator("tbody .name")).to_have_text(["new"])
    await page.get_by_label("Project and domain").select_option("flytesnacks/development")
    await expect(page.locator("tbody .name")).to_have_text(["old"])
    await page.get_by_label("Project and domain").select_option("flytesnacks/production")
    await expect(page.locator("main .count")).to_have_text("No executions are in flytesnacks/production")


async def test_what_is_launched_meanwhile_appears(dev: DevServer, open_page: Opening) -> None:
    await dev.load(build_execution("one", created_at=NOON))
    page = await open_page()
    await expect(page.locator("tbody .name")).to_have_text(["one"])
    await row(page, "one").focus()
    await dev.load(build_execution("two", created_at=NOON + dt.timedelta(hours=1)))
    await expect(page.locator("tbody .name")).to_have_text(["two", "one"])
    assert await focused(page) == "one"
