"""A headless Chromium, told what to do over its own protocol (chromedevtools.github.io/devtools-protocol)."""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --remote-debugging-port=0"
)
SECONDS = 20


def find_chromium() -> str | None:
    """Return where Chromium is, if it is installed: `apt-get install chromium` on Debian."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """One browser; each page that it opens is watched from before its first byte."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._last = 0
        self._events: list[dict[str, Any]] = []

    def ran(self, url: str) -> bool:
        """Open a page and tell whether it, or a frame of it, said RAN. Downloads are refused."""
        page = self.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.ask("Target.attachToTarget", {"targetId": page, "flatten": True})["sessionId"]
        self._events.clear()
        watched = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
        self.ask("Target.setAutoAttach", watched, session)
        for domain in ("Page", "Runtime"):
            self.ask(f"{domain}.enable", {}, session)
        went = self.ask("Page.navigate", {"url": url}, session)
        if "errorText" not in went:  # a download or a broken address: there is no page
            self._await(lambda event: event["method"] == "Page.loadEventFired", session)
        left = self.ask("Runtime.evaluate", {"expression": "document.title + String(globalThis.ran)"}, session)
        self.ask("Target.closeTarget", {"targetId": page})
        said = [event for event in self._events if event["method"] == "Runtime.consoleAPICalled"]
        titles = str(left["result"].get("value"))
        return "RAN" in json.dumps(said) or "RAN" in titles or titles.endswith("1")

    def ask(self, method: str, params: dict[str, Any], session: str = "") -> dict[str, Any]:
        """Send a command and return its answer; events that come meanwhile are kept."""
        self._last += 1
        asked = self._last
        message = {"id": asked, "method": method, "params": params}
        self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            answer = self._receive()
            if answer.get("id") == asked:
                result: dict[str, Any] = answer.get("result", {})
                return result

    def forget(self) -> None:
        """Forget what has happened so far."""
        self._events.clear()

    def wait_for(self, method: str, session: str) -> None:
        """Wait until something happens on a page."""
        self._await(lambda event: event["method"] == method, session)

    def _await(self, wanted: Any, session: str) -> None:
        while not any(wanted(event) and event.get("sessionId") == session for event in self._events):
            self._receive()

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv(timeout=SECONDS))
        if "method" in message:
            self._events.append(message)
            if message["method"] == "Target.attachedToTarget":  # a frame in a process of its own, held until watched
                session = message["params"]["sessionId"]
                for method in ("Runtime.enable", "Runtime.runIfWaitingForDebugger"):
                    self._last += 1
                    command = {"id": self._last, "method": method, "sessionId": session}
                    self._socket.send(json.dumps(command))
            if message["method"] == "Page.javascriptDialogOpening":
                raise AssertionError("a file opened a dialog")
        return message


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """Start Chromium with a new profile in `folder`."""
    program = find_chromium()
    assert program, "Chromium is not installed"
    command = [program, *FLAGS.split(), f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port, path = _address(folder / "DevToolsActivePort", process)
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None) as socket:
            browser = Browser(socket)
            browser.ask("Browser.setDownloadBehavior", {"behavior": "deny"})
            yield browser
    finally:
        process.terminate()
        process.wait(10)


def _address(file: Path, process: subprocess.Popen[bytes]) -> tuple[str, str]:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if file.exists() and len(found := file.read_text().split("\n")) == 2:
            return found[0], found[1]
        time.sleep(0.05)
    raise AssertionError("Chromium did not start")


class Tab:
    """One page that a person reads and clicks through, at a width and height in CSS pixels."""

    def __init__(self, browser: Browser, width: int = 1280, height: int = 900) -> None:
        self._browser = browser
        target = browser.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = browser.ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        self._ask("Page.enable", {})
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._ask("Emulation.setDeviceMetricsOverride", metrics)

    def open(self, url: str) -> None:
        self._leaving(lambda: self._ask("Page.navigate", {"url": url}))

    def click(self, text: str) -> None:
        """Click a button or link by its text, and wait for the page that it leads to."""
        found = f"[...document.querySelectorAll('button, a')].find(e => e.textContent.includes({json.dumps(text)}))"
        assert self.run(f"!!{found}"), f"there is no {text!r} on: {self.text()}"
        self._leaving(lambda: self.run(f"{found}.click()"))

    def choose(self, text: str) -> None:
        """Choose what a label says, opening what folds it away."""
        found = f"[...document.querySelectorAll('label')].find(e => e.textContent.includes({json.dumps(text)}))"
        self.run(f"(e => {{ const d = e.closest('details'); if (d) d.open = true; e.click() }})({found})")

    def text(self) -> str:
        """What is to be read."""
        return str(self.run("document.body.innerText"))

    def url(self) -> str:
        return str(self.run("location.href"))

    def overflows(self) -> bool:
        """Tell whether the page is wider than the screen."""
        return bool(self.run("document.documentElement.scrollWidth > document.documentElement.clientWidth"))

    def run(self, expression: str) -> Any:
        return (
            self._ask("Runtime.evaluate", {"expression": expression, "returnByValue": True})
            .get("result", {})
            .get("value")
        )

    def picture(self) -> bytes:
        """Return a PNG of the whole page."""
        shot = self._ask("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True})
        return base64.b64decode(shot["data"])

    def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return self._browser.ask(method, params, self._session)

    def _leaving(self, go: Any) -> None:
        self._browser.forget()
        go()
        self._browser.wait_for("Page.loadEventFired", self._session)
