"""The report in headless Chromium: it runs clean, asks for nothing, sorts, and changes its theme."""

import http.server
import re
import shutil
import subprocess
import threading
from html.parser import HTMLParser

import numpy as np
import pytest

from breastcls.reporting.html import render_report

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the report is not tried in a browser"),
]


def browse(address, profile, *extra):
    """Return the page after its scripts ran, and what the browser logged."""
    command = [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        f"--user-data-dir={profile}",
        "--enable-logging=stderr",
        "--v=0",
        *extra,
        "--dump-dom",
        address,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


def console(log):
    return [line for line in log.splitlines() if "CONSOLE" in line]


def with_script(text, script):
    """Return the page with a script of the test, which its own policy would refuse."""
    without_policy = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert without_policy != text
    return without_policy.replace("</body>", f"<script>{script}</script></body>")


class Reading(HTMLParser):
    """The first column of each table in order, and `aria-sort` of its headers."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.sorts, self.theme, self._inside = [], [], None, False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "html":
            self.theme = attributes.get("data-theme")
        if tag == "table":
            self.rows.append([])
            self.sorts.append([])
        if tag == "th" and attributes.get("scope") == "row":
            self.rows[-1].append(attributes.get("data-value"))
        if tag == "th" and "aria-sort" in attributes:
            self.sorts[-1].append(attributes["aria-sort"])


@pytest.fixture(scope="module")
def evaluation(evaluate):
    metrics = evaluate().metrics.copy()
    metrics.loc["f1"] = np.nan
    return evaluate(metrics=metrics)


def test_it_runs_without_a_word_on_the_console(evaluation, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(render_report(evaluation), encoding="utf-8")
    page, log = browse(path.as_uri(), tmp_path / "profile")
    assert console(log) == []
    assert 'data-sort="number"><button type="button">' in page  # the script ran under the page's own policy


def test_it_asks_the_server_for_itself_and_nothing_else(evaluation, tmp_path):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(render_report(evaluation).encode())

        def log_message(self, *arguments):
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        _, log = browse(f"http://127.0.0.1:{server.server_port}/report.html", tmp_path / "profile")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert asked == ["/report.html"]
    assert console(log) == []


@pytest.mark.parametrize(
    ("clicks", "column", "expected", "direction"),
    [
        (1, 1, lambda table: table["value"].sort_values(ascending=False), "descending"),
        (2, 1, lambda table: table["value"].sort_values(), "ascending"),
        (1, 2, lambda table: table["low"].sort_values(ascending=False), "descending"),
    ],
)
def test_the_table_of_metrics_sorts(evaluation, tmp_path, clicks, column, expected, direction):
    path = tmp_path / "report.html"
    script = (
        f"const button = document.querySelectorAll('#metrics thead th')[{column}].querySelector('button');"
        f"for (let turn = 0; turn < {clicks}; turn += 1) {{ button.focus(); button.click(); }}"
    )
    path.write_text(with_script(render_report(evaluation), script), encoding="utf-8")
    page, log = browse(path.as_uri(), tmp_path / "profile")
    assert console(log) == []
    reading = Reading(page)
    before = Reading(render_report(evaluation))
    place = next(place for place, sorts in enumerate(reading.sorts) if sorts)
    names = dict(zip(evaluation.metrics.index, before.rows[place], strict=True))
    order = [names[name] for name in expected(evaluation.metrics).index]
    assert reading.rows[place] == order
    assert order[-1] == "F1"  # what is not defined is last in both directions
    assert reading.sorts[place] == [direction]
    assert f"{direction}." in page  # said to a screen reader


def test_names_sort_as_a_reader_counts(evaluation, tmp_path):
    path = tmp_path / "report.html"
    script = (
        "const tables = document.querySelectorAll('#groups table');"
        "const button = tables[2].querySelector('thead button'); button.click(); button.click();"
    )
    path.write_text(with_script(render_report(evaluation), script), encoding="utf-8")
    page, _ = browse(path.as_uri(), tmp_path / "profile")
    reading = Reading(page)
    rows = next(rows for rows, sorts in zip(reading.rows, reading.sorts, strict=True) if sorts)
    assert rows == ["400×", "200×", "100×", "40×"]


@pytest.mark.parametrize(("system", "chosen"), [("1", "dark"), ("0", "light")])
def test_the_theme_follows_the_system_until_the_reader_chooses(evaluation, tmp_path, system, chosen):
    path = tmp_path / "report.html"
    script = (
        "const paper = () => getComputedStyle(document.body).backgroundColor;"
        "const before = paper(); document.getElementById('theme').click();"
        "document.body.append('[' + before + ' then ' + paper() + ']');"
    )
    path.write_text(with_script(render_report(evaluation), script), encoding="utf-8")
    page, _ = browse(path.as_uri(), tmp_path / "profile", f"--blink-settings=preferredColorScheme={system}")
    light, dark = "rgb(251, 250, 248)", "rgb(23, 22, 27)"
    first, second = (light, dark) if chosen == "dark" else (dark, light)
    assert f"[{first} then {second}]" in page
    assert Reading(page).theme == chosen


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_never_scrolls_sideways(evaluation, tmp_path, width):
    measure = (
        "const root = document.documentElement;"
        "parent.postMessage([root.scrollWidth, root.clientWidth, innerWidth].join(' of '), '*');"
    )
    (tmp_path / "report.html").write_text(with_script(render_report(evaluation), measure), encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(
        "<!DOCTYPE html>"
        "<script>addEventListener('message', (event) => document.body.append(event.data));</script>"
        f"<body><iframe src='report.html' width='{width}' height='800' style='border:0'></iframe>",
        encoding="utf-8",
    )
    page, _ = browse(frame.as_uri(), tmp_path / "profile", "--virtual-time-budget=3000")
    needed, shown, window = map(int, re.search(r"(\d+) of (\d+) of (\d+)", page).groups())
    assert window == width
    assert needed == shown
