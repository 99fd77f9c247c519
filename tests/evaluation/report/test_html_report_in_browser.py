"""The report in headless Chromium: it runs clean, asks for nothing, sorts, and changes its theme."""

import contextlib
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import threading
from html.parser import HTMLParser

import numpy as np
import pytest

from breastcls.evaluation.report.html_report import render_report
from breastcls.metrics.metric_descriptions import describe_metric
from support.platforms import POSIX
from support.report_fixtures import change

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)
pytestmark = [
    pytest.mark.slow,
    POSIX,
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


KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), " ": (32, " ")}


class PageInBrowser:
    """A page that can be typed into, through the browser's own pipe: commands in, answers and events out."""

    def __init__(self, commands, answers):
        self._commands, self._answers = commands, answers
        self.errors, self.asked, self._number, self._session, self._rest = [], [], 0, None, b""

    def open(self, address, width=1280, height=900):
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.send("Page.navigate", url=address)
        while self.evaluate("document.readyState") != "complete" or self.evaluate("location.href") != address:
            continue

    def send(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer.get("method"), answer.get("params", {}))

    def _read(self):
        while b"\0" not in self._rest:
            part = os.read(self._answers, 1 << 16)
            assert part, "the browser went away"
            self._rest += part
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event, details):
        if event == "Runtime.exceptionThrown":
            self.errors.append(details["exceptionDetails"]["text"])
        elif event == "Log.entryAdded":
            self.errors.append(details["entry"]["text"])
        elif event == "Runtime.consoleAPICalled":
            self.errors.append(str(details["args"]))
        elif event == "Network.requestWillBeSent" and not details["request"]["url"].startswith("data:"):
            self.asked.append(details["request"]["url"])

    def evaluate(self, expression):
        return self.send("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def press(self, key):
        code, text = KEYS[key]
        details = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **details)
        self.send("Input.dispatchKeyEvent", type="keyUp", **details)


@contextlib.contextmanager
def open_page(address, profile, **size):
    """Open a page in a browser of its own that listens on a pipe, and close it afterwards."""
    import fcntl

    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    # The browser reads from 3 and writes to 4; ours are moved out of the way of those first.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (their_in, their_out)]
    os.close(their_in)
    os.close(their_out)
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe")
    actions = [(os.POSIX_SPAWN_DUP2, ends[0], 3), (os.POSIX_SPAWN_DUP2, ends[1], 4)]
    actions += [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    browser = os.posix_spawn(
        CHROMIUM, [CHROMIUM, *options, f"--user-data-dir={profile}"], os.environ, file_actions=actions
    )
    for end in ends:
        os.close(end)
    # A browser that hangs must not hang the tests.
    watch = threading.Timer(120, os.kill, (browser, signal.SIGKILL))
    watch.start()
    try:
        with os.fdopen(our_out, "wb") as commands:
            page = PageInBrowser(commands, our_in)
            page.open(address, **size)
            yield page
    finally:
        watch.cancel()
        os.kill(browser, signal.SIGKILL)
        os.waitpid(browser, 0)
        os.close(our_in)


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
def evaluation(whole):
    """A report with every section that there can be."""
    found = whole()
    metrics = found.metrics.copy()
    metrics.loc["f1"] = np.nan
    return change(found, metrics=metrics)


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
        (1, 1, lambda table: table["value"].sort_values(ascending=False, kind="stable"), "descending"),
        (2, 1, lambda table: table["value"].sort_values(kind="stable"), "ascending"),
        (1, 2, lambda table: table["low"].sort_values(ascending=False, kind="stable"), "descending"),
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


def test_the_table_sorts_by_key(evaluation, tmp_path):
    """Tab reaches the button, Enter and the space bar work it, and the focus stays."""
    path = tmp_path / "report.html"
    path.write_text(render_report(evaluation), encoding="utf-8")
    with open_page(path.as_uri(), tmp_path / "profile") as page:
        page.evaluate("document.querySelectorAll('#metrics thead th')[0].querySelector('button').focus()")
        page.press("Tab")
        focus = "document.activeElement.closest('th').textContent.trim()"
        assert page.evaluate(focus) == "Value"
        state = "document.activeElement.closest('th').getAttribute('aria-sort')"
        assert page.evaluate(state) is None
        page.press("Enter")
        assert page.evaluate(state) == "descending"
        page.press(" ")
        assert page.evaluate(state) == "ascending"
        assert page.evaluate(focus) == "Value"
        first = "document.querySelector('#metrics tbody th').dataset.value"
        names = evaluation.metrics["value"].sort_values(kind="stable").index
        assert page.evaluate(first) == describe_metric(names[0]).name
        assert page.errors == []
        assert page.asked == [path.as_uri()]


def test_the_details_open_by_key(evaluation, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(render_report(evaluation), encoding="utf-8")
    with open_page(path.as_uri(), tmp_path / "profile") as page:
        page.evaluate("document.querySelector('#calibration summary').focus()")
        page.press("Enter")
        assert page.evaluate("document.querySelector('#calibration details').open") is True


def test_names_sort_as_a_reader_counts(evaluation, tmp_path):
    path = tmp_path / "report.html"
    script = (
        "const tables = document.querySelectorAll('#subgroups table');"
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
@pytest.mark.parametrize("unfolded", [False, True])
def test_the_page_never_scrolls_sideways(evaluation, tmp_path, width, unfolded):
    path = tmp_path / "report.html"
    path.write_text(render_report(evaluation), encoding="utf-8")
    with open_page(path.as_uri(), tmp_path / "profile", width=width, height=800) as page:
        if unfolded:
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("innerWidth") == width
        wide = f"""[...document.querySelectorAll('body *')].filter((one) => {{
          const box = one.getBoundingClientRect();
          const may = one.closest('.table-frame, svg') || getComputedStyle(one).position === 'absolute';
          return box.width > 1 && box.right > {width} + 0.5 && !may;
        }}).map((one) => one.outerHTML.slice(0, 90))"""
        assert page.evaluate(wide) == []
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        assert page.errors == []
