"""Names, values, errors, logs and addresses that try to be more than text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flyte_remote_async.testing import build_attempt, build_execution, build_node
from tests.support.browsing import expect, row

if TYPE_CHECKING:
    from flyte_remote_async.devserver import DevServer
    from tests.support.browsing import Opening, Watch

pytestmark = pytest.mark.anyio

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'&lt;"


async def test_whatever_a_name_a_value_or_an_error_holds_is_text(dev: DevServer, open_page: Opening) -> None:
    attempt = build_attempt("FAILED", error=HOSTILE, reason=HOSTILE, logs=["https://logs.example/"])
    failed = build_node("n0", "FAILED", task=HOSTILE, inputs={HOSTILE: HOSTILE}, error=HOSTILE, attempts=[attempt])
    await dev.load(
        build_execution(
            "x",
            "FAILED",
            workflow=HOSTILE,
            inputs={HOSTILE: [HOSTILE], "blob": "s3://my-s3-bucket/x"},
            error=HOSTILE,
            nodes=[failed],
            labels={"k": HOSTILE},
        )
    )
    page = await open_page()
    await expect(page.locator("tbody .what")).to_have_text(HOSTILE)
    await page.keyboard.press("Enter")
    await expect(page.locator(".outcome pre")).to_have_text(HOSTILE)
    await expect(page.locator(".details .value h4").first).to_contain_text(HOSTILE)
    await expect(page.locator(".facts")).to_contain_text(f"k={HOSTILE}")
    await row(page, "n0").click()
    await expect(page.locator(".attempt .error pre")).to_have_text(HOSTILE)
    await expect(page.locator(".reasons")).to_contain_text(HOSTILE)
    await expect(page.locator(".value pre")).to_have_text(HOSTILE)
    assert await page.locator("main img, main script").count() == 0


@pytest.mark.parametrize(
    "address",
    [
        "#/executions/%3Cimg%20src=x%20onerror=alert(1)%3E/d",
        "#/executions/p/d/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "#/executions/p/d/%",
    ],
)
async def test_whatever_an_address_holds_is_text(open_page: Opening, watch: Watch, address: str) -> None:
    watch.expected = "404"
    page = await open_page(f"/console/{address}")
    await expect(page.locator("h1")).to_be_visible()
    assert await page.locator("main img, main script").count() == 0
