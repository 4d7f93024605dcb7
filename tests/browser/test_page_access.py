"""The page for those who do not see it, or see it otherwise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from flyte_remote_async.testing import build_execution, build_node
from tests.support.browsing import HOME, NAMELESS, PALE, expect

if TYPE_CHECKING:
    from flyte_remote_async.devserver import DevServer
    from tests.support.browsing import Opening

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_control_has_a_name_and_every_text_can_be_read(
    dev: DevServer, open_page: Opening, scheme: str
) -> None:
    for phase in ("SUCCEEDED", "RUNNING", "ABORTED", "QUEUED", "FAILED"):
        nodes = [build_node("n0", "SKIPPED"), build_node("n1", "FAILED", error="boom", logs=["https://logs.example/"])]
        await dev.load(build_execution(phase.lower(), phase, error="boom" if phase == "FAILED" else None, nodes=nodes))
    page = await open_page(color_scheme=scheme)
    await expect(page.locator("tbody tr")).to_have_count(5)
    for path, last in (("", page.locator("tbody tr").last), ("/failed/n1", page.locator(".details h3").last)):
        await page.goto(f"http://{dev.http_endpoint}{HOME}{path}")
        await expect(last).to_be_visible()
        await expect(page.locator("h1")).to_have_count(1)
        assert await page.evaluate(NAMELESS) == []
        assert await page.evaluate(PALE) == []
        assert await page.evaluate("document.documentElement.lang") == "en"


async def test_a_screen_reader_is_told_what_the_tree_is(dev: DevServer, open_page: Opening) -> None:
    await dev.load(build_execution("x", nodes=[build_node("n0", children=[build_node("n0")]), build_node("n1")]))
    page = await open_page(f"{HOME}/x")
    tree = page.get_by_role("treegrid", name="Nodes and timeline")
    await expect(tree.get_by_role("row")).to_have_count(5)
    told = "all => all.map(each => [each.ariaLevel, each.ariaPosInSet, each.ariaSetSize, each.ariaExpanded])"
    assert await tree.locator("tbody tr").evaluate_all(told) == [
        ["1", "1", "1", "true"],
        ["2", "1", "2", "true"],
        ["3", "1", "1", None],
        ["2", "2", "2", None],
    ]
    await expect(page.get_by_role("row", name=re.compile("n0-0-n0 .*Succeeded"))).to_be_visible()


@pytest.mark.parametrize("width", [320, 640, 1280])
async def test_nothing_is_wider_than_the_window(dev: DevServer, open_page: Opening, width: int) -> None:
    error = "a" * 500
    node = build_node("n0", "FAILED", task="pkg." * 30, inputs={"a" * 80: "b" * 800}, error=error)
    await dev.load(build_execution("x" * 60, "FAILED", workflow="pkg." * 30, error=error, nodes=[node]))
    page = await open_page(viewport={"width": width, "height": 500})
    for path, there in ((HOME, "tbody tr"), (f"{HOME}/{'x' * 60}/n0", ".value")):
        await page.goto(f"http://{dev.http_endpoint}{path}")
        await expect(page.locator(there).first).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_nothing_moves_for_those_who_do_not_want_it(dev: DevServer, open_page: Opening) -> None:
    await dev.load(build_execution("x", "RUNNING"))
    for motion, animation in (("reduce", "none"), ("no-preference", "pulse")):
        page = await open_page(reduced_motion=motion)
        await expect(page.locator(".phase svg")).to_be_visible()
        name = await page.locator(".phase svg").evaluate("each => getComputedStyle(each).animationName")
        assert name == animation


async def test_without_javascript_the_page_says_what_it_needs(open_page: Opening) -> None:
    page = await open_page("/console/", java_script_enabled=False)
    notice = page.locator("noscript p")
    await expect(notice).to_be_visible()
    assert "needs JavaScript" in (await notice.text_content() or "")
