"""The HTML report in a real browser: headless Chromium, from disk, under its own strict policy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_bertcheck import Evidence, diagnose
from pytest_bertcheck.findings import Diagnosis
from pytest_bertcheck.reports.results import Result, Results, plot_data

pytest.importorskip("jinja2")
pytest.importorskip("selenium", reason="needs Selenium, as `tox -e browser` has it")
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    BROWSER is None or DRIVER is None, reason="needs chromium and chromium-driver (Debian)"
)

HOSTILE = ("<script>document.title='owned'</script>", "\x1b[31mred\u202e\0", "x" * 1_000_000)


def swapped() -> Diagnosis:
    """Return the diagnosis of two swapped labels whose names are hostile."""
    return diagnose(evidence())


def evidence() -> Evidence:
    generator = np.random.default_rng(3)
    y_true = generator.integers(0, 3, 300)
    logits = generator.normal(0, 1, (300, 3))
    logits[np.arange(300), np.array([1, 0, 2])[y_true]] += 4
    return Evidence(
        y_true=y_true,
        logits=logits,
        y_train=y_true,
        label_names=HOSTILE,
        loss=[1.2, 1.0, float("nan"), 0.8, 0.5],
        val_loss=[1.1, 0.9, 0.9, 0.8, 0.8],
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a swap with hostile names, on disk."""
    from pytest_bertcheck.reports.html import render_html

    path = tmp_path_factory.mktemp("page") / "report.html"
    result = Result("<b>", "run.npz", swapped(), plot_data(evidence()))
    path.write_text(render_html(Results((result,))), encoding="utf-8")
    return path


@pytest.fixture(params=["light", "dark"])
def browser(request: pytest.FixtureRequest, page: Path) -> Iterator[Any]:
    """Headless Chromium with the report opened, in that colour scheme."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    try:
        feature = {"name": "prefers-color-scheme", "value": request.param}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        driver.get(page.as_uri())
        yield driver
    finally:
        driver.quit()


def test_page_is_inert_and_asks_for_nothing(browser: Any, page: Path) -> None:
    """No console message, no request but the file itself, and no script of a label name runs."""
    import json

    sent = [
        message["params"]["request"]["url"]
        for entry in browser.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"]
        == "Network.requestWillBeSent"
    ]
    assert [] == browser.get_log("browser")
    assert [page.as_uri()] == [url for url in sent if not url.startswith("chrome:")]
    assert "bertcheck: failed" == browser.title
    assert 1 == browser.execute_script("return document.scripts.length")


def test_search_works_by_keyboard(browser: Any) -> None:
    """Tab reaches the search, typing keeps the matching checks, and the number is announced."""
    from selenium.webdriver.common.keys import Keys

    for _ in range(20):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        if "search" == browser.switch_to.active_element.get_attribute("type"):
            break
    browser.switch_to.active_element.send_keys("not_swapped")
    rows = browser.find_elements("css selector", "table.findings tbody tr")
    assert ["labels_not_swapped"] == [
        row.text.split("::")[1].split()[0] for row in rows if row.is_displayed()
    ]
    status = browser.find_element("css selector", "[role=status]").text
    assert f"1 of {len(rows)}" == status
    assert [] == browser.get_log("browser")


def test_page_fits_a_phone(browser: Any) -> None:
    """At 400 px the page does not scroll sideways."""
    metrics = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert 400 == width
