"""A page in headless Chromium, driven over the DevTools protocol: what it draws and throws."""

import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, final

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome", "chrome")
     if (found := shutil.which(name))), None
)  # fmt: skip
NO_BROWSER = "needs Chromium: apt-get install chromium"
START_S = 60.0
ANSWER_S = 60.0

# Ratio of contrast of every piece of text with what is behind it (WCAG 2.2); the least first.
CONTRASTS = """
(() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => {
    const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [x, y, z] = [r, g, b].map((v) => linear(v / 255));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.99) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const one = walk.currentNode.parentElement;
    const text = walk.currentNode.textContent.trim().slice(0, 30);
    if (!text || !one.checkVisibility() || one.closest("script, style, .skip")) continue;
    const both = [light(parse(getComputedStyle(one).color)), light(behind(one))];
    const [dark, bright] = both.sort((x, y) => x - y);
    found.push([(bright + 0.05) / (dark + 0.05), one.tagName + ": " + text]);
  }
  return found.sort((x, y) => x[0] - y[0]).slice(0, 5);
})()
"""


@final
class Browser:
    """One page in a browser of its own; errors of its console gather in `errors`."""

    def __init__(self) -> None:
        assert CHROMIUM is not None, NO_BROWSER
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-dev-shm-usage", "--disable-background-networking", "--hide-scrollbars",
             "--remote-debugging-port=0", f"--user-data-dir={self._folder.name}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.errors: list[str] = []
        self._number = 0
        self._stack = ExitStack()
        self._events: list[dict[str, Any]] = []
        try:
            self._socket = self._connect()
        except BaseException:
            self._end()
            raise
        for domain in ("Page", "Runtime", "Log", "Performance"):
            self.ask(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self._stack.close()
        self._process.terminate()
        self._process.wait(20)
        self._folder.cleanup()

    def open(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Load a page in a window of a size and a theme, and wait until it is loaded."""
        self.errors.clear()
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self._events.clear()
        self.ask("Page.navigate", url=url)
        self._until(lambda: any(e["method"] == "Page.loadEventFired" for e in self._events))

    def value(self, script: str) -> Any:
        """What an expression gives, as JSON; AssertionError where it throws."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True,
                         awaitPromise=True)  # fmt: skip
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """The value of an expression as soon as it is true."""
        end_s = time.monotonic() + ANSWER_S
        while not (found := self.value(script)):
            assert time.monotonic() < end_s, f"never true: {script}"
            time.sleep(0.05)
        return found

    def busy_s(self) -> float:
        """Time that the page's thread has worked since it was loaded, whoever else works here."""
        metrics = self.ask("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")

    def press(self, key: str, text: str = "") -> None:
        """Press a key where the focus is."""
        code = {"Tab": 9, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}.get(key, 0)
        facts = {"key": key, "windowsVirtualKeyCode": code, **({"text": text} if text else {})}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **facts)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **facts)

    def mouse(self, kind: str, x: float, y: float) -> None:
        """Move, press or release the mouse at a place of the window."""
        button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol and its answer."""
        self._number += 1
        number = self._number
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(ANSWER_S))
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self._hear(message)

    def _hear(self, event: dict[str, Any]) -> None:
        self._events.append(event)
        said = event["params"]
        if event["method"] == "Runtime.exceptionThrown":
            self.errors.append(str(said["exceptionDetails"]))
        elif event["method"] == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning"):
            self.errors.append(str(said["args"]))
        elif event["method"] == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.errors.append(said["entry"]["text"])

    def _until(self, done: Any) -> None:
        end_s = time.monotonic() + ANSWER_S
        while not done():
            assert time.monotonic() < end_s, "the page never loaded"
            self._hear(json.loads(self._socket.recv(ANSWER_S)))

    def _connect(self) -> Any:
        from websockets.sync.client import connect

        place = Path(self._folder.name) / "DevToolsActivePort"
        end_s = time.monotonic() + START_S
        while not place.is_file() or "\n" not in place.read_text():
            assert time.monotonic() < end_s, "Chromium did not start"
            time.sleep(0.05)
        port = place.read_text().splitlines()[0]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{port}/json/list") as answer:
            targets = json.loads(answer.read())
        page = next(target for target in targets if target["type"] == "page")
        address = page["webSocketDebuggerUrl"]
        return self._stack.enter_context(connect(address, max_size=None, proxy=None))
