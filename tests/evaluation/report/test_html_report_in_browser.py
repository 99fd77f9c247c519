"""The report in headless Chromium: it runs clean, asks for nothing, sorts, and changes its theme."""

import base64
import dataclasses
import os
import re

import cv2
import numpy as np
import pytest

from breastcls.evaluation.report.html_report import write_report
from breastcls.metrics.metric_descriptions import describe_metric
from support.page_in_browser import NEEDS_CHROMIUM, open_browser
from support.platforms import POSIX
from support.report_fixtures import change

pytestmark = [
    pytest.mark.slow,
    POSIX,
    NEEDS_CHROMIUM,
]


@pytest.fixture(scope="module")
def evaluation(whole):
    """An evaluation with every section that there can be."""
    found = whole()
    metrics = found.metrics.copy()
    metrics.loc["f1"] = np.nan
    return change(found, metrics=metrics)


@pytest.fixture(scope="module")
def report(evaluation, tmp_path_factory):
    """The file of the report, with pictures that fill the galleries."""
    folder = tmp_path_factory.mktemp("report")
    picture = np.full((46, 70, 3), (226, 190, 214), np.uint8)
    paths = [str(folder / f"SOB_M_DC-14-20000-200-{row:03d}.png") for row in range(len(evaluation.predictions))]
    cv2.imwrite(str(folder / "picture.png"), picture)
    for path in paths:
        os.link(folder / "picture.png", path)
    predictions = dataclasses.replace(evaluation.predictions, paths=np.array(paths, dtype=object))
    return write_report(dataclasses.replace(evaluation, predictions=predictions), folder / "report.html")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(browser, report):
    browser.open(report.as_uri())
    yield browser
    assert browser.errors == []
    # Under its own policy the page asks for nothing but itself.
    assert browser.asked == [report.as_uri()]


def first_column(page, table):
    return page.evaluate(f"[...document.querySelectorAll('{table} tbody th')].map((cell) => cell.dataset.value)")


def test_the_table_of_metrics_sorts(page, evaluation):
    click = "document.querySelectorAll('#metrics thead th')[1].querySelector('button').click()"
    state = "document.querySelectorAll('#metrics thead th')[1].getAttribute('aria-sort')"
    names = [name for name in evaluation.metrics.index if name != "image_recognition_rate"]
    values = evaluation.metrics.loc[names, "value"]
    for ascending, direction in ((False, "descending"), (True, "ascending")):
        page.evaluate(click)
        expected = values.sort_values(ascending=ascending, kind="stable").index
        shown = first_column(page, "#metrics")
        assert [name.split(" (image")[0] for name in shown] == [describe_metric(name).name for name in expected]
        assert shown[-1] == "F1"  # what is not defined is last in both directions
        assert page.evaluate(state) == direction
        # A screen reader announces it.
        assert f"{direction}." in page.evaluate("document.getElementById('announcement').textContent")


def test_the_table_sorts_by_key(page):
    """Tab reaches the button, Enter and the space bar work it, and the focus stays."""
    page.evaluate("document.querySelectorAll('#metrics thead th')[0].querySelector('button').focus()")
    page.press("Tab")
    focus = "document.activeElement.closest('th').textContent.trim()"
    assert page.evaluate(focus) == "By image"
    state = "document.activeElement.closest('th').getAttribute('aria-sort')"
    assert page.evaluate(state) is None
    page.press("Enter")
    assert page.evaluate(state) == "descending"
    page.press(" ")
    assert page.evaluate(state) == "ascending"
    assert page.evaluate(focus) == "By image"


def test_the_details_open_by_key(page):
    page.evaluate("document.querySelector('#calibration summary').focus()")
    page.press("Enter")
    assert page.evaluate("document.querySelector('#calibration details').open") is True


def test_names_sort_as_a_reader_counts(page):
    page.evaluate("document.querySelectorAll('#subgroups table')[2].id = 'magnification'")
    button = "document.querySelector('#magnification thead button').click()"
    page.evaluate(f"{button}; {button}")
    assert first_column(page, "#magnification") == ["400×", "200×", "100×", "40×"]


def test_the_theme_follows_the_system_until_the_reader_chooses(page):
    paper = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(251, 250, 248)", "rgb(23, 22, 27)"
    for system, own, other in (("dark", dark, light), ("light", light, dark)):
        page.evaluate("delete document.documentElement.dataset.theme")
        page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": system}])
        assert page.evaluate(paper) == own
        page.evaluate("document.getElementById('theme').click()")
        assert page.evaluate(paper) == other
    page.send("Emulation.setEmulatedMedia", features=[])


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_never_scrolls_sideways_and_tables_show_that_they_do(browser, report, width):
    browser.open(report.as_uri(), width=width, height=800)
    assert browser.evaluate("innerWidth") == width
    wide = f"""[...document.querySelectorAll('body *')].filter((one) => {{
      const box = one.getBoundingClientRect();
      const may = one.closest('.table-frame, svg') || getComputedStyle(one).position === 'absolute';
      return box.width > 1 && box.right > {width} + 0.5 && !may;
    }}).map((one) => one.outerHTML.slice(0, 90))"""
    for _ in range(2):
        assert browser.evaluate(wide) == []
        assert browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        browser.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    hints = browser.evaluate("""[...document.querySelectorAll('.table-frame')].map((one) => [
      one.scrollWidth > one.clientWidth + 1, getComputedStyle(one.querySelector('.scroll-hint')).display !== 'none'
    ]).filter(([wide, hint], place, all) => wide !== hint && place < 3).length""")
    assert hints == 0
    scrolling = browser.evaluate("document.querySelectorAll('.table-frame.scrolls').length")
    assert scrolling > 0 if width < 400 else scrolling == 0
    browser.errors.clear()


def test_it_prints_on_few_pages_with_the_result_on_the_first(browser, report):
    browser.open(report.as_uri())
    document = base64.b64decode(browser.send("Page.printToPDF", preferCSSPageSize=True)["data"])
    # Every section is attached here, robustness and out-of-distribution detection too, which the demo has not.
    assert 4 <= len(re.findall(rb"/Type\s*/Page\b(?!s)", document)) <= 9
    browser.send("Emulation.setEmulatedMedia", media="print")
    height = "document.querySelector('.key').getBoundingClientRect().bottom"
    assert browser.evaluate(height) < 900
    browser.send("Emulation.setEmulatedMedia", media="")
    browser.errors.clear()
