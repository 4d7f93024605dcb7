"""The page of one execution, in a browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import anyio
import pytest

from flyte_remote_async.testing import build_execution, build_node
from tests.support.browsing import HOME, expect, recorded, row
from tests.support.recordings import DIRECTORY

if TYPE_CHECKING:
    from flyte_remote_async.devserver import DevServer
    from tests.support.browsing import Opening, Watch

pytestmark = pytest.mark.anyio

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'&lt;"


async def test_an_execution_that_runs_is_followed_to_its_end(dev: DevServer, open_page: Opening) -> None:
    await dev.load(DIRECTORY / "state.jsonl.gz")
    first, second = anyio.Event(), anyio.Event()

    @dev.task("samples.add")
    async def add(a: int, b: int = 1) -> int:
        await first.wait()
        return a + b

    @dev.task("samples.fail")
    async def fail(a: int) -> int:
        await second.wait()
        return a * 10

    async with dev.remote() as remote:
        execution = await remote.execute(await remote.fetch_workflow("samples.failing"), inputs={"a": 3})
        assert execution.execution_url is not None
        path = re.sub(r"^.*?/console/", "/console/", execution.execution_url)
        page = await open_page(path)
        await expect(page.locator(".head .phase")).to_have_text("Running")
        await expect(row(page, "n0").locator(".phase")).to_have_text("Running")
        await expect(row(page, "n1")).to_have_count(0)
        first.set()
        await expect(row(page, "n0").locator(".phase")).to_have_text("Succeeded")
        await expect(row(page, "n1").locator(".phase")).to_have_text("Running")
        await row(page, "n1").click()
        await expect(page.locator(".details .value pre")).to_have_text(["4"])
        second.set()
        await expect(page.locator(".head .phase")).to_have_text("Succeeded")
        await expect(page.locator(".details .value pre")).to_have_text(["4", "40"])
        await expect(page.get_by_role("status")).to_contain_text("Succeeded")


async def test_a_failure_leads_to_what_failed_first(dev: DevServer, open_page: Opening) -> None:
    failed = await recorded(dev, "more.lp_failing")
    page = await open_page(f"{HOME}/{failed}")
    await expect(page.locator(".outcome .error pre")).to_contain_text("ValueError")
    await page.locator(".failure a").last.click()
    await expect(page.locator(".details h2")).to_contain_text("Failed")
    await expect(page.locator(".attempt .error pre")).to_contain_text("ValueError")
    child = page.url.rsplit("/", 2)
    # It is in a child execution, and the address of that within this tree can be passed on.
    assert child[-1] == "n1"
    await page.reload()
    await expect(page.locator('tr[aria-selected="true"]')).to_have_attribute("data-key", "/".join(child[-2:]))
    await expect(page.locator('tr[aria-selected="true"]')).to_have_attribute("aria-level", "4")


async def test_a_map_shows_its_elements(dev: DevServer, open_page: Opening) -> None:
    mapped = await recorded(dev, "more.mapped_failing")
    page = await open_page(f"{HOME}/{mapped}/n0%5B1%5D")
    await expect(page.locator(".details h2")).to_contain_text("n0[1]")
    await expect(page.locator(".details h3").first).to_have_text("Element 1")
    await expect(page.locator(".details .attempt .phase").first).to_have_text("Failed")


async def test_the_bars_of_the_timeline_are_where_the_time_went(dev: DevServer, open_page: Opening) -> None:
    nested = await recorded(dev, "samples.nested_lp")
    page = await open_page(f"{HOME}/{nested}")
    await expect(row(page, "n1")).to_be_visible()
    lane = await page.locator(".tree .lane").first.bounding_box()
    first, second = [await row(page, key).locator(".bar.whole").bounding_box() for key in ("n0", "n1")]
    assert lane
    assert first
    assert second
    assert lane["x"] <= first["x"] < first["x"] + first["width"] <= second["x"] + 2
    assert second["x"] + second["width"] <= lane["x"] + lane["width"] + 2


async def test_logs_are_read_inline(dev: DevServer, open_page: Opening) -> None:
    url = f"http://{dev.http_endpoint}/logs/flytesnacks/development/x/n0/0"
    logs = [url, "https://logs.example/7", "javascript:alert(1)"]
    await dev.objects.put("logs/flytesnacks/development/x/n0/0.txt", f"line 1\n{HOSTILE}".encode())
    await dev.load(build_execution("x", nodes=[build_node("n0", logs=logs)]))
    page = await open_page(f"{HOME}/x/n0")
    await expect(page.locator("pre.log")).to_have_text(f"line 1\n{HOSTILE}")
    assert (
        await page.locator(".attempt a").evaluate_all("all => all.map(each => each.getAttribute('href'))") == logs[:2]
    )


async def test_a_log_grows_while_its_attempt_runs(dev: DevServer, open_page: Opening) -> None:
    log = dev._opened().data.logs.begin("flytesnacks/development/x/n0/0")
    log.write(b"one\n")
    url = f"http://{dev.http_endpoint}/logs/flytesnacks/development/x/n0/0"
    await dev.load(build_execution("x", "RUNNING", nodes=[build_node("n0", "RUNNING", logs=[url])]))
    page = await open_page(f"{HOME}/x/n0")
    await expect(page.locator("pre.log")).to_have_text("one\n")
    await page.locator("pre.log").focus()
    log.write(b"x" * 70_000 + b"two\n")
    await expect(page.locator("pre.log")).to_contain_text("the last 65536 characters")
    await expect(page.locator("pre.log")).to_contain_text("two")
    await expect(page.locator("pre.log")).to_be_focused()


async def test_a_long_value_is_cut_and_can_be_had_whole(dev: DevServer, open_page: Opening) -> None:
    await dev.load(build_execution("x", outputs={"o0": "x" * 5000}))
    page = await open_page(f"{HOME}/x")
    await expect(page.locator(".value pre")).to_have_text("x" * 4000 + "…")
    async with page.expect_popup() as opened:
        await page.get_by_role("link", name="Show all of o0").click()
    whole = await opened.value
    await whole.wait_for_load_state()
    assert await whole.inner_text("body") == "x" * 5000


async def test_a_name_that_is_not_there_is_told(dev: DevServer, open_page: Opening, watch: Watch) -> None:
    watch.expected = "404"
    await dev.load(build_execution("x", nodes=[build_node("n0")]))
    page = await open_page(f"{HOME}/x/n7")
    await expect(page.locator(".details")).to_contain_text("has no n7")
    await page.goto(f"{page.url.split('#')[0]}#/executions/flytesnacks/development/nope")
    await expect(page.get_by_role("alert")).to_contain_text("missing entity")


async def test_large_trees_are_whole_to_a_bound_and_folded(dev: DevServer, open_page: Opening) -> None:
    inner = [build_node(f"n{index}") for index in range(700)]
    nodes = [build_node("n0", children=inner), *(build_node(f"m{index}") for index in range(1400))]
    await dev.load(build_execution("x", nodes=nodes))
    page = await open_page(f"{HOME}/x")
    await expect(row(page, "n0")).to_have_attribute("aria-expanded", "true")
    await expect(page.locator(".nodes .count")).to_have_text("1999 below the execution; 102 more are not shown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator(".tree tbody tr")).to_have_count(1300)
