"""A page in headless Chromium: what it shows, what it asks for, and what it does when keys are pressed."""

import contextlib
import json
import os
import shutil
import signal
import threading

import pytest

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)
NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: pages are not tried in it")

KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), " ": (32, " "), "Escape": (27, ""), "ArrowRight": (39, "")}


class PageInBrowser:
    """A page that can be typed into, through the browser's own pipe: commands in, answers and events out."""

    def __init__(self, commands, answers):
        self._commands, self._answers = commands, answers
        self.errors, self.asked, self._number, self._session, self._rest = [], [], 0, None, b""

    def open(self, address, width=1280, height=900):
        """Open an address in a new tab, with nothing noted of earlier ones."""
        self._session = None
        self.errors.clear()
        self.asked.clear()
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
        """Return the value of an expression, or what a promise becomes."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    def press(self, key):
        code, text = KEYS.get(key, (ord(key[0].upper()), key))
        details = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **details)
        self.send("Input.dispatchKeyEvent", type="keyUp", **details)


@contextlib.contextmanager
def open_browser(profile):
    """Start a browser that listens on a pipe, and end it afterwards."""
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
            yield PageInBrowser(commands, our_in)
    finally:
        watch.cancel()
        os.kill(browser, signal.SIGKILL)
        os.waitpid(browser, 0)
        os.close(our_in)
