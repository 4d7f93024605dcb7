"""The page with the keyboard alone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from flyte_remote_async.testing import build_execution, build_node
from tests.support.browsing import HOME, expect, focused, row

if TYPE_CHECKING:
    from flyte_remote_async.devserver import DevServer
    from tests.support.browsing import Opening

pytestmark = pytest.mark.anyio

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


async def test_everything_is_reached_with_the_keyboard(dev: DevServer, open_page: Opening) -> None:
    nodes = [build_node("n0"), build_node("n1", children=[build_node("n0"), build_node("n1")])]
    for index in range(3):
        at = NOON - dt.timedelta(hours=index)
        await dev.load(build_execution(f"x{index}", created_at=at, nodes=nodes))
    page = await open_page()
    await expect(row(page, "x0")).to_be_focused()
    press = page.keyboard.press
    for key, there in (("ArrowDown", "x1"), ("End", "x2"), ("Home", "x0"), ("PageDown", "x2"), ("ArrowUp", "x1")):
        await press(key)
        assert await focused(page) == there
    await press("Enter")
    await expect(page.locator(".tree tbody tr")).to_have_count(5)
    await expect(page.locator(".tree tbody tr").first).to_be_focused()
    for key, there in (("ArrowDown", "n0"), ("ArrowDown", "n1"), ("ArrowRight", "n1-0-n0"), ("ArrowLeft", "n1")):
        await press(key)
        assert await focused(page) == there
    await press("ArrowLeft")
    await expect(page.locator(".tree tbody tr")).to_have_count(3)
    await expect(row(page, "n1")).to_have_attribute("aria-expanded", "false")
    await press("ArrowRight")
    await expect(page.locator(".tree tbody tr")).to_have_count(5)
    await press("End")
    await press("Enter")
    await expect(page.locator(".details h2")).to_be_focused()
    await expect(page.locator(".details h2")).to_contain_text("n1-0-n1")
    await press("Escape")
    assert await focused(page) == "n1-0-n1"
    await press("ArrowUp")
    await press(" ")
    await expect(page.locator(".details h2")).to_contain_text("n1-0-n0")
    await press("Escape")
    await expect(row(page, "x1")).to_be_focused()


async def test_one_row_of_a_grid_is_in_the_order_of_tabs(dev: DevServer, open_page: Opening) -> None:
    await dev.load(build_execution("x", nodes=[build_node(f"n{index}") for index in range(5)]))
    page = await open_page(f"{HOME}/x/n3")
    await expect(row(page, "n3")).to_have_attribute("aria-selected", "true")
    assert await page.locator('.tree tr[tabindex="0"]').evaluate_all("all => all.map(each => each.dataset.key)") == [
        "n3"
    ]


async def test_nodes_are_filtered(dev: DevServer, open_page: Opening) -> None:
    inner = [build_node("n0", task="etl.load"), build_node("n1", "FAILED", task="etl.clean")]
    await dev.load(build_execution("x", nodes=[build_node("n0", task="etl.read"), build_node("n1", children=inner)]))
    page = await open_page(f"{HOME}/x")
    await expect(page.locator(".tree tbody tr")).to_have_count(5)
    await page.keyboard.press("/")
    assert await focused(page) == "Filter nodes by id, task or phase"
    await page.keyboard.type("failed")
    await expect(page.locator(".tree tbody tr")).to_have_count(3)
    await page.keyboard.press("Enter")
    await page.keyboard.press("End")
    assert await focused(page) == "n1-0-n1"
    await page.keyboard.press("/")
    await page.keyboard.press("Escape")
    await expect(page.locator(".tree tbody tr")).to_have_count(5)
